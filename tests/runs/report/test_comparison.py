"""What a run's page shows beside it: chance, and runs found around its folder."""

import json

import pytest

from d3gzsl_jax.runs.report import texts
from d3gzsl_jax.runs.report.comparison import chance, chance_of_folds, references
from d3gzsl_jax.runs.report.record import Recorded
from d3gzsl_jax.runs.report.write import write_page
from tests.runs.report.test_report import CONFIG, metrics, record, results

DIGESTS = {"features": "f", "semantics": "a", "split": "s"}


def of_run(**changes):
    return results() | {"digests": DIGESTS, "classes": {"seen": [0, 2, 3], "unseen": [1, 4]}, "selection": "last", "seed": 1} | changes


def other(folder, **changes):
    """results.json of another run in `folder`."""
    found = {"framework": "wgan", "distillation": False, "seed": 1, "prediction": "classifier", "metrics": metrics(0.25, 0.5)}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "results.json").write_text(json.dumps(of_run(**found) | changes))
    return folder


def baseline(folder, name="eszsl", **changes):
    return other(folder, **{"framework": name, "prediction": name, "selection": "validation"} | changes)


def found(folder):
    return [(one.name, one.seed, one.source) for one in references(folder, Recorded.read(folder))]


def test_chance_follows_from_the_numbers_of_classes(tmp_path):
    run = Recorded.read(record(tmp_path, results=of_run(metrics=metrics(0.5, 0.75) | {"ausuc": 0.5})))
    assert chance(run) == pytest.approx({"unseen": 1 / 5, "seen": 1 / 5, "harmonic": 1 / 5, "zsl": 1 / 2, "ausuc": 1 / 12})
    plain = {"unseen": 0.5, "seen": None, "harmonic": None, "zsl": 0.5, "ausuc": None}
    assert chance(Recorded.read(record(tmp_path, results=of_run(metrics=plain)))) == {
        "unseen": 1 / 5, "seen": None, "harmonic": None, "zsl": 1 / 2, "ausuc": None
    }  # fmt: skip
    for unknown in ({"selection": "folds only"}, {"classes": None}, {"classes": {"seen": [1], "unseen": []}}):
        assert chance(Recorded.read(record(tmp_path, results=of_run(**unknown)))) is None


def test_baselines_inside_the_folder_the_base_beside_it_and_cells_of_its_study(tmp_path):
    folder = record(tmp_path / "study" / "full" / "seed-1", results=of_run())
    baseline(folder / "baselines" / "eszsl" / "seed-1")
    baseline(tmp_path / "study" / "regressor" / "seed-0", "regressor", seed=0)
    baseline(tmp_path / "study" / "regressor" / "seed-1", "regressor")
    other(tmp_path / "study" / "base" / "seed-1")
    assert found(folder) == [("wgan", 1, "base/seed-1"), ("eszsl", 1, "eszsl/seed-1"), ("regressor", 1, "regressor/seed-1")]
    text = write_page(folder).read_text()
    assert "<td>WGAN-GP without D3, seed 1</td><td class=n>25.0</td>" in text and "ESZSL, seed 1" in text
    assert "H is 26.7 above WGAN-GP without D3" in text and texts.NO_BASELINE not in text


def test_what_is_of_other_data_or_another_rule_is_not_compared_with(tmp_path):
    folder = record(tmp_path / "one", results=of_run())
    for place, changes in enumerate([
        {"digests": DIGESTS | {"split": "t"}}, {"selection": "test"}, {"framework": "cegzsl"}, {"interrupted": True}, {"concluded": False},
        {"distillation": True}, {"seed": None}, {"metrics": None},
    ]):  # fmt: skip
        other(tmp_path / f"other-{place}", **changes)
    baseline(tmp_path / "folds", selection="folds only")
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "results.json").write_text("{")
    assert found(folder) == []
    assert "No baseline was run: d3gzsl baselines" in write_page(folder).read_text()


def test_of_several_the_one_with_the_seed_and_the_settings_of_the_run(tmp_path):
    folder = record(tmp_path / "one", results=of_run())
    other(tmp_path / "a", seed=2, config={"train": {"epochs": 3}})
    other(tmp_path / "b", config={"train": {"epochs": 9}})
    other(tmp_path / "c", config={"train": {"epochs": 3}})
    assert found(folder) == [("wgan", 1, f"{tmp_path.name}/c")]


def test_a_base_run_is_not_compared_with_itself(tmp_path):
    folder = record(tmp_path / "one", results=of_run(distillation=False))
    other(tmp_path / "two")
    assert found(folder) == []


def of_unseen_words(gamma=0.5, **fold_fields):
    """results.json of a run on data without test rows of unseen classes."""
    unknown = {"unseen": None, "seen": 0.75, "harmonic": None, "zsl": None, "ausuc": None}
    folds = {"epoch": 3, "gamma": gamma, "metrics": metrics(0.5, 0.5) | {"ausuc": 0.2}}
    config = {"eval": {"folds": 2, "fold_classes": 0.25, "fold_rows": 0.2, "fold_seed": 0} | fold_fields}
    entry = {"metrics": unknown, "selection": "validation", "validation": folds}
    return {"metrics": unknown, "validation": folds, "selection": "validation", "config": config} | {"predictions": {"student": entry}}


def test_without_test_rows_of_unseen_classes_folds_are_compared(tmp_path):
    own = of_unseen_words() | {"prediction": "student"}
    folder = record(tmp_path / "run", results=of_run(**own), config=CONFIG | own["config"], diagnostics=None, lines=[])
    run = Recorded.read(folder)
    assert chance_of_folds(run) == pytest.approx({"unseen": 1 / 3, "seen": 1 / 3, "harmonic": 1 / 3, "zsl": 1, "ausuc": 1 / 4})
    baseline(folder / "baselines" / "eszsl" / "seed-1", **(of_unseen_words() | {"metrics": own["metrics"]}))
    baseline(folder / "baselines" / "regressor" / "seed-1", "regressor", **of_unseen_words(fold_seed=3))
    assert [one.folds is not None for one in references(folder, run)] == [True, False]  # the other's folds are other ones
    text = write_page(folder).read_text()
    head = text[: text.index("</header>")]
    assert "<b>50.0</b><span>H, folds</span>" in head and "<b>75.0</b><span>S, test rows</span>" in head
    assert "ESZSL, seed 1, folds" in head and "linear regressor, seed 1, folds" not in head
    assert "On the folds H is equal to ESZSL; one run each" in head
    assert "U, H, T1 and AUSUC are unknown: the data has no test rows of unseen classes." in head
