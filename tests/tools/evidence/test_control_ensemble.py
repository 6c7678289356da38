"""Two models together, as the control of student and classifier together."""

import types

import numpy as np
import pytest

from d3gzsl_jax.errors import UserError
from tests.tools.evidence.results import results, write
from tools.evidence import control_ensemble as control

SEEN, UNSEEN = np.array([0, 1]), np.array([2])
DATA = types.SimpleNamespace(
    features=np.arange(4)[:, None], labels=np.array([0, 1, 2, 2]), test_seen=np.array([0, 1]), test_unseen=np.array([2, 3])
)


class Model:
    """Says the same of every row: these probabilities, of classes in any order."""

    def __init__(self, *rows):
        self.rows, self.class_names, self.seen, self.unseen, self.config = np.array(rows), ("a", "b", "c"), SEEN, UNSEEN, None

    def predict(self, features, top, predictor):
        rows = self.rows[features[:, 0]]
        order = np.argsort(-rows, axis=1)[:, :top]
        return types.SimpleNamespace(classes=order, probabilities=np.take_along_axis(rows, order, axis=1))


FIRST = Model([0.5, 0.3, 0.2], [0.5, 0.3, 0.2], [0.1, 0.1, 0.8], [0.6, 0.2, 0.2])
SECOND = Model([0.6, 0.2, 0.2], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8], [0.2, 0.1, 0.7])


def test_a_model_is_measured_as_by_its_own_run():
    one = control.scored(FIRST, DATA, "classifier", 1.5)
    np.testing.assert_allclose(np.exp(one.seen), FIRST.rows[:2])
    found = control.measured(one, DATA, SEEN, UNSEEN)
    assert found["harmonic"] == pytest.approx(50.0) and found["zsl"] == pytest.approx(100.0)  # one row of two is right, seen and unseen
    assert found["calibrated"] == pytest.approx(0.0)  # gamma takes seen rows too: log(0.5 / 0.2) is less
    assert control.measured(one._replace(gamma=0.0), DATA, SEEN, UNSEEN)["calibrated"] == pytest.approx(50.0)


def test_two_together_are_the_mean_of_their_logarithms():
    both = control.together(control.scored(FIRST, DATA, "classifier", 1.0), control.scored(SECOND, DATA, "classifier", 0.0))
    np.testing.assert_allclose(both.unseen, 0.5 * np.log(FIRST.rows[2:] * SECOND.rows[2:]))
    assert both.gamma == 0.5
    assert control.measured(both, DATA, SEEN, UNSEEN)["harmonic"] == pytest.approx(100.0)  # each alone errs


def test_a_probability_of_nothing_has_a_logarithm():
    assert np.isfinite(control.scored(Model([1.0, 0.0, 0.0], *FIRST.rows[1:]), DATA, "classifier", 0.0).seen).all()


def test_runs_are_compared_by_kind(tmp_path, monkeypatch):
    models = {}
    for name, with_d3, seed, model in (("base", False, 0, FIRST), ("base", False, 1, SECOND), ("d3", True, 0, FIRST)):
        of = results("wgan", with_d3, seed, 0.5, 0.5)
        of["config"]["eval"]["ensemble"] = with_d3
        of["predictions"]["ensemble"] = of["predictions"]["classifier"]
        models[write(tmp_path / "runs" / name / str(seed), of).parent] = model
    monkeypatch.setattr(control.d3, "load_model", models.__getitem__)
    monkeypatch.setattr(control.d3, "load_data", lambda config: DATA)
    found = control.compared(tmp_path / "runs")
    assert {kind: len(of["harmonic"]) for kind, of in found.items()} == {"one": 2, "two": 1, "ensemble": 1}
    np.testing.assert_allclose(found["two"]["harmonic"], [100.0])
    rows = [[cell.text for cell in row] for row in control.table({"FLO": found}).rows]
    assert [row[2] for row in rows] == ["2", "1", "1"] and rows[1][4] == "100.0"
    for path in (tmp_path / "runs" / "base").rglob("results.json"):
        path.unlink()
    with pytest.raises(UserError, match="two seeds without D3"):
        control.compared(tmp_path / "runs")
