"""`d3gzsl report`: draws the plots of a finished, interrupted or still running run again and writes its report."""

import sys
from pathlib import Path

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs.storage import bucket
from d3gzsl_jax.system import paths
from d3gzsl_jax.system.options import Parser


def main(argv: list[str] | None = None) -> int:
    """The command line; returns its exit code.

    Raises:
        UserError: bad input.
    """
    about = "Draws a run's plots and writes its report.html anew.\n\n    d3gzsl report runs/digits"
    parser = Parser("d3gzsl report", description=about, exit_codes="0 done, 2 bad input (one line says what).")
    parser.add_argument("folder", metavar="RUN", help="the folder of a run: finished, interrupted or still running")
    given = parser.parse_args(sys.argv[1:] if argv is None else argv).folder
    folder = Path(given) if bucket.is_in_one(given) else paths.clean(given, "RUN")
    if not bucket.is_in_one(given) and not folder.is_dir():
        raise UserError(f"{folder}: no such folder; name that of a run")
    from d3gzsl_jax.runs.report import plots, write  # neither --help nor a wrong path needs them

    try:
        with bucket.local(given if bucket.is_in_one(given) else folder, checkpoints=False) as here:
            drawings = plots.write_all(Path(here))
            written = write.write_page(Path(here), drawings=drawings)
            print(f"{len(drawings)} plots in {folder / 'plots'}; wrote {folder / written.name}")
    except OSError as error:
        raise UserError(f"{folder}: cannot be read or written ({error.strerror})") from None
    return 0
