"""Seeds, baselines, ablations and tables of data whose unseen classes have semantics alone."""

import csv
import json

import numpy as np
import pytest
from rich.console import Console

from configs import digits
from d3gzsl_jax import main as program
from d3gzsl_jax.data.formats.open_npz import write_npz
from d3gzsl_jax.runs.display import Display, percent
from d3gzsl_jax.studies.seeds import train_seeds
from tests import small

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("error::RuntimeWarning")]


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """A file of a configuration that names a file of data."""
    folder = tmp_path_factory.mktemp("own")
    write_npz(folder / "own.npz", small.simulated())
    return small.write_quick_config(
        folder, data__root=str(folder / "own.npz"), data__source="npz", dataset="own", train__epochs=1, teacher__epochs=1,
        classifier__epochs=2, train__n_critic=1, eval__selection="validation", log__report=False,
    )


def read(path):
    return json.loads(path.read_text())


def test_seeds_are_summed_up_by_their_folds(tmp_path):
    found, said = digits.get_config(), []
    found.train.epochs, found.teacher.epochs, found.classifier.epochs, found.log.report = 1, 1, 1, False
    found.seeds, found.eval.selection = (0, 1), "validation"
    display = Display(Console(quiet=True))
    display.say = said.append
    content = train_seeds(found, str(tmp_path / "seeds"), display, data=small.simulated())
    of = [read(tmp_path / "seeds" / f"seed-{seed}" / "results.json")["predictions"]["student"] for seed in (0, 1)]
    for name in ("unseen", "harmonic", "ausuc"):
        assert content["mean"]["student, folds"][name] == pytest.approx(np.mean([one["validation"]["metrics"][name] for one in of]))
        assert np.isnan(content["mean"]["student"][name])
    assert content["mean"]["student"]["seen"] == pytest.approx(np.mean([one["metrics"]["seen"] for one in of]))
    assert sum("U, H, T1 and AUSUC are unknown" in line for line in said) == 1
    assert read(tmp_path / "seeds" / "results.json")["mean"]["student"]["unseen"] is None


def test_baselines_show_folds_under_that_name_and_stand_in_a_table(config, tmp_path, capsys):
    output = tmp_path / "out"
    assert program.main(["baselines", "--config", config, "--seeds", "2", "--baselines", "eszsl", "--output", str(output)]) == 0
    printed = capsys.readouterr().out
    results = read(output / "eszsl" / "seed-0" / "results.json")
    folds = results["validation"]["metrics"]
    assert results["metrics"]["unseen"] is None and results["metrics"]["seen"] is not None and folds["unseen"] is not None
    (row,) = (line for line in printed.splitlines() if "eszsl, folds" in line)
    assert percent(folds["unseen"]) in row and percent(folds["calibrated"]) in row and "nan" not in printed
    assert program.main(["table", str(output), "--calibrated"]) == 0
    (row,) = (line for line in capsys.readouterr().out.splitlines() if "| eszsl, folds |" in line)
    assert percent(folds["harmonic"]) in row and "nan" not in row


def test_ablations_compare_on_the_folds(config, tmp_path, capsys):
    output = tmp_path / "out"
    command = ["--config", config, "--vary", "distillation.weight_od=0.0,0.1", "--seeds", "1", "--workers", "1"]
    assert program.main(["ablate", *command, "--baselines", "eszsl", "--output", str(output)]) == 0
    assert "nan" not in capsys.readouterr().out
    with (output / "ablation.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert {line["selection"] for line in lines} == {"folds only"} and len(lines) == 5
    for line in lines:
        entry = read(output / line["folder"] / "results.json")["predictions"][line["predictor"]]
        assert float(line["unseen"]) == pytest.approx(entry["validation"]["metrics"]["unseen"]) and entry["metrics"]["unseen"] is None
    text = (output / "ablation.md").read_text()
    assert "Selection `folds only`: validation alone" in text and "nan" not in text


def test_an_ablation_without_folds_says_what_it_does_not_know(config, tmp_path):
    output = tmp_path / "out"
    assert program.main(["ablate", "--config", config, "--set", "eval.selection=last", "--seeds", "1", "--workers", "1", "--output", str(output)]) == 0
    with (output / "ablation.csv").open() as file:
        assert all(line["unseen"] == line["harmonic"] == "" != line["seen"] for line in csv.DictReader(file))
    assert "nan" not in (output / "ablation.md").read_text()


def test_an_ablation_that_would_pick_by_unknown_figures_is_refused_before_anything_is_trained(config, tmp_path, capsys):
    command = ["--config", config, "--set", "eval.selection=test", "--set", "classifier.fit=every", "--output", str(tmp_path / "out")]
    assert program.main(["ablate", *command]) == 2
    said = capsys.readouterr().err
    assert "cell 'quick': config.eval.selection='test': picks by H" in said and said.count("\n") == 1 and not (tmp_path / "out").exists()
