"""The command line: flags, process set-up, dispatch; nothing else.

    python -m d3gzsl_jax.main --config=configs/cub.py[:base] [--workdir=FOLDER] [--config.group.field=value ...]

Exit codes: 0 done, 2 bad input (one line says what), 3 training broke down (not finite), 130 ended by ctrl-C with results.
"""

import difflib
import re
import runpy
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from absl import app, flags, logging
from ml_collections import config_flags

from d3gzsl_jax.errors import DivergenceError, Terminated, UserError
from d3gzsl_jax.process import configure
from d3gzsl_jax.train import train

_CONFIG = config_flags.DEFINE_config_file("config", None, "Configuration file, for example configs/cub.py.", lock_config=True)
_WORKDIR = flags.DEFINE_string("workdir", "", "Run folder; default: a new one under runs/.")


def main(argv: Sequence[str]) -> int:
    """Runs what the flags ask for; returns the exit code."""
    if len(argv) > 1:
        return _refuse(f"unexpected argument {argv[1]!r}; options are written --config.group.field=value")
    logging.set_verbosity(logging.WARNING)
    configure()
    try:
        return 130 if train(_CONFIG.value, _WORKDIR.value)["interrupted"] else 0
    except UserError as error:
        return _refuse(str(error))
    except DivergenceError as error:
        print(f"d3gzsl_jax: {error}", file=sys.stderr)
        return 3
    except Terminated as error:
        print(f"d3gzsl_jax: {error}", file=sys.stderr)
        return 143
    except KeyboardInterrupt:
        print("d3gzsl_jax: stopped before there was a result", file=sys.stderr)
        return 130


def parse(argv: list[str]) -> list[str]:
    """absl's flag parser, with one line instead of a traceback for everything a user can get wrong."""
    if any(arg in ("--help", "-h", "--helpfull", "-help", "-helpfull") for arg in argv):
        print(__doc__)
        print("Every field of a configuration is documented in configs/default.py.")
        sys.exit(0)
    path = next((arg.split("=", 1)[1] for arg in argv if re.match(r"--?config=", arg)), None)
    if path is None and "--config" in argv[:-1]:
        path = argv[argv.index("--config") + 1]
    if path is not None:
        path = re.sub(r"(?<=\.py):.*", "", path)  # the part after a colon goes to the file's get_config
        # Configurations import their neighbours as `configs.<name>`, from wherever this is started.
        sys.path.insert(0, str(Path(path).resolve().parent.parent))
        if not Path(path).is_file():
            near = difflib.get_close_matches(path, [str(p) for p in Path(path).parent.glob("*.py")], n=1)
            sys.exit(_refuse(f"--config={path}: no such file" + (f"; did you mean {near[0]}?" if near else "")))
    try:
        rest = flags.FLAGS(argv)
    except Exception as error:  # a configuration file is code: it can fail in any way
        text = str(error)
        if "Traceback" in text:  # of the configuration's own code: its last line says what went wrong
            text = text.strip().splitlines()[-1]
        sys.exit(_refuse(_unknown_field(argv, path) or " ".join(f"{path or ''}: {text}".split()).removeprefix(": ")))
    if _CONFIG.value is None:
        sys.exit(_refuse("--config is missing; try --config=configs/digits.py, which needs no download"))
    return rest


def _unknown_field(argv: Sequence[str], path: str | None) -> str | None:
    """What to say of the first override that names no field of the configuration at `path`; None if all do."""
    try:
        config = runpy.run_path(path)["get_config"]() if path else None
    except Exception:  # the configuration itself is broken: the parser's own message says how
        return None
    fields = sorted(_dotted(config)) if config else []
    for arg in argv:
        match = re.match(r"--?config\.([^=]+)(=|$)", arg)
        if match and not any(field == match[1] or field.startswith(match[1] + ".") for field in fields):
            near = difflib.get_close_matches(match[1], fields, n=1)
            guess = f"; did you mean --config.{near[0]}?" if near else "; configs/default.py documents every field"
            return f"--config.{match[1]}: no such field{guess}"
    return None


def _dotted(config: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in config.items():
        if hasattr(value, "items"):
            yield from _dotted(value, f"{prefix}{name}.")
        else:
            yield prefix + name


def _refuse(message: str) -> int:
    print(f"d3gzsl_jax: {message}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    app.run(main, flags_parser=parse)
