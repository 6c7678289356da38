"""All that is to be known of an accelerator, for the few minutes in which one is at hand.

    python tools/accelerator.py --minutes 8 [--output FOLDER] [--data FOLDER]
    python tools/accelerator.py --minutes 3 --quick      # on a CPU, at tiny sizes: does the command itself work?

In this order, each in a process of its own with a share of the time (tools/accelerator_stages/plan.py): the chip, its driver and
versions; the outer step of every framework at CUB's size in float32, tf32 and bfloat16; the PyTorch version of the method on the
same chip, where PyTorch for it is installed; training on rows of CUB's size (real ones where --data holds vgg768.mat and its
splits), extrapolated to the released 2000 epochs; several seeds as one program; a profile; the outer step as the compiler makes it
without flags of ours; the recordings of tests/golden replayed in float32; and the tests of what depends on the backend. A stage
that fails, or for which no time is left, costs one line; the next goes on. TensorFlow is not needed.

FOLDER/accelerator.json is written after every stage, and FOLDER/accelerator.md, the tables for docs/benchmarks.md, of it; logs and
what a stage had found when it was cut lie in FOLDER/stages. Exit code 0 where every stage was done or had nothing to do here; 1
where one failed or was cut; 2: bad input.
"""

import argparse
import datetime
import json
import math
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.system import paths
from d3gzsl_jax.system.atomic import write_text
from d3gzsl_jax.system.options import Parser
from d3gzsl_jax.system.terminal import run_command
from tools.accelerator_stages import stage_process
from tools.accelerator_stages.plan import PLAN, Planned, seconds_for
from tools.accelerator_stages.stage import Stage
from tools.accelerator_stages.summary import markdown

RESULTS = "accelerator.json"
Runner = Callable[[Stage, Planned], dict[str, Any]]


def build_parser() -> Parser:
    """The options."""
    parser = Parser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=8.0, help="for all of it (default 8)")
    parser.add_argument("--output", default="accelerator", metavar="FOLDER", help="new, or an earlier one (default accelerator)")
    parser.add_argument("--data", default="", metavar="FOLDER", help="that holds vgg768.mat and its splits, to train on")
    names = [planned.name for planned in PLAN]
    parser.add_argument("--only", nargs="+", choices=names, metavar="STAGE", help="these stages; of others, what is known stays")
    parser.add_argument("--quick", action="store_true", help="tiny sizes")
    return parser


def output_folder(given: str) -> Path:
    """The folder, made where there is none.

    Raises:
        UserError: it holds other things than an earlier call wrote.
    """
    folder = paths.clean(given, "--output")
    if folder.exists() and not folder.is_dir():
        raise UserError(f"--output {folder}: is no folder; name another")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / RESULTS).is_file():
        raise UserError(f"--output {folder}: holds other things, which stay; name a new or an empty folder")
    try:
        (folder / "stages").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--output {folder}: cannot be made ({error.strerror})") from None
    return folder


def measure(arguments: argparse.Namespace, folder: Path, command: str, run: Runner = stage_process.outcome) -> dict[str, Any]:
    """All stages; what is known is written after each of them."""
    deadline = time.monotonic() + 60 * arguments.minutes
    results: dict[str, Any] = {
        "date": datetime.date.today().isoformat(), "commands": [command], "quick": arguments.quick, "stages": {},
    }  # fmt: skip
    if arguments.only and (known := _known(folder)):
        results["stages"], results["commands"] = known["stages"], [*known["commands"], command]
    platform = results["stages"].get("chip", {}).get("found", {}).get("platform", "")
    _write(folder, results)
    wanted = {*arguments.only, *([] if platform else [PLAN[0].name])} if arguments.only else {planned.name for planned in PLAN}
    plan = [planned for planned in PLAN if planned.name in wanted]  # the chip is always asked first: the others depend on it
    for planned in plan:
        left = deadline - time.monotonic()
        seconds = seconds_for(planned, left, plan)
        if left <= 0 or (seconds < planned.least and not arguments.quick):
            found = {"status": "skipped", "why": f"{max(left, 0):.0f} s were left", "seconds": 0.0, "found": {}}
        else:
            print(f"{planned.name}: at most {seconds:.0f} s", flush=True)
            stage = Stage(planned.name, folder, arguments.data, arguments.quick, platform, time.monotonic() + seconds)
            try:
                found = run(stage, planned)
            except OSError as error:
                found = {"status": "failed", "why": f"could not be started ({error.strerror})", "seconds": 0.0, "found": {}}
        results["stages"][planned.name] = found
        platform = platform or found["found"].get("platform", "")
        _write(folder, results)
        why = f": {found['why']}" if found["why"] else ""
        print(f"{planned.name}: {found['status']} after {found['seconds']:.0f} s{why}", flush=True)
    return results


def _known(folder: Path) -> dict[str, Any]:
    """'stages' and 'commands' of earlier calls; {} where there were none."""
    try:
        found = json.loads((folder / RESULTS).read_text(encoding="utf-8"))
        commands = list(found["commands"]) if "commands" in found else [found["command"]]  # as earlier versions wrote it
        return {"stages": dict(found["stages"]), "commands": commands}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _write(folder: Path, results: dict[str, Any]) -> None:
    write_text(folder / RESULTS, json.dumps(results, indent=1) + "\n")
    try:
        text = markdown(results)
    except (KeyError, TypeError, ValueError) as error:  # figures of a kind nobody thought of; they are in the JSON
        text = f"No table could be made of {RESULTS}: {type(error).__name__}: {error}\n"
    write_text(folder / "accelerator.md", text)


def main(argv: Sequence[str] | None = None, run: Runner = stage_process.outcome) -> int:
    """Runs the stages; returns the exit code."""
    given = list(sys.argv[1:] if argv is None else argv)
    arguments = build_parser().parse_args(given)
    if not (math.isfinite(arguments.minutes) and arguments.minutes > 0):
        raise UserError(f"--minutes {arguments.minutes}: must be above 0")
    if arguments.data and not Path(arguments.data).is_dir():
        raise UserError(f"--data {arguments.data}: there is no such folder")
    folder = output_folder(arguments.output)
    command = f"python tools/accelerator.py --minutes {arguments.minutes:g}{' --quick' if arguments.quick else ''}"
    command += f" --only {' '.join(arguments.only)}" if arguments.only else ""
    results = measure(arguments, folder, command, run)
    print(f"\n{(folder / 'accelerator.md').read_text(encoding='utf-8')}\n{folder / RESULTS}")
    return 0 if all(one["status"] in ("done", "skipped") for one in results["stages"].values()) else 1


if __name__ == "__main__":
    sys.exit(run_command(main))
