"""The command line: flags, process set-up, dispatch; nothing else.

    python -m d3gzsl_jax.main --config=configs/cub.py[:base] [--workdir=RUN] [--config.group.field=value ...]

trains, or goes on with the run in the folder RUN. With --config.seeds='(0,1,2)' several seeds are trained together, each in a
folder of its own, RUN/seed-0 and so on, and RUN/results.json holds them all. With what a run left behind:

    ... --mode=evaluate    --workdir=RUN [--checkpoint=last|best|STEP]
    ... --mode=predict     --workdir=RUN --input=FEATURES --output=FILE.csv [--top=K] [--predictor=student|classifier] [--key=NAME]
    ... --mode=synthesize  --workdir=RUN --output=FILE.npz [--classes=all|seen|unseen|3,zebra] [--count=N] [--seed=N]
    ... --mode=add_classes --workdir=RUN --semantics=FILE --output=MODEL [--key=NAME]

predict and synthesize also take MODEL for RUN, and --checkpoint; --data_root=FOLDER says where a run's data is now.

Exit codes: 0 done, 2 bad input (one line says what), 3 training broke down (not finite, or exploded), 130 ended by ctrl-C with
results, 141 nobody reads the output any more and 143 SIGTERM (a checkpoint was saved, the same command goes on from it).

One run in several processes, on several machines: --coordinator, --processes, --process_id, see docs/devices.md.
"""

import difflib
import re
import sys
import traceback
from collections.abc import Sequence

import jax
from absl import app, flags, logging
from ml_collections import ConfigDict, config_flags

from d3gzsl_jax.commands import MODES, run_mode
from d3gzsl_jax.config.load import flat, load_config
from d3gzsl_jax.errors import AgreedError, DivergenceError, Terminated, UserError
from d3gzsl_jax.runs.display import Display
from d3gzsl_jax.studies.seeds import train_seeds
from d3gzsl_jax.studies.start import train
from d3gzsl_jax.system import terminal
from d3gzsl_jax.system.processes import is_first
from d3gzsl_jax.system.startup import configure, join, leave, require_devices
from d3gzsl_jax.text import cut, visible
from d3gzsl_jax.training import memory

_LONGEST = 400  # characters of a message of the flag parser
_WORKDIR = flags.DEFINE_string("workdir", "", "Run folder; default in training: a new one under runs/.")
_MODE = flags.DEFINE_enum("mode", "train", ("train", *MODES), "What to do.")
_COORDINATOR = flags.DEFINE_string("coordinator", "", "Training in many processes: host:port of the first, or auto.")
_PROCESSES = flags.DEFINE_integer("processes", 0, "With --coordinator: how many processes.", lower_bound=0, upper_bound=2**20)
_PROCESS_ID = flags.DEFINE_integer("process_id", -1, "With --coordinator: which of them this is, from 0.", lower_bound=-1)
_OPTIONS = (
    _WORKDIR,
    flags.DEFINE_string("checkpoint", "", "Which checkpoint: last, best, or an outer step."),
    flags.DEFINE_string("data_root", "", "Where the run's data is now, if it was moved."),
    flags.DEFINE_string("input", "", "predict: features, .npy, .npz, .mat or .csv."),
    flags.DEFINE_string("output", "", "Where to write."),
    flags.DEFINE_string("key", "", "Which array of the input file."),
    flags.DEFINE_integer("top", 1, "predict: classes per row.", lower_bound=1),
    flags.DEFINE_string("predictor", "", "predict: student or classifier; default: the run's config.eval.prediction."),
    flags.DEFINE_string("classes", "unseen", "synthesize: ids and names, or all, seen, unseen."),
    flags.DEFINE_integer("count", 100, "synthesize: rows per class.", lower_bound=1),
    flags.DEFINE_integer("seed", 0, "synthesize: of the noise.", lower_bound=0, upper_bound=2**32 - 1),
    flags.DEFINE_string("semantics", "", "add_classes: semantics and names of the new classes."),
    _COORDINATOR,
    _PROCESSES,
    _PROCESS_ID,
)


def main(argv: Sequence[str]) -> int:
    """Runs what the flags ask for; returns the exit code."""
    if len(argv) > 1:
        return _refuse(f"unexpected argument {argv[1]!r}; options are written --config.group.field=value")
    logging.set_verbosity(logging.WARNING)
    configure(devices=False)
    try:
        return leave(_run())
    except BaseException as error:
        if not jax.distributed.is_initialized() or isinstance(error, SystemExit):
            raise
        traceback.print_exc()
        return leave(1)


