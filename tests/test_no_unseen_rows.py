"""A benchmark whose unseen classes have semantics alone: trained, validated on folds, reported, predicted with, and put in tables."""

import dataclasses
import json

import numpy as np
import pytest

from d3gzsl_jax import api as d3
from d3gzsl_jax import main as program
from d3gzsl_jax.data.digits import read_digits
from d3gzsl_jax.runs.display import percent
from tests.conftest import ROOT
from tests.runs.test_model import QUICK

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("error::RuntimeWarning")]

UNKNOWN = ("unseen", "harmonic", "zsl", "ausuc")
FIELDS = QUICK | {"train.epochs": 2, "classifier.epochs": 5, "log.report": True}
VALIDATED = FIELDS | {"eval.selection": "validation", "eval.prediction": "auto", "eval.folds": 2}


def without(*roles):
    data = read_digits()
    changes = {f"test_{role}": np.zeros(0) for role in roles}
    return d3.validate(dataclasses.replace(data, declared_unseen=data.unseen_classes, **changes))


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory):
    """As a file, in which nothing is said of test_unseen."""
    path = tmp_path_factory.mktemp("data") / "own.npz"
    d3.write_npz(path, without("unseen"))
    with np.load(path) as found:
        arrays = {name: found[name] for name in found if name != "test_unseen"}
    np.savez(path, **arrays)
    return path


@pytest.fixture(scope="module")
def run(benchmark, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "own"
    fields = VALIDATED | {"dataset": "own", "data.root": str(benchmark), "data.source": "npz"}
    return d3.train(d3.load_config(ROOT / "configs" / "digits.py", fields), workdir=folder, overrides=fields)


def test_the_folds_figures_stand_in_place_of_what_is_unknown(run):
    results = json.loads((run.folder / "results.json").read_text())
    assert results["concluded"] and results["selection"] == "validation" and results["test_selected"] is None
    for found in (results, *results["predictions"].values()):
        assert all(found["metrics"][name] is None for name in UNKNOWN) and 0 <= found["metrics"]["seen"] <= 1
        assert all(0 <= found["validation"]["metrics"][name] <= 1 for name in (*UNKNOWN, "seen", "calibrated"))
        assert found["calibrated"]["gamma"] == found["validation"]["gamma"] and found["calibrated"]["unseen"] is None
        assert found["calibrated"]["seen"] is not None
    assert not any("of unseen classes there are semantics alone" in told for told in results["warnings"])  # the folds measure it
    assert results["teacher"]["auroc"] is None and results["teacher"]["seen_accuracy"] > 0.5
    assert results["details"]["generator"] == {}
    assert "U unknown, no test rows of unseen classes, S " in repr(run) and "; folds: U " in repr(run)


def test_the_page_says_so(run):
    page = (run.folder / "report.html").read_text()
    head = page[: page.index("</header>")]
    folds, seen = run.results["validation"]["metrics"], run.results["metrics"]["seen"]
    for name, key in (("U", "unseen"), ("S", "seen"), ("H", "harmonic"), ("T1", "zsl"), ("AUSUC", "ausuc")):
        assert f"<b>{percent(folds[key])}</b><span>{name}, folds</span>" in head
    assert f"<b>{percent(seen)}</b><span>S, test rows</span>" in head
    assert "U, H, T1 and AUSUC are unknown: the data has no test rows of unseen classes." in head
    assert "means over 2 folds inside trainval, with seen classes held out as if they were unseen" in head
    assert "On the folds H is " in head and "chance, folds" in head and "nan" not in page.lower().replace("nano", "")


@pytest.mark.parametrize("arguments", [["table"], ["table", "--calibrated"], ["report"]], ids=str)
def test_tables_and_pages_are_made_of_it(arguments, run, capsys):
    capsys.readouterr()
    assert program.main([*arguments, str(run.folder)]) == 0
    said = capsys.readouterr().out
    assert "nan" not in said
    if arguments[0] == "table":
        of = run.results["predictions"]["classifier"]["validation"]["metrics"]
        (row,) = (line for line in said.splitlines() if "| classifier, folds |" in line)
        assert percent(of["unseen"]) in row and percent(of["harmonic"]) in row
        assert "there are no test rows of unseen classes, so that U, H, T1 and AUSUC of test rows are unknown" in said


def test_it_is_evaluated_predicted_with_and_grown(run, benchmark, tmp_path, capsys):
    capsys.readouterr()
    assert program.main(["evaluate", f"--workdir={run.folder}"]) == 0
    said = capsys.readouterr().out
    assert "folds (" in said and "U, H, T1 and AUSUC are unknown" in said
    step = run.results["steps"]
    again = json.loads((run.folder / f"evaluation-{step}.json").read_text())
    for name, found in run.results["predictions"].items():
        assert again["predictions"][name]["metrics"]["seen"] == found["metrics"]["seen"]
    with np.load(benchmark) as arrays:
        rows = arrays["features"][:20]
    np.save(tmp_path / "rows.npy", rows)
    np.savez(tmp_path / "new.npz", semantics=arrays_of_new(benchmark), names=np.array(["ten"]))
    assert program.main(["predict", f"--workdir={run.folder}", f"--input={tmp_path / 'rows.npy'}", f"--output={tmp_path / 'c.csv'}"]) == 0
    assert len((tmp_path / "c.csv").read_text().splitlines()) == 21
    assert program.main(["synthesize", f"--workdir={run.folder}", f"--output={tmp_path / 'made.npz'}", "--count=3"]) == 0
    given = [f"--workdir={run.folder}", f"--semantics={tmp_path / 'new.npz'}", f"--output={tmp_path / 'grown'}"]
    assert program.main(["add-classes", *given]) == 0


def arrays_of_new(benchmark):
    with np.load(benchmark) as arrays:
        return arrays["semantics"].mean(axis=0, keepdims=True)


def test_a_run_without_test_rows_ends_well_and_says_what_to_set(tmp_path, capsys):
    run = d3.train(d3.load_config(ROOT / "configs" / "digits.py", FIELDS), without("seen", "unseen"), tmp_path / "run")
    said = capsys.readouterr().out
    told = "U, S, H, T1 and AUSUC are unknown: the data has no test rows, neither of unseen nor of seen classes."
    assert told in said and "Set config.eval.selection=validation" in said
    assert all(value is None for value in json.loads((run.folder / "results.json").read_text())["metrics"].values())
    assert run.model.predict(without().features[:2]).classes.shape == (2, 1)
    page = (run.folder / "report.html").read_text()
    assert told in page and "Set config.eval.selection=validation" in page


def test_without_any_test_row_folds_are_all_there_is(tmp_path, capsys):
    fields = VALIDATED | {"eval.folds": 1, "eval.prediction": "student", "classifier.fit": "never"}
    run = d3.train(d3.load_config(ROOT / "configs" / "digits.py", fields), without("seen", "unseen"), tmp_path / "run")
    said = capsys.readouterr().out
    assert "looked at once" not in said and "figures called folds: of one fold inside trainval" in said
    page = (run.folder / "report.html").read_text()
    assert "H, folds" in page and "S, test rows" not in page


@pytest.mark.parametrize(
    "fields", [{"eval.selection": "test"}, *({"checkpoint.best": f"test_{of}"} for of in ("harmonic", "unseen", "zsl"))], ids=str
)
def test_what_picks_by_unknown_figures_is_refused(fields, tmp_path):
    with pytest.raises(d3.UserError, match=r"no test_unseen rows"):
        d3.train(d3.load_config(ROOT / "configs" / "digits.py", fields), without("unseen"), tmp_path / "run")
    assert not list(tmp_path.glob("run/*"))
