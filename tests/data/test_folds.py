"""Folds are benchmarks made of trainval rows alone, and reach no test row."""

import dataclasses

import numpy as np
import pytest

from d3gzsl_jax.data.folds import folds, hold_out
from d3gzsl_jax.errors import UserError


def test_a_fold_is_made_of_trainval_rows_of_seen_classes(data):
    for fold in folds(data, 3, 0, 0.3, 0.2):
        assert len(fold.features) == len(data.trainval)
        np.testing.assert_array_equal(fold.features, data.features[data.trainval])
        np.testing.assert_array_equal(data.seen_classes[fold.labels], data.labels[data.trainval])
        np.testing.assert_array_equal(fold.semantics, data.semantics[data.seen_classes])
        assert len(fold.unseen_classes) == 2 and len(fold.seen_classes) == 5
        assert np.isin(fold.labels[fold.test_unseen], fold.unseen_classes).all()
        together = np.concatenate([fold.trainval, fold.test_seen, fold.test_unseen])
        np.testing.assert_array_equal(np.sort(together), np.arange(len(data.trainval)))
        assert abs(len(fold.test_seen) / (len(fold.test_seen) + len(fold.trainval)) - 0.2) < 0.02


def test_test_rows_cannot_reach_a_fold(data):
    changed = data.features.copy()
    changed[np.concatenate([data.test_seen, data.test_unseen])] = 7.0
    semantics = data.semantics.copy()
    semantics[data.unseen_classes] = 9.0
    other = dataclasses.replace(data, features=changed, semantics=semantics)
    for one, two in zip(folds(data, 2, 3, 0.3, 0.2), folds(other, 2, 3, 0.3, 0.2), strict=True):
        np.testing.assert_array_equal(one.features, two.features)
        np.testing.assert_array_equal(one.semantics, two.semantics)


@pytest.mark.parametrize("share", [0.15, 0.3, 0.45, 0.6, 0.7])
@pytest.mark.parametrize("seed", [0, 1])
def test_every_class_is_held_out_once_before_any_is_twice(data, share, seed):
    """After any number of folds; whether or not the number held out divides that of the seen classes."""
    times = np.zeros(7, int)
    for fold in folds(data, 12, seed, share, 0.2):
        assert len(fold.unseen_classes) == round(share * 7)  # each of them once
        times[fold.unseen_classes] += 1
        assert times.max() - times.min() <= 1


@pytest.mark.parametrize(("share", "count"), [(0.3, 3), (0.45, 2), (0.6, 1), (0.15, 7)])
def test_the_folds_of_a_first_shuffle(data, share, count):
    """Classes are taken in its order, and each fold's rows follow from the next number of the same stream."""
    rng, held = np.random.default_rng(3), round(share * 7)
    order = rng.permutation(data.seen_classes)
    for index, fold in enumerate(folds(data, count, 3, share, 0.2)):
        expected = hold_out(data, order[index * held : (index + 1) * held], 0.2, seed=int(rng.integers(2**32)))
        for role in ("trainval", "test_seen", "test_unseen"):
            np.testing.assert_array_equal(getattr(fold, role), getattr(expected, role))


def test_folds_follow_from_the_seed(data):
    one, two, other = (folds(data, 2, seed, 0.3, 0.2) for seed in (1, 1, 2))
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a.test_seen, b.test_seen)
    assert any(not np.array_equal(a.test_seen, b.test_seen) for a, b in zip(one, other, strict=True))


def test_a_class_keeps_a_row(data):
    fold = hold_out(data, data.seen_classes[:2], 0.999, seed=0)
    assert set(np.unique(fold.labels[fold.trainval])) == set(range(2, 7))


def test_too_few_classes_are_refused(data):
    with pytest.raises(UserError, match=r"fold_classes=0\.9"):
        folds(data, 1, 0, 0.9, 0.2)
