import json

import numpy as np
import pytest

from d3gzsl_jax import main as program
from d3gzsl_jax.baselines.eszsl import ESZSL
from d3gzsl_jax.studies.baselines import harness, study
from d3gzsl_jax.system import compile_cache
from tests.conftest import ROOT


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.setitem(harness.BASELINES, "eszsl", ESZSL(exponents=(0, 1)))
    path = tmp_path / "quick.py"
    path.write_text(
        "from configs import digits\n"
        "def get_config():\n"
        "    config = digits.get_config()\n"
        "    config.train.epochs = config.teacher.epochs = 1\n"
        "    config.data.pipeline = 'device'\n"
        "    return config\n"
    )
    return str(path)


def test_results_are_written_once_and_tabled(config, tmp_path, capsys):
    command = ["--config", config, "--seeds", "2", "--baselines", "eszsl", "--output", str(tmp_path / "out")]
    assert program.main(["baselines", *command]) == 0
    out = capsys.readouterr().out
    path = tmp_path / "out" / "eszsl" / "seed-1" / "results.json"
    results, before = json.loads(path.read_text()), path.stat().st_mtime_ns
    assert results["config"]["eval"]["fold_classes"] == 0.3 and results["config"]["data"]["source"] == "digits"
    assert f"{100 * results['metrics']['harmonic']:.1f} ± 0.0" in out
    assert f"{100 * results['predictions']['eszsl']['calibrated']['harmonic']:.1f} ± 0.0" in out
    assert program.main(["baselines", *command]) == 0
    assert path.stat().st_mtime_ns == before and capsys.readouterr().out == out
    assert program.main(["table", str(tmp_path / "out"), "--calibrated"]) == 0
    assert "eszsl" in capsys.readouterr().out
    assert program.main(["baselines", *command, "--set", "eval.fold_seed=3"]) == 2
    assert "config.eval.fold_seed=0, not 3" in capsys.readouterr().err
    assert program.main(["baselines", *command, "--set", "data.normalize_semantics=True"]) == 2
    assert "another baseline, seed or data" in capsys.readouterr().err


def test_figures_at_gamma_stand_where_those_with_calibration_stand(config, tmp_path, capsys):
    """config.eval.calibration=folds, with which results hold what is at gamma first: the table is the same."""
    calibrated = ["--set", "eval.selection=validation", "--set", "eval.calibration=folds"]
    printed = []
    for name, further in (("plain", []), ("at-gamma", calibrated)):
        command = ["--config", config, "--seeds", "1", "--baselines", "eszsl", "--output", str(tmp_path / name)]
        assert program.main(["baselines", *command, *further]) == 0
        printed.append(capsys.readouterr().out)
    assert printed[0] == printed[1] and "—" not in printed[0]
    found = json.loads((tmp_path / "at-gamma" / "eszsl" / "seed-0" / "results.json").read_text())
    assert found["metrics"]["harmonic"] == found["predictions"]["eszsl"]["calibrated"]["harmonic"]
    # The one does not pass for the other.
    assert program.main(["baselines", *command]) == 2
    assert "holds results of config.eval.calibration='folds', not none; name another --output" in capsys.readouterr().err
    command[-1] = str(tmp_path / "folds-only")
    assert program.main(["baselines", *command, *calibrated, "--set", "eval.retrain=False"]) == 0
    assert "H without and with calibration: eszsl —, " in capsys.readouterr().out


@pytest.mark.slow
def test_the_same_networks_without_synthesis(config, tmp_path, capsys):
    command = ["--config", config, "--seeds", "1", "--baselines", "no_synthesis,eszsl", "--output", str(tmp_path / "out")]
    assert program.main(["baselines", *command]) == 0
    results = json.loads((tmp_path / "out" / "no_synthesis" / "seed-0" / "results.json").read_text())
    assert results["config"]["distillation"]["n_syn"] == 0 and results["selection"] == "validation"
    assert list(results["predictions"]) == ["student"]
    assert "no_synthesis" in capsys.readouterr().out


