"""The final classifier fitted to what three networks see, on folds."""

import json

import numpy as np
import pytest
from rich.console import Console

from configs import digits
from d3gzsl_jax.distillation.student_rows import StudentRows
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs.display import Display
from d3gzsl_jax.studies.start import train
from tests import small
from tests.tools.evidence.results import results, write
from tools.evidence import embeddings, embeddings_on_test


def test_the_teachers_rows_are_its_embedding():
    p = small.problem()
    view = embeddings.TeacherRows.of(p.objective)
    rows, teacher = p.constants.rows.features[:4], p.constants.teacher
    found = view.represent(p.state.params | {"teacher": teacher}, rows)
    np.testing.assert_array_equal(found, p.objective.distillation.teacher.embed(teacher, rows))
    assert isinstance(view, StudentRows) and view != StudentRows.of(p.objective)


def test_runs_without_d3_or_folds_are_not_enough(tmp_path):
    write(tmp_path / "base", results("wgan", False, 0, 0.5, 0.5))
    write(tmp_path / "last", results("wgan", True, 0, 0.5, 0.5) | {"selection": "last"})
    with pytest.raises(UserError, match="holds no run with D3 and"):
        embeddings.compared(tmp_path)
    with pytest.raises(UserError, match="holds no run with D3 and"):
        embeddings_on_test.compared(tmp_path)


def test_differences_are_of_the_same_run():
    """Of three seeds: a teacher's embedding 2 above the features, the student's 1 above that."""
    base = np.array([60.0, 50.0, 55.0])
    of = {"method": base, "teacher": base + 2, "student": base + 3}
    kinds = {kind: {name: list(values) for name in embeddings.MEASURES} for kind, values in of.items()}
    rows = [[cell.text for cell in row] for row in embeddings_on_test.table({"FLO": {"wgan": kinds}}).rows]
    assert [row[3] for row in rows] == ["3"] * 3
    assert [row[8::2] for row in rows] == [["", ""], ["+2.0", ""], ["+3.0", "+1.0"]]


@pytest.mark.slow
def test_the_folds_of_a_run_are_compared(tmp_path):
    config = digits.get_config()
    config.train.epochs, config.teacher.epochs, config.eval.every_epochs, config.classifier.epochs = 4, 2, 2, 5
    config.log.report, config.eval.selection, config.eval.folds = False, "validation", 2
    train(config, str(tmp_path / "run"), Display(Console(quiet=True)))
    found = embeddings.compared(tmp_path)["wgan"]
    assert set(found) == set(embeddings.KINDS) and all(len(of["harmonic"]) == 2 for of in found.values())
    curves = json.loads((tmp_path / "run" / "validation.json").read_text())["curves"]
    # The last epoch's, as the run's own folds measured them.
    at = {name: [one for one in curves if one["epoch"] == 4 and one["prediction"] == name] for name in ("student", "classifier")}
    assert np.mean(found["head"]["harmonic"]) == pytest.approx(100 * at["student"][0]["metrics"]["harmonic"], abs=0.2)
    best = max(one["metrics"]["harmonic"] for one in at["classifier"])
    assert np.mean(found["method"]["harmonic"]) >= 100 * best - 0.2  # each fold's best number of epochs, not one for both
    row = [cell.text for cell in embeddings.table({"digits": {"wgan": found}}).rows[2]]
    assert row[:4] == ["digits", "WGAN-GP", "the student's embedding", "2"] and "±" in row[4]


@pytest.mark.slow
def test_on_test_rows_the_students_is_what_the_run_itself_found(tmp_path):
    config = digits.get_config()
    config.train.epochs, config.teacher.epochs, config.eval.every_epochs, config.classifier.epochs = 4, 2, 4, 5
    config.log.report, config.eval.selection, config.classifier.inputs = False, "validation", "student"
    results = train(config, str(tmp_path / "run"), Display(Console(quiet=True)))
    found = embeddings_on_test.compared(tmp_path)["wgan"]
    own = results["predictions"]["classifier"]
    for measure, value in {
        "harmonic": own["metrics"]["harmonic"], "calibrated": own["calibrated"]["harmonic"], "zsl": own["metrics"]["zsl"]
    }.items():  # fmt: skip
        assert found["student"][measure] == pytest.approx([100 * value], abs=1e-3)
