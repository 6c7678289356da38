"""Data that a caller has is trained on as the same data in a file would be, or is refused."""

import dataclasses

import numpy as np
import pytest

from d3gzsl_jax import api as d3
from d3gzsl_jax.data.load import at_hand, load
from d3gzsl_jax.runs.resume import digest
from tests import small
from tests.conftest import ROOT


def config_of(**fields):
    return d3.load_config(ROOT / "configs" / "digits.py", {name.replace("__", "."): value for name, value in fields.items()})


def own(**changes):
    """Data that was never in a file, with semantics of no length in particular."""
    return dataclasses.replace(small.simulated(unseen_rows=True), **changes)


@pytest.mark.parametrize("normalizes", [True, False])
def test_it_is_as_the_same_data_in_a_file(tmp_path, normalizes):
    d3.write_npz(tmp_path / "own.npz", own())
    config = config_of(data__source="npz", data__root=str(tmp_path / "own.npz"), data__normalize_semantics=normalizes).data
    loaded, given = load("own", config), at_hand(own(provenance={}), config)
    assert digest(loaded) == digest(given) and given.provenance["normalized"] == normalizes
    lengths = np.linalg.norm(given.semantics, axis=1)
    assert np.allclose(lengths, 1) == normalizes
    assert digest(at_hand(loaded, config)) == digest(loaded)  # nothing is done twice


def test_data_that_was_loaded_so_keeps_its_bits():
    for fields in ({}, {"data__leave_out": "9"}, {"data__unseen_classes": "unseen"}, {"data__stress__imbalance": 3.0, "data__stress__seed": 4}):
        config = config_of(**fields)
        data = d3.load_data(config)
        assert digest(at_hand(data, config.data)) == digest(data)


def test_a_seed_of_no_stress_means_nothing():
    assert at_hand(d3.load_data(config_of()), config_of(data__stress__seed=3).data)


@pytest.mark.parametrize(
    "fields",
    [
        {"data__leave_out": "9"}, {"data__unseen_classes": "8"}, {"data__representation_file": "r.npy"}, {"data__stress__imbalance": 3.0},
        {"data__stress__seen_classes": 3}, {"data__stress__feature_noise": 0.1, "data__stress__seed": 4},
    ],
)  # fmt: skip
def test_what_was_not_done_to_it_is_refused(fields, tmp_path):
    field = next(iter(fields)).replace("__", ".")
    with pytest.raises(d3.UserError, match=rf"^config\.{field}=.*the data that is given was made with .*load_data") as error:
        d3.train(config_of(**fields), d3.load_data(config_of()), tmp_path / "run")
    assert "\n" not in str(error.value) and not (tmp_path / "run").exists()


@pytest.mark.parametrize("fields", [
    {"data__leave_out": "9"}, {"data__stress__imbalance": 3.0}, {"data__stress__imbalance": 3.0, "data__stress__seed": 4},
])  # fmt: skip
def test_what_was_done_to_it_is_to_be_in_the_configuration(fields):
    other = config_of(**{"data__stress__imbalance": 3.0} if "data__stress__seed" in fields else {})
    with pytest.raises(d3.UserError, match=rf"^config\.{list(fields)[-1].replace('__', '.')}=.*was made with"):
        at_hand(d3.load_data(config_of(**fields)), other.data)
    with pytest.raises(d3.UserError, match=r"^config\.data\.normalize_semantics=False: .* were normalised"):
        at_hand(d3.load_data(config_of(data__normalize_semantics=True)), config_of().data)


def test_it_is_validated(tmp_path):
    data = own()
    for changes, message in (
        ({"test_seen": data.trainval[:3]}, "trainval"), ({"features": data.features[:-1]}, "one label per row"),
        ({"trainval": np.array([10**6])}, "trainval"),
    ):  # fmt: skip
        with pytest.raises(d3.UserError, match=message):
            d3.train(config_of(), dataclasses.replace(data, **changes), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_new_classes_of_a_model_are_as_its_own(tmp_path):
    """Semantics of the classes it was trained on and of those it learns later are brought to one length alike."""
    data = own(provenance={})
    fields = {"train__epochs": 1, "teacher__epochs": 1, "classifier__epochs": 1, "log__report": False, "data__normalize_semantics": True}
    run = d3.train(config_of(**fields), data, tmp_path / "run")
    grown = run.model.add_classes(data.semantics[:1] * 3 + 0.5, ("new",), data)
    np.testing.assert_allclose(np.linalg.norm(grown.semantics, axis=1), 1, rtol=1e-6)
    assert run.results["features"] == ""
