"""What a run is warned of before it is trained."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import pytest

from configs import default
from d3gzsl_jax.config import schema
from d3gzsl_jax.data.formats.xlsa17 import read_xlsa17
from d3gzsl_jax.data.validate import validate
from d3gzsl_jax.keys import root_key
from d3gzsl_jax.runs.run import Run
from d3gzsl_jax.runs.setup import Setup
from d3gzsl_jax.training.build import build
from d3gzsl_jax.training.sharding import Sharding


@pytest.fixture
def warned(mat_folder):
    """The warnings about fields of a run on a framework whose fields were set by hand so."""

    def of(framework, overrides):
        data, config = validate(read_xlsa17(mat_folder, "CUB")), default.get_config("base")
        config.update_from_flattened_dict({"framework": framework, "train.batch_size": 8, "teacher.batch_size": 8, "networks.generator_hidden": 7} | overrides)
        found = Setup(config, data, build(config, data), Sharding(), overrides=overrides).warnings
        return [line for line in found if line.startswith("config.")]

    return of


def test_rows_that_seeds_share_are_on_the_devices_once(mat_folder):
    class Copies(Sharding):
        def replicate(self, tree):
            return jax.tree.map(jnp.array, tree)

    data, config = validate(read_xlsa17(mat_folder, "CUB")), default.get_config("base")
    config.train.batch_size, config.data.pipeline = 8, "device"
    model, sharding = build(config, data), Copies()
    setup = Setup(config, data, model, sharding, 2)
    seeds = [SimpleNamespace(setup=setup, sharding=sharding, model=model, key=root_key(seed)) for seed in (0, 1)]
    rows = [Run.constants(of, {}).rows for of in seeds]
    assert rows[0].features is rows[1].features and rows[0].labels is rows[1].labels
    for of in seeds:
        assert of.real_rows == (rows[0].features, rows[0].labels)


D3 = {"distillation.weight_kl": 1.0}
SET = {
    "networks.noise": 9, "networks.generator_hidden": 21, "networks.critic_hidden": 22, "train.n_critic": 3,
    "train.gradient_penalty_weight": 7.0, "train.critic_factor": 1.2,
}  # fmt: skip


def test_what_cadavae_does_not_read_is_told_where_it_was_set_by_hand(warned):
    assert warned("cadavae", SET) == [
        f"config.{name}={value!r}: means nothing to cadavae; leave it out" for name, value in SET.items()
    ]


def test_what_a_file_says_is_not_told(warned):
    assert warned("cadavae", {}) == []


def test_defaults_and_what_is_read_are_not_told(warned):
    assert warned("cadavae", {"train.n_critic": 5, "train.learning_rate": 1e-3, "cadavae.latent": 8, "train.epochs": 30}) == []
    assert warned("wgan", SET) == []


def test_epochs_of_a_teacher_with_a_budget_of_updates_are_told(warned):
    (line,) = warned("wgan", D3 | {"teacher.epochs": 5, "teacher.updates": 500})
    assert line == (
        "config.teacher.epochs=5: means nothing with config.teacher.updates=500; leave it out, or give --config.teacher.updates=0"
    )
    assert warned("wgan", D3 | {"teacher.epochs": 5}) == []


OF_D3 = {
    "distillation.n_syn": 50, "distillation.variant": "described", "distillation.score": "energy", "teacher.epochs": 5,
    "teacher.threshold": -2.0, "train.student_factor": 0.5, "train.confidence_factor": 0.5,
}  # fmt: skip


def test_what_d3_alone_reads_is_told_without_it(warned):
    without = "without D3; leave it out, or give one of config.distillation.weight_cls, _od, _be, _kl a weight above 0"
    assert warned("wgan", OF_D3) == [f"config.{name}={value!r}: means nothing {without}" for name, value in OF_D3.items()]
    assert warned("wgan", D3 | OF_D3) == [] and warned("wgan", {"distillation.weight_od": 0.0}) == []
    of_teacher = {"teacher.epochs": 5, "teacher.batch_size": 16, "data.normalize_semantics": True}
    assert warned("zerodiff", of_teacher) == []  # which makes its representations


def test_what_no_part_of_the_run_reads_is_told(warned):
    never = {"classifier.fit": "never", "eval.prediction": "student", **D3}
    lines = warned("wgan", never | {"classifier.n_syn": 5, "classifier.epochs": 3})
    assert [line.partition(": means nothing to a run with config.classifier.fit='never', only to add-classes; ")[0] for line in lines] == [
        "config.classifier.n_syn=5", "config.classifier.epochs=3",
    ]  # fmt: skip
    (line,) = warned("wgan", {"parallel.seeds": 3})
    assert line == "config.parallel.seeds=3: means nothing without config.seeds; leave it out"
    assert warned("wgan", {"precision": "bfloat16"}) == []
    found = warned("wgan", {"precision": "tf32"})
    assert bool(found) == (jax.default_backend() == "cpu") and all("a CPU has no such products" in line for line in found)


READ_WITH = {
    "distillation.temperature": 2.0, "classifier.zsl_epochs": 3, "classifier.zsl_n_syn": 2, "eval.folds": 3,
    "eval.model_predicts": "best", "eval.fold_classes": 0.3, "eval.fold_rows": 0.3, "eval.fold_seed": 1, "eval.criterion": "ausuc",
    "tfvaegan.prior_feedback": "described", "data.manual_dir": "folder", "data.feature_file": "clip.h5", "data.semantics": "w2v",
}  # fmt: skip


def test_every_field_that_another_decides_about_is_told_and_is_not_where_it_is_read(warned):
    fields = schema.by_name()
    assert {name for name, field in fields.items() if field.read_with} == {*READ_WITH, "teacher.epochs"}
    for name, value in READ_WITH.items():
        other, *read = fields[name].read_with
        unread = "npz" if other == "data.source" else fields[other].default
        (line,) = warned("tfvaegan", D3 | {name: value, other: unread})
        assert line == (
            f"config.{name}={value!r}: means nothing with config.{other}={unread!r}; leave it out, or give "
            f"--config.{other}={' or '.join(map(str, read))}"
        )
        assert not any(map(fields[other].problem, read))
        assert warned("tfvaegan", D3 | {other: read[0], name: value}) == []


def test_a_term_that_a_short_run_never_has_is_told(warned):
    (line,) = warned("cadavae", {"train.epochs": 22})
    assert line.startswith("config.cadavae.cross_start=21: a run of 22 epochs ends before the weight of this term rises from 0; ")
    assert len(warned("cadavae", {"train.epochs": 7})) == 2
    (line,) = warned("cadavae", {"train.epochs": 22, "eval.selection": "validation"})
    assert line == "config.cadavae.cross_start=21: the folds chose 22 epochs, which end before the weight of this term rises from 0: " \
        "what they chose is without it"
    assert warned("cadavae", {"train.epochs": 23}) == []
    assert warned("cadavae", {"train.epochs": 22, "cadavae.cross_factor": 0.0}) == []


def test_options_of_another_method_are_told(warned):
    assert warned("wgan", {"cadavae.latent": 8, "cegzsl.projection": 31}) == [
        "config.cadavae.latent=8: means nothing to wgan; leave it out",
        "config.cegzsl.projection=31: means nothing to wgan; leave it out",
    ]
