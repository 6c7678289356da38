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


def test_every_class_is_held_out_once_before_any_is_twice(data):
    held = [fold.unseen_classes for fold in folds(data, 3, 0, 0.3, 0.2)]
    assert len(np.unique(np.concatenate(held))) == 6


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
