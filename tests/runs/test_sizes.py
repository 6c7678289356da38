"""What is chosen by the size of the data, and what was given by hand and stays."""

import dataclasses

import numpy as np
import pytest

from configs import digits, own
from d3gzsl_jax import convert
from d3gzsl_jax.runs import sizes
from d3gzsl_jax.runs.display import Display


def test_every_zero_is_replaced_and_nothing_else(data):
    found = sizes.chosen(own.get_config(), data)
    assert found.networks.generator_hidden == found.networks.critic_hidden == found.networks.embedding == 64  # 64 grey values
    assert found.train.batch_size == found.teacher.batch_size == 64 and found.eval.folds == 4
    assert not sizes.leaves_open(found) and sizes.leaves_open(own.get_config())
    given = digits.get_config()
    assert not sizes.leaves_open(given) and sizes.chosen(given, data).to_dict() == given.to_dict()


def test_a_batch_fits_the_smallest_fold(data):
    fold = dataclasses.replace(data, trainval=data.trainval[:17])
    assert sizes.chosen(own.get_config(), data, [fold]).train.batch_size == 17


def test_whoever_makes_a_run_counts_the_rows_of_its_folds(data, tmp_path, monkeypatch):
    """So a run that is made of PyTorch's weights is the one that is trained by the same configuration."""
    few = dataclasses.replace(data, trainval=np.concatenate([np.flatnonzero(data.labels == c)[:8] for c in data.seen_classes]))
    config = own.get_config("wgan")
    config.networks.generator_hidden = config.networks.critic_hidden = config.networks.embedding = 8
    found = sizes.sized(config, few)
    assert found.train.batch_size == min(len(fold.trainval) for fold in sizes.folds_of(found, few)) < len(few.trainval)
    config.eval.selection, config.eval.baselines, config.eval.prediction = "last", "", "student"
    assert sizes.sized(config, few).train.batch_size == len(few.trainval)  # there are no folds

    class Built(Exception):
        pass

    def build(config, data):
        raise Built(config)

    monkeypatch.setattr(convert, "load", lambda *given: few)
    monkeypatch.setattr(convert.model_module, "build", build)
    with pytest.raises(Built) as made:
        convert.write_run("w.npz", {}, own.get_config("wgan"), tmp_path / "run", Display(quiet=True))
    assert made.value.args[0].train.batch_size == found.train.batch_size


def test_widths_grow_with_the_dimensions_up_to_a_limit(data):
    wide = dataclasses.replace(data, features=data.features.repeat(10, axis=1))
    found = sizes.chosen(own.get_config(), wide)
    assert (found.networks.generator_hidden, found.networks.embedding) == (512, 512)
    semantic = dataclasses.replace(data, semantics=data.semantics.repeat(7, axis=1))  # 147 dimensions
    found = sizes.chosen(own.get_config(), semantic)
    assert (found.networks.generator_hidden, found.networks.embedding) == (256, 64)


def test_few_classes_have_more_folds():
    assert [sizes.fold_count(seen) for seen in (3, 12, 13, 41, 500)] == [4, 4, 3, 2, 1]
