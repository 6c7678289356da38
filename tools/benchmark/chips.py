"""The chips that programs are compiled for without one: a TPU v5e slice and H100 GPUs, described to their compilers, and the CPU.

Neither compiler needs a device, a driver or a library of CUDA's: libtpu knows the slices by name, and JAX's CUDA plugin takes a
description of the card (h100.txtpb). Of CUDA's compiler it needs libdevice and ptxas: those of /usr/local/cuda, or the wheel's.
"""

import importlib.metadata
import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
from jax.experimental import topologies

from d3gzsl_jax.errors import UserError, reason
from d3gzsl_jax.text import cut

DEVICES = 8  # of a described slice, host or CPU; fewer are the first of them


@dataclass(frozen=True)
class Chip:
    """A chip that programs can be compiled for.

    Attributes:
        name: for tables.
        module: the plugin's, that has to be installed; '' where JAX itself has the compiler.
        install: what pip is to install for it, at the versions that fit this JAX. In a folder of its own: a JAX that is used
            otherwise would look for the device that it is for.
        describe: its devices, DEVICES of them.
        options: of the compiler.
        custom_calls: beginnings of the names of the calls its compiler makes by itself.
        counts_launches: whether what it runs are kernels that are launched one by one.
    """

    name: str
    module: str
    install: Callable[[], str]
    describe: Callable[[], list[Any]]
    options: dict[str, Any] = field(default_factory=dict)
    custom_calls: tuple[str, ...] = ()
    counts_launches: bool = False

    @property
    def is_there(self) -> bool:
        """Whether its compiler is installed."""
        try:
            return not self.module or importlib.util.find_spec(self.module) is not None
        except ModuleNotFoundError:  # the folder of plugins
            return False

    @property
    def missing(self) -> str:
        """What to do where it is not."""
        return (
            f"{self.name}: its compiler is not installed; pip install --no-deps --target FOLDER {self.install()}, "
            "and set PYTHONPATH=FOLDER"
        )

    def devices(self) -> list[Any]:
        """DEVICES described devices.

        Raises:
            UserError: the compiler is not installed, or refuses the description.
        """
        if not self.is_there:
            raise UserError(self.missing)
        try:
            return self.describe()
        except Exception as error:  # whatever a plugin raises where its version is not JAX's
            raise UserError(
                f"{self.name}: its compiler does not take the description ({cut(reason(error))}); is it that of jax "
                f"{jax.__version__}? It is {self.install()}"
            ) from None


def prepare() -> None:
    """Settings of the process, before JAX looks for devices: only the CPU's are used, DEVICES of them, and no compiler looks for
    hardware or for the machine's metadata."""
    os.environ |= {"TPU_SKIP_MDS_QUERY": "1", "TPU_ACCELERATOR_TYPE": "v5litepod-8", "TPU_WORKER_HOSTNAMES": "localhost"}
    os.environ["ALLOW_MULTIPLE_LIBTPU_LOAD"] = "1"  # another process that describes chips is in nobody's way
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_num_cpu_devices", DEVICES)


def _libtpu() -> str:
    asked = (one.partition(";")[0].strip() for one in importlib.metadata.requires("jax") or [])
    return f"'{next((one for one in asked if one.startswith('libtpu')), 'libtpu')}'"


def _h100() -> list[Any]:
    jax.devices()  # loads the plugins
    target = (Path(__file__).parent / "h100.txtpb").read_text(encoding="utf-8")
    return list(topologies.get_topology_desc("gpu", "cuda", topology=f"1x1x{DEVICES}", target_config=target).devices)


def _v5e() -> list[Any]:
    return list(topologies.get_topology_desc("v5e:2x4", "tpu").devices)


# How well the code of a kernel is optimized changes nothing that is looked at, and is half of the time.
_QUICK = {
    "xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True, "xla_gpu_disable_gpuasm_optimizations": True,
}  # fmt: skip

CHIPS = {
    "v5e": Chip(
        "TPU v5e", "libtpu", _libtpu, _v5e,
        custom_calls=("AllocateBuffer", "AssumeGather", "AsyncCollective", "ConcatBitcast", "GatherScatterIndices"),
    ),
    "h100": Chip(
        "H100", "jax_plugins.xla_cuda12",
        lambda: f"jax-cuda12-plugin=={jax.__version__} jax-cuda12-pjrt=={jax.__version__} nvidia-cuda-nvcc-cu12", _h100,
        # Kernels of its own for products are chosen by trying them out, for which there is no card: they are left to cuBLAS.
        {"xla_gpu_enable_triton_gemm": False} | _QUICK,
        ("__cublas$", "__cub$"), counts_launches=True,
    ),
    "cpu": Chip("CPU", "", lambda: "", jax.devices, _QUICK),
}  # fmt: skip
