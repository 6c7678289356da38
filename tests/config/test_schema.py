"""The schema says what the modules that use a field know, and everything that reads it agrees."""

import dataclasses
import subprocess
import sys

import pytest

from configs import default
from d3gzsl_jax.config import docs, schema
from d3gzsl_jax.config.load import flat
from d3gzsl_jax.config.method_fields import TERMS
from d3gzsl_jax.data import stress
from d3gzsl_jax.distillation.terms import TERM_NAMES, Distillation
from d3gzsl_jax.evaluation.selection import CRITERIA
from d3gzsl_jax.frameworks.registry import FRAMEWORKS
from d3gzsl_jax.losses.distillation import SCORES, TARGETS, VARIANTS
from d3gzsl_jax.precision import PRECISIONS
from d3gzsl_jax.runs.display import METRICS
from tests.conftest import ROOT

WORDS = {
    "framework": tuple(FRAMEWORKS), "precision": tuple(PRECISIONS), "eval.criterion": CRITERIA,
    "distillation.variant": VARIANTS, "distillation.score": SCORES, "distillation.target": TARGETS,
    "checkpoint.best": ("", *(f"test_{metric}" for metric in METRICS.values())),
}  # fmt: skip


@pytest.mark.parametrize("field", WORDS)
def test_words_are_those_that_the_modules_know(field):
    assert schema.by_name()[field].words == WORDS[field]


def test_the_terms_and_the_stress_are_those_of_the_modules():
    assert TERMS == TERM_NAMES
    options = {field.name.rpartition(".")[2]: field.default for field in schema.options_of("data.stress")}
    assert options == stress.OFF | {"seed": 0}


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_options_of_a_framework_are_those_of_its_class(framework):
    documented = {field.name.rpartition(".")[2]: field.default for field in schema.options_of(framework)}
    made = {f.name: f.default for f in dataclasses.fields(FRAMEWORKS[framework]) if f.name not in ("sizes", "gradient_penalty_weight", "output")}
    assert documented == made
    assert schema.FRAMEWORKS[framework].first_stage == FRAMEWORKS[framework].first_stage


def test_the_options_of_d3_are_those_of_its_class():
    documented = {field.name.rpartition(".")[2] for field in schema.options_of("distillation")}
    assert documented == {f.name for f in dataclasses.fields(Distillation)} - {"teacher", "classes", "embedding_width"}


def test_every_field_is_said_once_and_in_full():
    names = [field.name for field in schema.FIELDS]
    assert len(set(names)) == len(names)
    for field in schema.FIELDS:
        assert field.meaning.endswith((".", "!)", ")")) and field.since
        number = isinstance(field.default, int | float) and not isinstance(field.default, bool)
        assert (field.low is not None) == number, field.name
        for value in (field.value(True), field.value(False)):
            assert type(value) is type(field.default) and field.problem(value) is None, field.name
    assert [field for _, _, fields in schema.groups() for field in fields] == list(schema.FIELDS)


def test_the_default_configuration_is_the_schema():
    for variant in schema.VARIANTS:
        assert dict(flat(default.get_config(variant))) == schema.defaults(variant)
    with pytest.raises(ValueError, match="unknown variant 'd4'"):
        default.get_config("d4")


def test_the_help_names_every_field():
    text = schema.help_text(80)
    assert all(f"--config.{field.name}=" in text for field in schema.FIELDS) and max(map(len, text.splitlines())) <= 80
    assert "May change when a run is resumed." in text and "more than 0 and less than 1" in text


def test_a_field_says_what_it_may_be():
    fields = schema.by_name()
    said = {name: fields[name].allowed() for name in ("train.epochs", "train.beta2", "log.report", "dataset", "checkpoint.best", "seed", "eval.fold_rows")}
    assert said == {
        "train.epochs": "a whole number, at least 1", "train.beta2": "a number, more than 0 and less than 1", "log.report": "True or False",
        "dataset": "a text", "checkpoint.best": "'', test_unseen, test_seen, test_harmonic, test_zsl",
        "seed": "a whole number, at least 0 and at most 4294967295", "eval.fold_rows": "a number, more than 0 and at most 0.9",
    }


def test_the_page_of_the_documentation_is_current():
    """Made by python -m d3gzsl_jax.config.docs > docs/configuration.md."""
    assert (ROOT / "docs" / "configuration.md").read_text() == docs.page()


def test_the_page_says_with_which_other_field_each_one_is_read():
    rows = {line.split("`")[1]: line for line in docs.page().replace("\\", "").splitlines() if line.startswith("| `")}
    said = {field.name: schema.read_beside(field) for field in schema.FIELDS if field.read_with}
    assert len(said) > 10 and said["data.feature_file"] == "Read with data.source=mat only."
    assert not [name for name, sentence in said.items() if sentence not in rows[name]]


def test_it_is_read_without_the_libraries():
    code = "import sys, d3gzsl_jax.config.schema; print(sorted({'jax', 'flax', 'ml_collections', 'absl', 'scipy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout == "[]\n"
