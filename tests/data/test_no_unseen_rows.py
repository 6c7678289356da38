"""Benchmarks whose unseen classes have semantics alone: read, cut, stressed, looked through for leaks, and folded."""

import dataclasses

import numpy as np
import pytest

from d3gzsl_jax.config.load import load_config
from d3gzsl_jax.data.data_warnings import find_doubts
from d3gzsl_jax.data.folds import folds
from d3gzsl_jax.data.formats.open_npz import read_npz, write_npz
from d3gzsl_jax.data.leaks import find_leaks
from d3gzsl_jax.data.scaling import scale_splits
from d3gzsl_jax.data.stress import stress
from d3gzsl_jax.data.subset import declare_unseen, leave_out
from d3gzsl_jax.data.validate import validate
from d3gzsl_jax.errors import UserError
from tests import small
from tests.conftest import ROOT


def test_a_file_need_not_have_the_key(tmp_path):
    data = small.simulated()
    write_npz(tmp_path / "all.npz", data)
    arrays = dict(np.load(tmp_path / "all.npz"))
    for name, left_out in (("unseen", ["test_unseen"]), ("both", ["test_unseen", "test_seen"])):
        np.savez(tmp_path / f"{name}.npz", **{key: array for key, array in arrays.items() if key not in left_out})
        found = validate(read_npz(tmp_path / f"{name}.npz"))
        assert all(len(getattr(found, role)) == 0 and getattr(found, role).dtype == np.int64 for role in left_out)
        assert found.unseen_classes.tolist() == [9, 10, 11]
        told = find_doubts(found, scale_splits(found))[0]
        assert told not in find_doubts(found, scale_splits(found), has_folds=True)
        assert "no rows: of unseen classes there are semantics alone" in told and "config.eval.selection='validation'" in told
        assert ("S is" in told) == (name == "unseen") and (f"{name}.npz: 'test_seen' and " in told) == (name == "both")
    assert validate(read_npz(tmp_path / "unseen.npz")).digests == data.digests


def test_unseen_classes_have_to_be_declared():
    data = dataclasses.replace(small.simulated(), declared_unseen=None)
    with pytest.raises(UserError, match=r"test_unseen: holds no rows, and class 9 \('kind 9'\) has none to train on \(3 such classes\)"):
        validate(data)
    assert validate(declare_unseen(data, "unseen")).unseen_classes.tolist() == [9, 10, 11]
    seen = leave_out(small.simulated(), "unseen")
    with pytest.raises(UserError, match=r"test_unseen: holds no rows, and every class has training rows: there is no unseen class"):
        validate(seen)


def test_no_rows_to_train_on_is_refused():
    with pytest.raises(UserError, match="trainval: holds no rows"):
        validate(dataclasses.replace(small.simulated(), trainval=np.zeros(0, np.int64)))


@pytest.mark.parametrize("seen_rows", [True, False])
def test_what_is_done_with_data_copes(seen_rows):
    data = small.simulated(seen_rows=seen_rows)
    assert find_leaks(data) == [] and small.simulated(unseen_rows=True).digests["split"] != data.digests["split"]
    arrays = scale_splits(data)
    assert arrays.test_unseen_features.shape == (0, 10) and arrays.test_seen_features.shape == ((45, 10) if seen_rows else (0, 10))
    options = load_config(ROOT / "configs" / "digits.py").data.stress.to_dict()
    options |= {"imbalance": 3.0, "test_imbalance": 2.0, "feature_noise": 0.1, "semantic_noise": 0.1, "unseen_classes": 2, "seen_classes": 8}
    stressed = validate(stress(data, options))
    assert (len(stressed.seen_classes), len(stressed.unseen_classes)) == (8, 2) and not len(stressed.test_unseen)
    assert validate(leave_out(data, "kind 10")).unseen_classes.tolist() == [9, 10]


def test_folds_test_rows_of_classes_that_they_hold_out():
    for fold in folds(small.simulated(seen_rows=False), 3, 0, 0.2, 0.2):
        assert len(fold.unseen_classes) == 2 and len(fold.test_unseen) == 30 and len(fold.test_seen) > 0
