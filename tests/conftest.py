"""Shared by all tests: strict arrays, quiet TensorFlow, float32 at full precision, small benchmarks in memory and on disk."""

import functools
import importlib.util
import os
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from tests import compiled_programs

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

# Many tests, and the processes they start, compile the same programs, small ones above all; keep them all. (A trace counter is not
# fooled: it counts traces.) JAX reads this when it is imported, here and there.
os.environ["JAX_COMPILATION_CACHE_DIR"] = compiled_programs.folder()
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
# Most of the time of the tests would go to optimizing programs that then run for a second: here, and in the processes the tests
# start, XLA compiles with little effort, in a fifth of the time. For tests marked `optimized` see below. An accelerator's programs
# are tested as they are shipped.
os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = str(int(os.environ["JAX_PLATFORMS"] == "cpu"))
if metadata.version("jaxlib").startswith("0.10."):  # later ones do not know the flag, and end at once
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_use_fusion_emitters=false")

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no test downloads anything

import jax
import numpy as np
import pytest

from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.data.digits import read_digits
from d3gzsl_jax.data.validate import validate
from tests import small
from tests.encoders.real_encoders import lite_onnx, minilm  # noqa: F401 (fixtures of any test)

jax.config.update("jax_default_matmul_precision", "highest")
# What is promoted by the way hides mistakes; in this process, not in those that tests start.
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")

ON_CPU = os.environ["JAX_PLATFORMS"] == "cpu"
ROOT = Path(__file__).resolve().parent.parent
GOLDEN = Path(__file__).resolve().parent / "golden"


# Their files first, so that no worker is left with one of them at the end.
HEAVIEST = (
    "test_main.py", "test_devices.py", "test_resuming.py", "training/test_step.py", "training/test_joint_loop.py",
    "studies/test_seeds.py", "tools/test_parity.py", "studies/ablation/test_command.py", "studies/test_validation.py",
    "studies/search/test_trial.py",
    "runs/test_model.py", "convert/test_convert.py", "tools/test_oracle.py", "runs/test_ending.py", "training/test_sharding.py",
    "test_first_stage.py", "tools/test_parity_zerodiff.py", "tools/test_parity_generators.py", "test_wheel.py", "test_train.py",
    "runs/storage/test_digests.py", "runs/storage/test_bucket.py", "test_docs.py",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The heaviest files first; of the others, and within a file, the order stays."""
    place = {ROOT / "tests" / name: index for index, name in enumerate(HEAVIEST)}
    items.sort(key=lambda item: place.get(item.path, len(HEAVIEST)))


@pytest.fixture
def rng() -> np.random.Generator:
    """A seeded generator."""
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def data() -> GZSLData:
    """The embedded digits."""
    return validate(read_digits())


@pytest.fixture
def problem() -> small.Problem:
    """A small training problem."""
    return small.problem()


@pytest.fixture
def mat_folder(tmp_path: Path) -> Path:
    """A small benchmark in the xlsa17 layout."""
    folder = tmp_path / "CUB"
    small.write_mat_folder(folder)
    return folder


@functools.cache
def has_tensorflow() -> bool:
    """Whether both are installed: TensorFlow, and the datasets that need it."""
    return all(importlib.util.find_spec(name) for name in ("tensorflow", "tensorflow_datasets"))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tests marked `tensorflow` are skipped where it is not installed.

    Programs of tests marked `optimized`, and of their fixtures and processes, are compiled with LLVM's optimization: what two
    different programs agree on to the bit, or a recording's figures, could hang on it."""
    if item.get_closest_marker("tensorflow") and not has_tensorflow():
        pytest.skip("TensorFlow and TFDS are not installed here")
    hurried = ON_CPU and item.get_closest_marker("optimized") is None
    if jax.config.read("jax_disable_most_optimizations") != hurried:
        jax.config.update("jax_disable_most_optimizations", hurried)
        os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = str(int(hurried))
        jax.clear_caches()


def pieces_of_memory() -> int:
    """How many this process has mapped; 0 where the system does not say."""
    try:
        return len(Path("/proc/self/maps").read_bytes().splitlines())
    except OSError:
        return 0


@pytest.fixture(autouse=True, scope="module")
def few_programs() -> Iterator[None]:
    """Compiled programs go before there are too many of them: a process can hold 65,530 pieces of memory on Linux, and XLA crashes
    where it gets no more. What comes back is read from the cache on disk."""
    yield
    forget_programs(beyond=15_000)


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """The same within a module of many whole runs."""
    if item.get_closest_marker("slow"):
        forget_programs(beyond=30_000)


def forget_programs(beyond: int) -> None:
    """Lets all compiled programs go where the process holds more pieces of memory than that, or that is not known."""
    if not 0 < pieces_of_memory() < beyond:
        jax.clear_caches()