@pytest.mark.slow
def test_no_test_row_is_looked_at_where_none_may_be(config, tmp_path, capsys):
    command = ["--config", config, "--seeds", "1", "--baselines", "eszsl,no_synthesis", "--output", str(tmp_path / "out")]
    command += ["--set", "eval.selection=validation"]
    folds_only = [*command, "--set", "eval.retrain=False"]
    for _ in range(2):
        assert program.main(["baselines", *folds_only]) == 0
        printed = " ".join(capsys.readouterr().out.split())  # a title may be broken into lines
        assert "no test row was looked at" in printed
        for name in ("eszsl", "no_synthesis"):
            results = json.loads((tmp_path / "out" / name / "seed-0" / "results.json").read_text())
            assert results["selection"] == "folds only"
            assert f"{100 * results['metrics']['harmonic']:.1f}" in printed
            assert f"{100 * results['metrics']['calibrated']:.1f}" in printed
    assert program.main(["baselines", *command]) == 0
    for name in ("eszsl", "no_synthesis"):
        assert json.loads((tmp_path / "out" / name / "seed-0" / "results.json").read_text())["selection"] == "validation"
    assert program.main(["baselines", *folds_only]) == 2
    assert "out/eszsl/seed-0: holds figures of the test rows" in capsys.readouterr().err


@pytest.mark.parametrize("wished", [True, False])
def test_compiled_programs_are_kept_as_configured(config, wished, monkeypatch):
    chosen = []
    monkeypatch.setattr(compile_cache, "use", chosen.append)
    monkeypatch.setattr(study, "run", lambda *_: None)
    assert program.main(["baselines", "--config", config, "--set", f"compile_cache={wished}"]) == 0
    assert chosen == [wished]


def test_the_table_has_mean_and_spread_of_each_figure():
    def of(harmonic, gamma):
        metrics = {"unseen": 0.1, "seen": 0.2, "harmonic": harmonic, "zsl": 0.3, "ausuc": None}
        calibrated = {"gamma": gamma, "unseen": 0.4, "seen": 0.5, "harmonic": harmonic + 0.2}
        return {"prediction": "one", "metrics": metrics, "predictions": {"one": {"calibrated": calibrated}}}

    table = study.table_of("title", {"one": [of(0.1, 1.0), of(0.3, 2.0)]})
    spread = f"{100 * np.std([0.1, 0.3], ddof=1):.1f}"
    assert [cell.text for cell in table.rows[0]] == [
        "one", "2", "10.0 ± 0.0", "20.0 ± 0.0", f"20.0 ± {spread}", "30.0 ± 0.0", "—", "40.0 ± 0.0", "50.0 ± 0.0",
        f"40.0 ± {spread}",
    ]  # fmt: skip
    # Of one seed nothing is known of the spread.
    (row,) = study.table_of("title", {"one": [of(0.1, 1.0)]}).rows
    assert [cell.text for cell in row] == ["one", "1", "10.0", "20.0", "10.0", "30.0", "—", "40.0", "50.0", "30.0"]


def test_what_is_refused(config, capsys):
    assert program.main(["baselines", "--config", str(ROOT / "configs" / "none.py")]) == 2
    assert program.main(["baselines", "--config", config, "--baselines", "sze"]) == 2
    assert "--baselines sze: expected some of eszsl, regressor, class_norm, no_synthesis" in capsys.readouterr().err
    assert program.main(["baselines", "--config", config, "--seeds", "0"]) == 2
    assert program.main(["baselines", "--config", config + ":base", "--baselines", "no_synthesis"]) == 2
    capsys.readouterr()
    assert program.main(["baselines", "--config", config, "--baselines", ""]) == 2
    assert "--baselines names none; give some of eszsl, regressor" in capsys.readouterr().err
    assert program.main(["baselines", "--config", config, "--set", "seed=3"]) == 2
    assert "--set seed=3: every run is made with seeds 0, 1, ..." in capsys.readouterr().err
    assert program.main(["baselines", "--config", config, "--set", "data.leave_out=12"]) == 2
    assert "there is no class 12" in capsys.readouterr().err
