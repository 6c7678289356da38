"""Shared by all tests: quiet TensorFlow, float32 at full precision, small benchmarks in memory and on disk."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("JAX_PLATFORMS", "cpu")

from pathlib import Path  # noqa: E402

import jax  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402

from tests import small  # noqa: E402

jax.config.update("jax_default_matmul_precision", "highest")

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
