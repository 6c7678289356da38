"""Studies have folders of their own: that of a run stays as it is."""

import json

import pytest

from d3gzsl_jax import main as program
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.studies import options

CONFIG = json.dumps({"dataset": "digits", "seed": 0, "data": {}})
RESULTS = json.dumps({"dataset": "digits", "framework": "wgan"})
STUDIES = {
    "ablate": ["ablate", "--config=digits", "--preset=components"], "search": ["search", "--config=digits"],
    "baselines": ["baselines", "--config=digits"],
}  # fmt: skip


def write(path, content):
    path.parent.mkdir(parents=True)
    path.write_text(content)


@pytest.fixture
def runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "one" / "config.json", CONFIG)
    write(tmp_path / "baseline" / "results.json", RESULTS)
    write(tmp_path / "five" / "seed-0" / "config.json", CONFIG)
    write(tmp_path / "folds" / "validation" / "fold-0" / "config.json", CONFIG)
    (tmp_path / "link").symlink_to("one")
    return tmp_path


@pytest.mark.parametrize("study", STUDIES)
@pytest.mark.parametrize(
    ("place", "told"),
    [
        ("one", "is the folder of a run"), ("baseline", "is the folder of a run"), ("five", "is the folder of a run"),
        ("folds", "is the folder of a run"), ("five/seed-0", "is the folder of a run"), ("link", "is the folder of a run"),
        ("one/new/deep", "lies in {}/one, the folder of a run"), ("link/new", "lies in {}/link, the folder of a run"),
    ],
)  # fmt: skip
def test_a_study_in_the_folder_of_a_run_is_refused(study, place, told, runs, capsys):
    before = sorted(runs.rglob("*"))
    assert program.main([*STUDIES[study], f"--output={place}"]) == 2
    expected = f"d3gzsl {study}: --output={place}: {told.format(runs)}; give another folder\n"
    assert capsys.readouterr().err == expected and sorted(runs.rglob("*")) == before


def test_the_own_folder_of_a_study_is_none_of_a_run(runs):
    for method in ("base", "seed-1"):  # as configurations may be called
        write(runs / "study" / method / "seed-0" / "config.json", CONFIG)
        with pytest.raises(UserError, match="is the folder of a run"):
            options.output_folder(f"study/{method}")
    assert str(options.output_folder("study")) == "study" and str(options.output_folder("study/more")) == "study/more"
    assert str(options.output_folder("new")) == "new"
