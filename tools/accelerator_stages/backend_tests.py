"""The tests of what depends on the backend: losses, draws, precision, the step and its loops."""

import os
import re
import subprocess
import sys
import time
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

from tools.accelerator_stages.stage import NotHereError, Stage

ROOT = Path(__file__).resolve().parents[2]
FILES = (
    "tests/losses", "tests/test_keys.py", "tests/test_precision.py", "tests/frameworks/test_row_noise.py",
    "tests/frameworks/test_adam.py", "tests/frameworks/test_diffusion.py", "tests/frameworks/test_softmax.py",
    "tests/distillation/test_terms.py", "tests/training/test_step.py", "tests/training/test_joint_loop.py",
)  # fmt: skip
_LINE = re.compile(r"^(\S+::.+?) (PASSED|FAILED|SKIPPED|ERROR|XFAIL|XPASS)\b")


def run(stage: Stage) -> None:
    """Records 'tests': how many passed, failed, were skipped; which failed; and whether there was time for all."""
    if not find_spec("pytest"):
        raise NotHereError("pytest is not installed: pip install pytest hypothesis")
    files = ["tests/test_keys.py"] if stage.quick else list(FILES)
    command = [sys.executable, "-m", "pytest", "-vv", "--no-header", "-p", "no:cacheprovider", "--color=no"]
    command += ["--continue-on-collection-errors"]
    platforms = {"JAX_PLATFORMS": f"{stage.platform},cpu" if stage.platform not in ("", "cpu") else "cpu"}
    log = stage.output / "backend_tests.log"
    counts: Counter[str] = Counter()
    bad: list[str] = []
    last = time.monotonic()
    with open(log, "w", encoding="utf-8") as file:
        process = subprocess.Popen(
            [*command, "-m", "not nightly and not processes", *files], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, env=os.environ | platforms,
        )  # fmt: skip
        for line in process.stdout or ():
            file.write(line)
            if found := _LINE.match(line):
                counts[found[2].lower()] += 1
                bad += [found[1]] if found[2] in ("FAILED", "ERROR") else []
                if time.monotonic() - last > 1:
                    last = time.monotonic()
                    stage.record(tests={**counts, "which": bad, "all_were_run": False})
        code = process.wait()
    if code not in (0, 1):
        stage.note(f"pytest ended with code {code}, see {log.name}")
    stage.record(tests={**counts, "which": bad, "all_were_run": code in (0, 1)})
    print(dict(counts), bad)
