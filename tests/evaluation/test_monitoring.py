import jax
import jax.numpy as jnp
import numpy as np
import pytest

from d3gzsl_jax.evaluation.monitoring import TrainingMonitor, variance_within
from tests import small


def test_variance_within_classes(rng):
    features, labels = rng.normal(size=(60, 5)) + 100.0, rng.integers(0, 4, 60)
    labels[0] = 9  # a class of one row says nothing
    spread = sum(((features[labels == c] - features[labels == c].mean(0)) ** 2).sum() for c in range(4))
    assert variance_within(features, labels) == pytest.approx(spread / (5 * (59 - 4)))
    assert variance_within(features[:3], np.arange(3)) == 0.0


def signs(p, scale=1.0):
    rows = p.constants.rows
    return TrainingMonitor(
        p.objective.framework, p.optimization, p.constants.classes, p.constants.root, scale * np.asarray(rows.features),
        np.asarray(rows.labels),
    )  # fmt: skip


@pytest.mark.parametrize("framework", ["wgan", "cegzsl"])
def test_diversity_is_relative_to_real_rows_and_zero_after_collapse(framework):
    p = small.problem(framework=framework)
    found = signs(p).diversity(p.state.params)
    assert found.shape == (4,) and np.all(found > 0)
    np.testing.assert_allclose(signs(p, scale=10.0).diversity(p.state.params), found / 100, rtol=1e-4)
    # A generator that does not look at the noise makes one row per class.
    blind = jax.tree.map(jnp.array, p.state.params["generator"])
    blind["params"]["hidden"]["kernel"] = blind["params"]["hidden"]["kernel"].at[:6].set(0.0)
    assert np.all(signs(p).diversity(p.state.params | {"generator": blind}) < 1e-9)


def test_norms_and_rates(problem):
    p = problem
    norms = {"gradient": {"critic": jnp.float32(2.0)}, "update": {"critic": jnp.float32(3.0)}}
    found = signs(p).measure(p.state, norms, np.array([0.5, 0.1, 0.2]))
    critic = np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(p.state.params["critic"])])
    assert found["norms"]["parameter"]["critic"] == pytest.approx(np.linalg.norm(critic), rel=1e-5)
    assert found["norms"]["gradient"] == {"critic": 2.0} and found["diversity"] == {"median": 0.2, "lowest": 0.1}
    assert found["learning_rates"]["generator"] == pytest.approx(1e-3)
