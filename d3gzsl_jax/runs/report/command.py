"""`d3gzsl report`: draws the plots of a finished, interrupted or still running run again and writes its report."""

import sys
from pathlib import Path

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs.storage import bucket
from d3gzsl_jax.system.options import Parser
from d3gzsl_jax.system.paths import BUCKETS, scheme_of


def main(argv: list[str] | None = None) -> int:
    """The command line; returns its exit code."""
    about = "Draws a run's plots and writes its report.html anew.\n\n    d3gzsl report runs/digits"
    parser = Parser("d3gzsl report", description=about, exit_codes="0 done, 2 bad input (one line says what).")
    parser.add_argument("folder", type=Path, metavar="RUN", help="the folder of a run: finished, interrupted or still running")
    folder = parser.parse_args(sys.argv[1:] if argv is None else argv).folder
    if scheme_of(folder) not in BUCKETS and not folder.is_dir():
        print(f"d3gzsl report: {folder}: no such folder; name that of a run", file=sys.stderr)
        return 2
    from d3gzsl_jax.runs.report import plots, write  # neither --help nor a wrong path needs them

    try:
        with bucket.local(folder, checkpoints=False) as here:
            drawings = plots.write_all(Path(here))
            written = write.write_page(Path(here), drawings=drawings)
            print(f"{len(drawings)} plots in {folder / 'plots'}; wrote {folder / written.name}")
    except UserError as error:
        print(f"d3gzsl report: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"d3gzsl report: {folder}: cannot be read or written ({error.strerror})", file=sys.stderr)
        return 2
    return 0
