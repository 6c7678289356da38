"""Runs a stage in a process of its own, which may run out of memory or time without taking the others along.

    python -m tools.accelerator_stages.stage_process STAGE    (what tools/accelerator.py starts; STAGE as JSON)
"""

import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from d3gzsl_jax.errors import reason
from d3gzsl_jax.system import accelerators
from d3gzsl_jax.text import cut
from tools.accelerator_stages.plan import Planned
from tools.accelerator_stages.stage import NotHereError, Stage, found_file

ROOT = Path(__file__).resolve().parents[2]
PROCESS = (sys.executable, "-m", "tools.accelerator_stages.stage_process")
SKIPPED = 3  # exit code of a stage whose needs are not there
_GRACE = 5.0  # seconds between asking a stage to end and ending it


def outcome(stage: Stage, planned: Planned) -> dict[str, Any]:
    """Runs a stage to its end or deadline: its 'status' (done, cut, failed, skipped), 'why', 'seconds' and what it 'found'."""
    began = time.monotonic()
    log = stage.output / "stages" / f"{stage.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    found_file(stage.output, stage.name).unlink(missing_ok=True)
    with open(log, "w", encoding="utf-8") as file:
        process = subprocess.Popen(
            [*PROCESS, stage.to_json()], cwd=ROOT, stdout=file, stderr=subprocess.STDOUT, env=_environment(stage, planned),
            start_new_session=True,
        )  # fmt: skip
        try:
            code: int | None = process.wait(max(stage.left, 0.0))
        except subprocess.TimeoutExpired:
            code = None
        finally:
            _end(process)
    status, why = {0: "done", SKIPPED: "skipped", None: "cut"}.get(code, "failed"), ""
    if status == "cut":
        why = f"its {time.monotonic() - began:.0f} s were over"
    elif status != "done":
        why = _last_line(log) or f"exit code {code}"
    return {"status": status, "why": why, "seconds": round(time.monotonic() - began, 1), "found": _found(stage)}


def _environment(stage: Stage, planned: Planned) -> dict[str, str]:
    """Memory as it is needed, since one process follows another and PyTorch is one of them; this checkout first; programs compiled
    anew in a new output folder, so that times of first calls mean something."""
    flags = os.environ.get("XLA_FLAGS", "")
    if planned.flags is None:
        flags = accelerators.without_flags(flags, accelerators.UNTUNED)
    elif stage.platform in accelerators.GPUS:  # another chip's compiler may refuse what it does not know
        flags = accelerators.with_flags(flags, planned.flags)
    path = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    given = {"XLA_PYTHON_CLIENT_PREALLOCATE": "false", "TF_CPP_MIN_LOG_LEVEL": "3"} | dict(os.environ)
    given |= {"PYTHONPATH": path, "JAX_COMPILATION_CACHE_DIR": str(stage.output / "compiled")}
    return given | {"XLA_FLAGS": flags}


def _end(process: subprocess.Popen) -> None:
    """Ends what is left of the stage and of all it started."""
    for sign, wait in ((signal.SIGTERM, _GRACE), (signal.SIGKILL, None)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(wait)


def _last_line(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    return cut(lines[-1]) if lines else ""


def _found(stage: Stage) -> dict[str, Any]:
    try:
        return json.loads(found_file(stage.output, stage.name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def main(argv: list[str]) -> int:
    """The process itself; the last line it prints says why it failed."""
    stage = Stage.from_json(argv[0])
    try:
        importlib.import_module(f"tools.accelerator_stages.{stage.name}").run(stage)
    except NotHereError as error:
        print(error)
        return SKIPPED
    except Exception as error:
        import traceback

        traceback.print_exc()
        print(reason(error), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
