"""A short described run and its live model, for all tests of the page."""

import pytest

from d3gzsl_jax import api as d3
from d3gzsl_jax.serving.live_model import LiveModel
from tests.serving import small_model


@pytest.fixture(scope="session")
def run(tmp_path_factory):
    return small_model.described_run(tmp_path_factory.mktemp("served"))


@pytest.fixture
def live(run, tmp_path):
    """A fresh one for each test; it is saved to tmp_path / 'kept'."""
    return LiveModel(
        run.model, small_model.GreyPictures(), small_model.WordCounts, lambda: d3.load_data(run.model.config), tmp_path / "kept"
    )