def _run() -> int:
    try:
        given = {flag.name for flag in _OPTIONS if flag.present}
        if _MODE.value != "train":
            require_devices()
            with memory.told():
                run_mode(_MODE.value, {flag.name: flag.value for flag in _OPTIONS}, given, Display())
            return 0
        for name in sorted(given - {"workdir", "coordinator", "processes", "process_id"}):
            raise UserError(f"--{name} means nothing in training; --mode={', '.join(MODES)} are the other modes")
        join(_COORDINATOR.value, _PROCESSES.value, _PROCESS_ID.value)
        require_devices()
        config, overrides = flags.FLAGS.config, config_flags.get_override_values(flags.FLAGS["config"])
        with memory.told():
            results = (train_seeds if config.seeds else train)(config, _WORKDIR.value, overrides=overrides)
        return 130 if results["interrupted"] else 0
    except AgreedError as error:
        return _end(2, str(error))
    except UserError as error:
        return _refuse(str(error))
    except DivergenceError as error:
        return _end(3, str(error))
    except Terminated as error:
        if terminal.reader_is_gone():
            return _end(terminal.READER_GONE, str(error).replace("SIGTERM", "nobody reads the output any more", 1))
        return _end(143, str(error))
    except KeyboardInterrupt:
        return _end(130, "stopped before there was a result")


def parse(argv: list[str]) -> list[str]:
    """absl's flag parser, with one line instead of a traceback for everything a user can get wrong."""
    if any(arg in ("--help", "-h", "--helpfull", "-help", "-helpfull", "--helpshort", "-helpshort") for arg in argv):
        print(__doc__)
        print("Every field of a configuration is documented in configs/default.py.")
        sys.exit(0)
    try:
        argv, spec = _without_config(list(flags.FLAGS.read_flags_from_files(argv, force_gnu=False)))
        config = load_config(spec) if spec is not None else None
    except (UserError, flags.Error, OSError) as error:
        sys.exit(_refuse(cut(str(error), _LONGEST)))
    names = (argument.partition("=")[0] for argument in argv if argument.startswith("-"))
    if long := next((name for name in names if len(name) > _LONGEST), None):  # absl looks too deep for what is like it
        sys.exit(_refuse(f"{cut(long)}: no such option"))
    try:
        if config is not None:
            config_flags.DEFINE_config_dict("config", config, sys_argv=argv)
        rest = flags.FLAGS(argv)
    except Exception as error:  # the parser of overrides has errors of many kinds
        sys.exit(_refuse(cut(_unknown_field(argv, config) or f"{spec or ''}: {error}".removeprefix(": "), _LONGEST)))
    if _MODE.value != "train":
        if config is not None:
            sys.exit(_refuse(f"--mode={_MODE.value}: --config means nothing here; the run in --workdir has its own"))
    elif config is None:
        sys.exit(_refuse("--config is missing; try --config=configs/digits.py, which needs no download"))
    return rest


def _without_config(argv: list[str]) -> tuple[list[str], str | None]:
    """The command line without --config, and what that says; None without one."""
    rest, spec, place = [], None, 0
    while place < len(argv):
        argument, place = argv[place], place + 1
        if match := re.fullmatch(r"--?config(?:=(.*))?", argument, re.DOTALL):
            if match[1] is None and place == len(argv):
                raise UserError("--config: give a file, for example --config=configs/digits.py")
            spec, place = (match[1], place) if match[1] is not None else (argv[place], place + 1)
        else:
            rest.append(argument)
    return rest, spec


def _unknown_field(argv: Sequence[str], config: ConfigDict | None) -> str | None:
    """What to say of the first override that names no field of the configuration; None if all do."""
    fields = sorted(dict(flat(config))) if config is not None else []
    if not fields:
        return None
    for arg in argv:
        match = re.match(r"--?config\.([^=]+)(=|$)", arg)
        if match and not any(field == match[1] or field.startswith(match[1] + ".") for field in fields):
            near = difflib.get_close_matches(match[1], fields, n=1)
            guess = f"; did you mean --config.{near[0]}?" if near else "; configs/default.py documents every field"
            return f"--config.{cut(match[1])}: no such field{guess}"
    return None


def _refuse(message: str) -> int:
    print(f"d3gzsl_jax: {visible(message)}", file=sys.stderr)
    return 2


def _end(code: int, message: str) -> int:
    """Ends all processes alike; the first one says why."""
    if not jax.distributed.is_initialized() or is_first():
        print(f"d3gzsl_jax: {visible(message)}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(terminal.run_command(lambda: app.run(main, flags_parser=parse)))
