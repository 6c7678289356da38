"""The final classifier in the embedding of D3's student: what it sees, where it is refused, and a run that has it."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rich.console import Console

from configs import digits
from d3gzsl_jax.config import check
from d3gzsl_jax.distillation.student_rows import StudentRows
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.frameworks.final_classifier import FinalClassifier
from d3gzsl_jax.frameworks.registry import FRAMEWORKS
from d3gzsl_jax.frameworks.softmax import SoftmaxTraining
from d3gzsl_jax.keys import stream
from d3gzsl_jax.runs.display import Display
from d3gzsl_jax.runs.model import load_model
from d3gzsl_jax.studies.start import train_on
from tests import small


def final_of(objective, rows):
    softmax = SoftmaxTraining(classes=12, epochs=2, batch_size=25)
    return FinalClassifier(rows, objective.framework.softmax(softmax), n_syn=3)


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_it_sees_what_the_student_sees(framework):
    p = small.problem(framework=framework)
    objective, params, classes, key = p.objective, p.state.params, p.constants.classes, jax.random.key(1)
    final = final_of(objective, StudentRows.of(objective))
    real, labels = p.constants.rows.features, p.constants.rows.labels
    rows, of_rows = final.rows(params, key, classes, real, labels)
    assert rows.shape[1] == 14 and len(rows) == len(of_rows)
    count = len(rows) - len(classes.unseen) * 3
    if not objective.framework.real_rows_per_class:
        np.testing.assert_allclose(rows[:count], objective.embed(params, real), atol=1e-5)
    # The same synthesized features as the method's own, embedded.
    base, draws = objective.framework, {}
    noise_key = jax.random.fold_in(stream(key, "noise"), classes.unseen[0])
    if list(base.synthesis_draws()) == ["noise"]:
        draws["noise"] = jax.random.normal(noise_key, (3, *base.synthesis_draws()["noise"].shape))
        made = base.synthesize(params, classes.semantics[classes.unseen[0]][None], draws)
        np.testing.assert_allclose(rows[count : count + 3], objective.embed(params, made), atol=1e-5)
    (fitted,) = final.fits(params, key, classes, real, labels, (2,))
    expected = final.softmax.logits(fitted, objective.embed(params, real[:5]))
    np.testing.assert_allclose(final.logits(params, fitted, real[:5]), expected, atol=1e-5)


def test_on_a_base_that_shares_its_embedding_it_is_the_bases_own():
    p = small.problem(framework="cegzsl")
    given = (p.state.params, jax.random.key(1), p.constants.classes, p.constants.rows.features, p.constants.rows.labels)
    own, students = (final_of(p.objective, rows).rows(*given)[0] for rows in (p.objective.framework, StudentRows.of(p.objective)))
    np.testing.assert_array_equal(own, students)


def test_equal_objectives_have_equal_rows():
    """So that a function of theirs is compiled once."""
    one, other = (small.problem().objective for _ in range(2))
    assert StudentRows.of(one) == StudentRows.of(other) and hash(StudentRows.of(one)) == hash(StudentRows.of(other))
    another = dataclasses.replace(one, distillation=dataclasses.replace(one.distillation, n_syn=1))
    assert StudentRows.of(one) != StudentRows.of(another)


def configured(**fields):
    found = digits.get_config(fields.pop("variant", "d3"))
    found.train.epochs, found.teacher.epochs, found.eval.every_epochs, found.classifier.epochs = 4, 2, 2, 5
    found.log.report, found.data.pipeline, found.classifier.inputs = False, "device", "student"
    found.update_from_flattened_dict({name.replace("__", "."): value for name, value in fields.items()})
    return found


@pytest.mark.parametrize(
    "fields", [{"variant": "base"}, {"distillation__weight_cls": 0.0, "distillation__weight_kl": 0.0, "eval__prediction": "classifier"}]
)
def test_without_a_student_it_is_refused(fields):
    with pytest.raises(UserError, match=r"config\.classifier\.inputs='student': needs D3's student.*give 'method'"):
        check.check(configured(**fields))


@pytest.mark.slow
def test_a_run_predicts_in_it_from_folds_to_added_classes(data, tmp_path):
    fields = {"eval__selection": "validation", "eval__prediction": "classifier"}
    results = train_on(data, configured(**fields), str(tmp_path / "run"), Display(Console(quiet=True)))
    model, rows = load_model(tmp_path / "run"), np.concatenate([data.test_seen, data.test_unseen])
    found = np.asarray(model.predict(data.features[rows]).classes)[:, 0]
    of_class = [(found == data.labels[rows])[data.labels[rows] == label].mean() for label in data.unseen_classes]
    assert np.mean(of_class) == pytest.approx(results["metrics"]["unseen"])
    added = model.add_classes(np.full((1, model.semantics.shape[1]), 0.5, np.float32), ("new",), data)
    assert added.prediction == "classifier" and added.predict(data.features[rows[:3]], len(added.class_names)).classes.shape == (3, 11)


@pytest.mark.slow
def test_training_and_the_student_are_as_without_it(data, tmp_path):
    display = Display(Console(quiet=True))
    runs = {name: train_on(data, configured(classifier__inputs=name), str(tmp_path / name), display) for name in ("student", "method")}
    for one, other in zip(*(jax.tree.leaves(load_model(tmp_path / name).params) for name in runs), strict=True):
        np.testing.assert_array_equal(one, other)
    student, method = (of["predictions"] for of in runs.values())
    assert student["student"]["metrics"] == method["student"]["metrics"]
    assert student["classifier"]["metrics"] != method["classifier"]["metrics"]


@pytest.mark.slow
def test_the_fitted_classifier_learns_in_it():
    """One bright embedding dimension a class, of an embedding that is the identity: every real row is told."""
    p = small.problem()
    classes = p.constants.classes
    objective, labels = p.objective, p.constants.rows.labels
    embedding = jax.tree.map(jnp.zeros_like, p.state.params["student_embedding"])
    embedding["params"]["linear"]["kernel"] = jnp.eye(30, 14)
    params = p.state.params | {"student_embedding": embedding}
    final = dataclasses.replace(
        final_of(objective, StudentRows.of(objective)),
        softmax=SoftmaxTraining(classes=12, epochs=60, batch_size=25, learning_rate=1e-2),
    )
    rows = 5.0 * jnp.eye(12, 30)[labels]
    fitted = final.fit(params, jax.random.key(0), classes, rows, labels)
    assert (jnp.argmax(final.logits(params, fitted, rows), axis=1) == labels).mean() == 1.0
