"""Where a run ran: versions, devices, the state of the source."""

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

import jax

_PACKAGES = (
    "d3gzsl-jax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "chex", "numpy", "scipy", "scikit-learn", "ml-collections",
    "tensorflow", "tensorflow-cpu",
)  # fmt: skip


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
        "processes": jax.process_count(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    }


def revision() -> str | None:
    """The git revision of this package's source, '(modified)' after it where files differ from it; None outside a repository."""
    folder = Path(__file__).parent

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True, timeout=20
        ).stdout.strip()

    try:
        if git("ls-files", Path(__file__).name) == "":  # installed into a folder that some other repository ignores
            return None
        return git("rev-parse", "--short=12", "HEAD") + (" (modified)" if git("status", "--porcelain", "--", "..") else "")
    except (OSError, subprocess.SubprocessError):
        return None
