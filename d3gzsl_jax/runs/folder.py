"""The run folder: config.json, metrics.jsonl and results.json, each whole or absent."""

import datetime
import json
import math
import os
import platform
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

import jax

from d3gzsl_jax.errors import UserError

_PACKAGES = (
    "d3gzsl-jax", "jax", "jaxlib", "flax", "optax", "chex", "numpy", "scipy", "scikit-learn", "ml-collections", "tensorflow",
    "tensorflow-cpu",
)  # fmt: skip


class RunFolder:
    """A folder that will hold one run.

    Args:
        path: the folder; created if need be. Empty: runs/<dataset>-<time> under the working directory.
        dataset: names the default folder.

    Raises:
        UserError: it cannot be written, or holds the results of another run.
    """

    def __init__(self, path: str, dataset: str) -> None:
        self.path = Path(path or "runs")
        try:
            if (self.path / "results.json").exists():
                raise UserError(f"--workdir={self.path}: holds the results of an earlier run; name another folder, or remove it")
            self.path.mkdir(parents=True, exist_ok=True)
            if not path:
                # Unique even among runs started within a second.
                stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
                self.path = Path(tempfile.mkdtemp(prefix=f"{dataset}-{stamp}-", dir=self.path))
            probe = self.path / ".writable"
            probe.touch()
            probe.unlink()
        except OSError as error:
            raise UserError(f"--workdir={self.path}: cannot be written ({error.strerror}); name a folder that can") from None
        (self.path / "metrics.jsonl").unlink(missing_ok=True)

    def write(self, name: str, content: Any) -> Path:
        """Writes a JSON file atomically; NaN becomes null."""
        target, part = self.path / name, self.path / f"{name}.part"
        part.write_text(json.dumps(plain(content), indent=2) + "\n")
        os.replace(part, target)
        return target

    def append(self, name: str, content: dict[str, Any]) -> None:
        """Appends one JSON line."""
        with open(self.path / name, "a") as file:
            file.write(json.dumps(plain(content)) + "\n")


def plain(value: Any) -> Any:
    """What JSON can hold: arrays become lists, non-finite floats None."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def environment() -> dict[str, Any]:
    """Versions and devices a run ran on."""
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    devices = jax.devices()
    return {
        "python": platform.python_version(),
        "versions": versions,
        "device": {"platform": devices[0].platform, "kind": devices[0].device_kind, "count": len(devices)},
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }
