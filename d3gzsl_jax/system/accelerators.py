"""Which accelerator is here, told without asking JAX, which would take it; and flags for the compiler of GPUs."""

import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path

GPUS = ("cuda", "rocm", "gpu")
"""Of JAX_PLATFORMS: those whose compiler takes the flags below."""
CUBLAS = "--xla_gpu_enable_triton_gemm=false"
"""Products of the library, which are ready. Triton's are tuned by compiling many forms of each on the one GPU."""
UNTUNED = f"{CUBLAS} --xla_gpu_autotune_level=0"
"""And the library's first choice of each: for many programs at once, of which every one would be tuned on the same GPU."""
_PLUGINS = {
    "nvidia[0-9]*": ("cuda", ("jax_cuda12_plugin", "jax_cuda13_plugin")), "accel*": ("tpu", ("libtpu",)),
    "vfio/[0-9]*": ("tpu", ("libtpu",)),
}  # fmt: skip


def platform(environment: Mapping[str, str] | None = None, devices: Path = Path("/dev")) -> str:
    """What JAX would compute on here, as JAX_PLATFORMS has it: 'cpu', 'cuda', 'tpu', ...

    Args:
        environment: of the process; JAX_PLATFORMS decides where it is set.
        devices: where device files are; one counts where a plug-in for it is installed.
    """
    asked = (os.environ if environment is None else environment).get("JAX_PLATFORMS", "")
    if asked:
        return asked.split(",")[0]
    for pattern, (name, plugins) in _PLUGINS.items():
        if any(importlib.util.find_spec(plugin) for plugin in plugins) and any(devices.glob(pattern)):
            return name
    return "cpu"


def with_flags(given: str, flags: str) -> str:
    """XLA_FLAGS with further ones; what it says of one of them already stays.

    Args:
        given: the variable as it is, '' for none.
        flags: as `UNTUNED`.
    """
    found = given.split()
    return " ".join([*found, *(flag for flag in flags.split() if name_of(flag) not in map(name_of, found))])


def without_flags(given: str, flags: str) -> str:
    """XLA_FLAGS with nothing said of these; arguments as of `with_flags`."""
    return " ".join(flag for flag in given.split() if name_of(flag) not in map(name_of, flags.split()))


def name_of(flag: str) -> str:
    """'--a' of '--a=1'."""
    return flag.partition("=")[0]
