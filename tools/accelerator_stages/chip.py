"""The chip, its driver, the versions of what runs on it, and the rates at which it multiplies matrices."""

import shutil
import subprocess
import time
from importlib import metadata
from typing import Any

import jax
import jax.numpy as jnp

from d3gzsl_jax.precision import PRECISIONS, scope
from d3gzsl_jax.runs.environment import environment, revision
from d3gzsl_jax.system.startup import configure
from tools.accelerator_stages.stage import Stage

_BACKENDS = (
    "jax-cuda12-plugin", "jax-cuda13-plugin", "jax-rocm60-plugin", "libtpu", "nvidia-cudnn-cu12", "nvidia-cudnn-cu13", "torch",
)  # fmt: skip


def run(stage: Stage) -> None:
    """Records 'environment', 'revision', 'platform' (as JAX_PLATFORMS knows it), 'backend', 'driver', 'memory_gib' and, by
    precision, 'matmul_flops'."""
    configure()
    device = jax.devices()[0]
    versions = {name: version for name in _BACKENDS if (version := _version(name))}
    stage.record(
        environment=environment() | {"backends": versions}, revision=revision(), platform=_platform(device),
        backend=device.client.platform_version, driver=_driver(), memory_gib=_memory(device),
    )  # fmt: skip
    side = 512 if stage.quick else 8192 if device.platform != "cpu" else 2048
    stage.record(side=side, matmul_flops={name: _rate(side, name) for name in PRECISIONS})
    print(f"{device.device_kind}: {stage.found['matmul_flops']}")


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _platform(device: Any) -> str:
    if device.platform != "gpu":
        return device.platform
    return "rocm" if "rocm" in device.client.platform_version.lower() else "cuda"


def _driver() -> str | None:
    """What nvidia-smi says of name, driver, memory and power limit; None where there is none."""
    if not (found := shutil.which("nvidia-smi")):
        return None
    asked = [found, "--query-gpu=name,driver_version,memory.total,power.limit", "--format=csv,noheader"]
    try:
        return subprocess.run(asked, capture_output=True, text=True, timeout=20, check=True).stdout.strip() or None
    except (OSError, subprocess.SubprocessError):
        return None


def _memory(device: Any) -> float | None:
    stats = device.memory_stats() or {}
    return round(stats["bytes_limit"] / 2**30, 1) if "bytes_limit" in stats else None


def _rate(side: int, precision: str) -> float:
    """Floating-point operations a second of float32 matrices' product at this precision, the best of three rounds of a fifth of a
    second."""
    with scope(precision):
        multiply = jax.jit(lambda a, b: (a @ b) / side)
        square = jnp.ones((side, side))

        def seconds(times: int) -> float:
            began, out = time.perf_counter(), square
            for _ in range(times):
                out = multiply(out, square)
            out.block_until_ready()
            return time.perf_counter() - began

        seconds(1)
        times = min(max(round(0.2 / seconds(1)), 2), 100)
        best = min(seconds(times) for _ in range(3))
    return times * 2.0 * side**3 / best
