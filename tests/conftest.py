"""Shared by all tests: quiet TensorFlow, float32 at full precision, small benchmarks in memory and on disk."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

import tempfile
from pathlib import Path

import jax
import numpy as np
import pytest

from tests import small

jax.config.update("jax_default_matmul_precision", "highest")
# Many tests compile the same programs; keep them for this machine and user. (A trace counter is not fooled: it counts traces.)
jax.config.update("jax_compilation_cache_dir", os.path.join(tempfile.gettempdir(), f"d3gzsl-jax-test-cache-{os.getuid()}"))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = Path(__file__).resolve().parent / "golden"


@pytest.fixture
def rng() -> np.random.Generator:
    """A seeded generator."""
    return np.random.default_rng(0)


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
