"""Records a published PyTorch loop in a process of its own, so that torch and JAX never share one."""

import json
import subprocess
from pathlib import Path
from typing import Any

from d3gzsl_jax.errors import UserError

RECORDER = Path(__file__).with_name("record_reference.py")
SIZES = ("small", "medium")


def record(kind: str, checkout: str, path: str, size: str, seed: int, epochs: int | None, python: str) -> dict[str, Any]:
    """Runs the recorder; what was run, as JSON values.

    Args:
        kind: of KINDS in tools/parity_parts/record_reference.py.
        checkout: folder of the published code.
        path: of the recording to write.
        size, seed, epochs: of the run; see tools/parity_parts/record_reference.py.
        python: an interpreter with torch.

    Raises:
        UserError: an option makes no sense, or the recorder refused or failed; its own last line says why.
    """
    if size not in SIZES:
        raise UserError(f"--size {size}: a checkout is run at {' or '.join(SIZES)}")
    if epochs is not None and epochs < 1:
        raise UserError(f"--epochs {epochs}: must be at least 1")
    if not 0 <= seed < 2**32:
        raise UserError(f"--seed {seed}: must be 0 to {2**32 - 1}")
    if not Path(path).resolve().parent.is_dir():
        raise UserError(f"--record {path}: its folder does not exist")
    command = [python, str(RECORDER), kind, checkout, "--output", path, "--size", size, "--seed", str(seed)]
    try:
        done = subprocess.run(command + ([] if epochs is None else ["--epochs", str(epochs)]), capture_output=True, text=True)
    except OSError as error:
        raise UserError(f"--python {python}: cannot be run ({error.strerror})") from None
    if done.returncode:
        last = (done.stderr.strip() or f"the recorder ended with {done.returncode}").splitlines()[-1]
        if last.startswith("ModuleNotFoundError"):
            last = f"--python {python}: {last}; recording needs torch, scikit-learn and scipy there"
        raise UserError(last.removeprefix("record_reference: "))
    run = {"checkout": checkout, "revision": revision(checkout), "size": size, "seed": seed}
    return run | json.loads(done.stdout.splitlines()[-1])


def revision(checkout: str) -> str | None:
    """The commit a checkout is at, '(modified)' after it where files differ from it; None where git cannot tell."""

    def git(*arguments: str) -> str:
        return subprocess.run(["git", "-C", checkout, *arguments], capture_output=True, text=True, check=True, timeout=20).stdout

    try:
        if not Path(git("rev-parse", "--show-toplevel").strip()).samefile(checkout):  # some folder inside another repository
            return None
        return git("rev-parse", "HEAD").strip() + (" (modified)" if git("status", "--porcelain").strip() else "")
    except (OSError, subprocess.SubprocessError):
        return None
