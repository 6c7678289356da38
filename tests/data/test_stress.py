"""Stressed benchmarks: what is cut, shifted or noisy, and by how much."""

import dataclasses

import numpy as np
import pytest
from ml_collections import ConfigDict

from configs import digits
from d3gzsl_jax.data.load import load
from d3gzsl_jax.data.stress import OFF, keep_share, long_tail, stress
from d3gzsl_jax.data.validate import validate
from d3gzsl_jax.errors import UserError


def options(**chosen):
    return ConfigDict(OFF | {"seed": 0} | chosen)


def counts(data, role):
    return np.bincount(data.labels[getattr(data, role)], minlength=data.class_count)


def test_off_is_the_data_itself(data):
    assert stress(data, options()) is data
    assert set(OFF) | {"seed"} == set(digits.get_config().data.stress)


@pytest.mark.parametrize("imbalance", [10.0, 100.0])
def test_a_long_tail(rng, imbalance):
    labels = np.repeat(np.arange(20), 200)
    kept = long_tail(labels, np.arange(len(labels)), imbalance, rng)
    sizes = np.sort(np.bincount(labels[kept]))[::-1]
    np.testing.assert_array_equal(sizes, np.maximum(np.rint(200 * imbalance ** -(np.arange(20) / 19)), 1))


def test_a_small_class_keeps_what_it_has(rng):
    labels = np.repeat([0, 1, 2], [3, 100, 100])
    kept = long_tail(labels, np.arange(203), 2.0, rng)
    assert np.bincount(labels[kept])[0] == 3


def test_a_share_of_each_class(rng):
    labels = np.repeat(np.arange(4), [2, 10, 55, 100])
    rows = np.arange(len(labels))
    np.testing.assert_array_equal(np.bincount(labels[keep_share(labels, rows, 0.1, rng)]), [1, 1, 6, 10])
    np.testing.assert_array_equal(keep_share(labels, rows, 1.0, rng), rows)


def test_training_rows_alone_are_cut(data):
    found = validate(stress(data, options(imbalance=20.0)))
    sizes = counts(found, "trainval")[data.seen_classes]
    assert sizes.max() / sizes.min() == pytest.approx(20.0, rel=0.2)
    np.testing.assert_array_equal(found.test_seen, data.test_seen)
    assert found.name == "digits, imbalance 20" and found.provenance["stress"] == {"imbalance": 20.0, "seed": 0}


def test_a_shifted_test_prior(data):
    found = validate(stress(data, options(test_imbalance=10.0)))
    np.testing.assert_array_equal(found.trainval, data.trainval)
    for role, classes in (("test_seen", data.seen_classes), ("test_unseen", data.unseen_classes)):
        sizes = counts(found, role)[classes]
        assert sizes.max() / sizes.min() == pytest.approx(10.0, rel=0.3)


def test_noise_has_the_size_asked_for(data):
    found = stress(dataclasses.replace(data, features=data.features - 20.0), options(feature_noise=0.5))  # no ReLU to keep
    noise = found.features - (data.features - 20.0)
    spread = data.features[data.trainval].std(axis=0)
    varied = spread > 0
    np.testing.assert_allclose(noise.std(axis=0)[varied], 0.5 * spread[varied], rtol=0.1)
    assert (noise[:, ~varied] == 0).all()


def test_features_that_are_never_negative_stay_so(data):
    moved = dataclasses.replace(data, features=data.features - 20.0)  # the same noise, and nothing to clip
    noise = stress(moved, options(feature_noise=1.0)).features - moved.features
    found = stress(data, options(feature_noise=1.0)).features
    np.testing.assert_allclose(found, np.maximum(data.features + noise, 0), atol=1e-4)
    assert found.min() == 0 and found.dtype == data.features.dtype


def test_whole_numbers_become_floats(data):
    whole = dataclasses.replace(data, features=np.rint(data.features).astype(np.uint8))
    found = stress(whole, options(feature_noise=0.5)).features
    assert found.dtype == np.float32 and found.min() == 0 and (found != np.rint(found)).any()


def test_noise_on_semantics(data, rng):
    # Many dimensions of a spread of their own: noise over spread is standard normal.
    semantics = (rng.standard_normal((data.class_count, 2000)) * np.linspace(1, 9, 2000)).astype(np.float32)
    semantics[:, 0] = 3.0
    semantics[data.unseen_classes] *= 100  # is not to count
    wide = dataclasses.replace(data, semantics=semantics)
    found = stress(wide, options(semantic_noise=0.5))
    noise, spread = found.semantics.astype(float) - semantics, semantics[data.seen_classes].std(axis=0)
    assert (noise[:, 0] == 0).all() and found.semantics.dtype == np.float32
    assert (noise[:, 1:] / spread[1:]).std() == pytest.approx(0.5, rel=0.03)
    np.testing.assert_array_equal(found.features, data.features)


def test_fewer_classes(data):
    found = validate(stress(data, options(seen_classes=4, unseen_classes=2)))
    assert (len(found.seen_classes), len(found.unseen_classes)) == (4, 2)
    assert len(found.trainval) == sum(counts(data, "trainval")[[int(name) for name in found.class_names]])


def test_more_classes_than_there_are_are_refused(data):
    with pytest.raises(UserError, match=r"unseen_classes=4: digits has 3 unseen classes"):
        stress(data, options(unseen_classes=4))


def test_draws_follow_from_the_seed(data):
    one, two, other = (stress(data, options(seen_rows=0.3, seed=seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.trainval, two.trainval)
    assert not np.array_equal(one.trainval, other.trainval)
    both = stress(data, options(seen_rows=0.3, semantic_noise=0.5, seed=1))
    np.testing.assert_array_equal(both.trainval, one.trainval)


def test_noise_is_the_same_whatever_is_cut(data):
    noise = {"feature_noise": 0.5, "semantic_noise": 0.5}
    cut = {"seen_classes": 5, "unseen_classes": 2, "seen_rows": 0.5, "imbalance": 3.0}
    whole, both, alone = (stress(data, options(**chosen)) for chosen in (noise, noise | cut, cut))
    kept = np.array([int(name) for name in both.class_names])
    np.testing.assert_array_equal(both.semantics, whole.semantics[kept])
    np.testing.assert_array_equal(both.features, whole.features[np.isin(data.labels, kept)])
    for role in ("trainval", "test_seen", "test_unseen"):
        np.testing.assert_array_equal(getattr(both, role), getattr(alone, role))


def test_the_configuration_reaches_it():
    config = digits.get_config()
    config.data.stress.seen_rows = 0.1
    found = load(config.dataset, config.data)
    assert 80 < len(found.trainval) < 120


def test_without_stress_nothing_changes(data):
    config = digits.get_config()
    found = load(config.dataset, config.data)
    assert found.name == "digits" and "stress" not in found.provenance
    assert found.features.tobytes() == data.features.tobytes()
    for role in ("labels", "trainval", "test_seen", "test_unseen"):
        np.testing.assert_array_equal(getattr(found, role), getattr(data, role))
