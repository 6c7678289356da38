"""A run is finished with everything that is due at its end, whatever happens to it there."""

import json

import pytest

from configs import digits
from d3gzsl_jax.errors import DivergenceError
from d3gzsl_jax.evaluation.predictors import Predictors
from d3gzsl_jax.runs import finish
from d3gzsl_jax.runs.checkpoints import load_arrays
from d3gzsl_jax.runs.display import Display
from d3gzsl_jax.runs.journal import Journal
from d3gzsl_jax.runs.model import TrainedModel
from d3gzsl_jax.runs.report.write import write_page
from d3gzsl_jax.studies.start import train
from d3gzsl_jax.studies.tables import command as table
from tools.robustness.kills import difference


class Killed(BaseException):
    """Stands in for kill -9: nothing of the run's own handles it."""


def started(folder, variant):
    config, said = digits.get_config(variant), []
    config.data.pipeline, config.classifier.fit, config.classifier.epochs = "device", "last", 2
    config.train.epochs, config.teacher.epochs, config.eval.every_epochs, config.checkpoint.every_minutes = 2, 2, 1, 1e3
    display = Display()
    display.say = said.append
    return train(config, str(folder), display), said


def left(folder):
    """What results.json holds, None without; nobody takes it for a finished run's."""
    path = folder / "results.json"
    if not path.exists():
        return None
    assert "stopped at its end" in table.read(path) and "not finished: stopped at its end" in write_page(folder).read_text()
    return json.loads(path.read_text())


@pytest.mark.slow
@pytest.mark.parametrize("variant", ["d3", "base"])
def test_a_start_that_ends_at_the_very_end_is_gone_on_with(tmp_path, monkeypatch, variant):
    alone, _ = started(tmp_path / "alone", variant)
    folder = tmp_path / "killed"
    moments = [
        (Predictors, "finish", DivergenceError("the final classifier broke down")), (Predictors, "finish", Killed()),
        (Journal, "explain", Killed()), (TrainedModel, "write", Killed()), (finish, "draw", Killed()),
    ]  # fmt: skip
    for owner, name, error in moments:

        def end(*_, error=error):
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(owner, name, end)
            with pytest.raises(type(error)):
                started(folder, variant)
        found = left(folder)
        if name == "finish":  # what could be evaluated before is there
            assert found is None if variant == "base" else not found["concluded"] and set(found["predictions"]) == {"student"}
        assert (folder / "model").exists() == (name == "draw") and not (folder / "plots").exists()
        (folder / "report.html").unlink(missing_ok=True)  # as `left` draws it
    results, said = started(folder, variant)
    assert any("going on from outer step 32 " in line for line in said) and results["concluded"]
    assert results["predictions"] == alone["predictions"] and results["details"] == alone["details"]
    assert difference(tmp_path / "alone", folder) is None
    page = (folder / "report.html").read_text()
    assert "finished, epoch 2 of 2" in page and "not finished" not in page
    weights = [load_arrays(path / "model" / "arrays")["classifier"]["params"]["linear"]["kernel"] for path in (folder, tmp_path / "alone")]
    assert (weights[0] == weights[1]).all()
    again, said = started(folder, variant)
    assert "finished already, 2 epochs" in said[0] and again["metrics"] == alone["metrics"]


@pytest.mark.slow
def test_a_report_that_fails_costs_no_run(tmp_path, monkeypatch):
    def fail(*_):
        raise ValueError("no colours left")

    monkeypatch.setattr(finish, "draw", fail)
    results, said = started(tmp_path / "run", "d3")
    assert results["concluded"] and any("no plots and no report (ValueError: no colours left)" in line for line in said)
    assert "finished already" in started(tmp_path / "run", "d3")[1][0]
