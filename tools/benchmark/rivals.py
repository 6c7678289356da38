"""What our step is timed against, each in a process of its own: the PyTorch oracle, and the published loops from a checkout."""

import contextlib
import json
import os
import subprocess
from pathlib import Path
from typing import Any

from d3gzsl_jax.errors import UserError

_TOOLS = Path(__file__).resolve().parent


ORACLES = ("eager", "explicit", "compiled")
PUBLIC = {
    "tfvaegan": "tfvaegan", "cadavae": "cadavae", "free": "free", "zerodiff": "zerodiff", "zerodiff_representation": "zerodiff",
}  # fmt: skip
"""Base methods whose public loop waits for its turns -> the option that names its checkout."""


class Oracle:
    """tools/benchmark/time_oracle.py, waiting for its turns.

    Args:
        python: an interpreter with torch.
        size: as in benchmark_sizes.SIZES.
        kind: 'eager', 'explicit' (the gradient penalty in closed form instead of by a second derivative), or 'compiled' (that, and
            its losses passed through torch.compile).
        threads: of PyTorch.

    Raises:
        UserError: it could not be run.
    """

    def __init__(self, python: str, size: str, kind: str, threads: int) -> None:
        self.name = f"oracle {kind}"
        command = [python, str(_TOOLS / "time_oracle.py"), "--size", size, "--threads", str(threads), "--turns"]
        command += {"eager": [], "explicit": ["--explicit-penalty"], "compiled": ["--compile"]}[kind]
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            )
        except OSError as error:
            raise UserError(f"--torch-python {python}: cannot be run ({error.strerror})") from None
        self.first = self.turn()["seconds"]

    def turn(self) -> dict[str, Any]:
        """Times one outer step: 'seconds', and 'matmul_flops', 'peak_resident_gib' measured beside it."""
        try:
            self._process.stdin.write("\n")
            self._process.stdin.flush()
            return json.loads(self._process.stdout.readline())
        except (BrokenPipeError, ValueError):
            raise UserError(f"the {self.name} could not be run; try python tools/benchmark/time_oracle.py by itself") from None

    def close(self) -> None:
        """Ends the process."""
        self._process.stdin.close()
        self._process.wait()


class PublicLoop:
    """tools/benchmark/time_public.py, waiting for its turns: as many of each pass as there are rounds, pass after pass.

    Args:
        python: an interpreter with torch.
        kind: of PUBLIC.
        checkout: folder of the published code.
        size: as that tool knows it.
        threads: of PyTorch.
        rounds, steps: rounds of a pass, and outer steps of a round.

    Raises:
        UserError: it could not be run.
    """

    name = "public loop"

    def __init__(self, python: str, kind: str, checkout: str, size: str, threads: int, rounds: int, steps: int) -> None:
        self._checkout, numbers = checkout, ["--rounds", str(rounds), "--steps", str(steps)]
        command = [python, str(_TOOLS / "time_public.py"), kind, checkout, "--size", size, *numbers, "--wait"]
        environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
            )
        except OSError as error:
            raise UserError(f"--torch-python {python}: cannot be run ({error.strerror})") from None

    def turn(self) -> dict[str, Any]:
        """Times the outer steps of a round: 'seconds' an outer step, 'pass', and 'peak_resident_gib' so far.

        Raises:
            UserError: it could not be run.
        """
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write("\n")
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            said = self._process.communicate()[1].strip() or "failed"
            raise UserError(f"{self._checkout}: {said.splitlines()[-1].removeprefix('time_public: ')}")
        return json.loads(line)

    def close(self) -> None:
        """Ends the process."""
        self._process.communicate()


def published(
    python: str, kind: str, checkout: str, size: str, threads: int, *, steps: int = 0, updates: int = 0
) -> dict[str, Any]:
    """What tools/benchmark/time_reference.py prints of so many outer steps, or critic updates, of a published loop.

    Raises:
        UserError: it could not be run.
    """
    wanted = ["--steps", str(steps)] if steps else ["--updates", str(updates)]
    command = [python, str(_TOOLS / "time_reference.py"), kind, checkout, "--size", size, *wanted]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=environment)
    except OSError as error:
        raise UserError(f"--torch-python {python}: cannot be run ({error.strerror})") from None
    if done.returncode:
        raise UserError(f"{checkout}: {(done.stderr.strip() or 'failed').splitlines()[-1].removeprefix('time_reference: ')}")
    return json.loads(done.stdout)

