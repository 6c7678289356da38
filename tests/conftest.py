"""Shared by all tests: strict arrays, quiet TensorFlow, float32 at full precision, small benchmarks in memory and on disk."""

import os
from collections.abc import Iterator
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
# start, XLA compiles with little effort, in a fifth of the time. For tests marked `optimized` see below.
os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_use_fusion_emitters=false")

import jax
import numpy as np
import pytest

from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.data.digits import read_digits
from d3gzsl_jax.data.validate import validate
from tests import small

jax.config.update("jax_default_matmul_precision", "highest")
# What is promoted by the way hides mistakes; in this process, not in those that tests start.
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_numpy_rank_promotion", "raise")

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = Path(__file__).resolve().parent / "golden"


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


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Programs of tests marked `optimized`, and of their fixtures and processes, are compiled with LLVM's optimization: what two
    different programs agree on to the bit, or a recording's figures, could hang on it."""
    hurried = item.get_closest_marker("optimized") is None
    if jax.config.read("jax_disable_most_optimizations") != hurried:
        jax.config.update("jax_disable_most_optimizations", hurried)
        os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = str(int(hurried))
        jax.clear_caches()


@pytest.fixture(autouse=True, scope="module")
def programs_of_this_module() -> Iterator[None]:
    """Compiled programs go with the module that needed them: a process can hold only so many pieces of memory, and XLA crashes where
    it gets no more. What comes back is read from the cache on disk."""
    yield
    jax.clear_caches()
