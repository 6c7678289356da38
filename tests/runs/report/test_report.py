import ast
import json
import re
import sys

import numpy as np
import pytest

from d3gzsl_jax import main as program
from d3gzsl_jax.config import saved_config
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.evaluation import curves
from d3gzsl_jax.runs.report import figures, plots, texts
from d3gzsl_jax.runs.report.record import Recorded
from d3gzsl_jax.runs.report.write import write_page

pytestmark = pytest.mark.slow

SEEN, UNSEEN = [0, 2, 3], [1, 4]
NAMES = ["ant", "<b>&amp; bee", "$cat", "dog_\\frac{$", "蛾 \n eel"]


def metrics(u, s, t1=0.5):
    return {"unseen": u, "seen": s, "harmonic": None if u is None else 2 * u * s / (u + s), "zsl": t1}


def one_line(epoch, **changes):
    return {
        "epoch": epoch, "step": 7 * epoch, "metrics": metrics(0.4, 0.6),
        "predictions": {"student": metrics(0.3 + 0.01 * epoch, 0.6)},
        "losses": {"critic": {"wasserstein": 1 / epoch, "kl": 10.0**-epoch, "loss": -1.0}, "generator": {"adversarial": 0.5, "kl": 0.1}},
        "norms": {kind: {"generator": 0.1, "critic": 10.0 * epoch} for kind in ("gradient", "update", "parameter")},
        "learning_rates": {"generator": 1e-3, "critic": 1e-4}, "diversity": {"median": 0.8, "lowest": 0.1 * epoch},
        "clock": {"seconds": 1.5 * epoch, "steps_per_second": 8.1},
    } | changes  # fmt: skip


LINES = [one_line(1), one_line(2), one_line(2, step=17), {"epoch": 3, "step": 21, "predictions": {"classifier": metrics(0.5, 0.5)}, "losses": {}}]
START = {
    "time": "2026-01-02T03:04:05", "python": "3.11.7", "versions": {"jax": "0.10.2"}, "machine": "Linux",
    "device": {"platform": "cpu", "kind": "cpu", "count": 1}, "git": None, "from_step": 0,
}  # fmt: skip
CONFIG = {
    saved_config.KEY: saved_config.FORMAT, "dataset": "a<i>set</i>", "framework": "wgan", "seed": 1, "distillation": {"weight_cls": 1e-4}, "teacher": {"threshold": -1.2},
    "train": {"epochs": 3}, "eval": {"prediction": "student"}, "data": {"root": "'\"><script>alert(1)</script>"},
}  # fmt: skip


def results():
    accuracy = dict(zip((f"{i} {name}" for i, name in enumerate(NAMES)), [1.0, 0.25, None, 0.5, 0.75], strict=True))
    student = {
        "metrics": metrics(0.5, 0.75), "per_class": accuracy,
        "test_selected": {"selection": "test", "epochs": 2, "metrics": metrics(0.9123, 0.9)},
    }  # fmt: skip
    return {
        saved_config.KEY: saved_config.FORMAT,
        "dataset": CONFIG["dataset"], "framework": "wgan", "distillation": True, "features": "f.mat", "semantics": "att",
        "epochs": 3, "steps": 21, "prediction": "student", **student, "interrupted": False, "seconds": 7300.0,
        "predictions": {"student": student, "classifier": {"metrics": metrics(0.5, 0.5), "per_class": accuracy, "test_selected": None}},
        "teacher": {"seen_accuracy": 0.98, "id_accuracy": 1.0, "ood_accuracy": 0.01, "auroc": 0.94, "fpr_at_95": None},
        "warnings": ["<u>thin</u> classes"],
    }  # fmt: skip


def arrays():
    rng = np.random.default_rng(0)
    found = {}
    for name in ("student", "classifier"):
        margins = [np.round(rng.normal(size=30), 1) for _ in range(2)]
        best = [curves.Best(np.zeros(30, int), margin, np.ones(30, int), np.zeros(30)) for margin in margins]
        curve = curves.trade_off(best[0], np.zeros(30, int), best[1], np.ones(30, int), np.array(SEEN), np.array(UNSEEN))
        found |= {f"curve/{name}/{key}": values for key, values in curve.items()}
        found[f"confusion/{name}"] = curves.confusion(*best)
        found[f"class_confusion/{name}"] = curves.class_confusion(best[0], np.repeat([0, 3], 15), best[1], np.ones(30, int))
    found |= {f"scores/{name}": -rng.gamma(2, 1, 50) for name in ("seen", "unseen", "synthesized")}
    labels = rng.choice(UNSEEN, 40)
    return found | curves.project(rng.normal(size=(40, 5)), labels, rng.normal(size=(40, 5)), labels)


def record(folder, lines=LINES, **files):
    """Writes a run folder; a file given as None is left out."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {"config": CONFIG, "overrides": {"seed": 1}, "environment": {"starts": [START, START | {"from_step": 7}]}, "results": results()}
    for name, value in (content | files).items():
        if value is not None and name != "diagnostics":
            (folder / f"{name}.json").write_text(json.dumps(value))
    if lines is not None:
        (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    if (found := files.get("diagnostics", arrays())) is not None:
        np.savez(folder / "diagnostics.npz", **found)
    return folder


def drawn(folder):
    """Names of the plots there is data for; each is drawn, at a low resolution."""
    run, found = Recorded.read(folder), []
    for name, draw in plots.PLOTS.items():
        if (figure := draw(run)) is not None:
            figures.png(figure, dpi=20)
            found.append(name)
    return found


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder = record(tmp_path_factory.mktemp("runs") / "whole")
    assert program.main(["report", str(folder)]) == 0
    return folder


def test_all_plots_are_written_whole(whole):
    files = sorted((whole / "plots").iterdir())
    assert [path.name for path in files] == sorted(f"{name}.png" for name in plots.PLOTS)
    for path in files:
        assert path.read_bytes().startswith(b"\x89PNG") and path.read_bytes().endswith(b"IEND\xaeB`\x82")
    assert set(texts.PLOTS) == set(plots.PLOTS)


def test_report_holds_everything_it_shows(whole):
    text = (whole / "report.html").read_text()
    ids = re.findall(r'id="([^"]+)"', text)
    assert len(ids) == len(set(ids))
    sources = re.findall(r"""(?:src|href|action|data)\s*=\s*["']?([^"'\s>]+)""", text) + re.findall(r"url\(([^)]*)\)", text)
    assert sources and all(source[0] == "#" and source[1:] in ids for source in sources)  # parts of plots, by other parts
    assert not re.search(r"https?:|@import|<script|<link|<iframe|<img", text)
    assert text.count("<section><h2>" + texts.PLOTS["curve"][0]) == 1 and text.count('<div class="plot"') == len(plots.PLOTS)
    assert text.count("<style>") == 1 and "<svg viewBox" in text and "xmlns" not in text
    assert not list(whole.glob("*.part"))


def test_report_escapes_names(whole):
    text = (whole / "report.html").read_text()
    for name in (NAMES[1], CONFIG["dataset"], CONFIG["data"]["root"], "<u>thin</u>"):
        assert name not in text
    assert "&lt;b&gt;&amp;amp; bee" in text and "&lt;script&gt;alert(1)" in text and "&lt;u&gt;thin&lt;/u&gt; classes" in text


def test_report_tells_the_result_and_how_the_run_went(whole):
    text = (whole / "report.html").read_text()
    head = text[: text.index("</header>")]
    assert "D3 on WGAN-GP" in head and "finished, epoch 3 of 3; resumed once, from outer step 7" in head and "2 h 02 min" in head
    assert re.findall(r"<b>([\d.]+)</b><span>(\w+)", head) == [("50.0", "U"), ("75.0", "S"), ("60.0", "H"), ("50.0", "T1")]
    assert "91.2" not in head
    assert re.search(r"<tr class=muted><td></td><td>test-selected \(2\)</td><td class=n>91.2</td>", text)
    assert texts.NO_RESULT in text
    assert "n/a" in text[text.index("FPR@95") :][:40]


def test_report_says_what_figures_mean_and_stand_beside(tmp_path):
    found = results() | {"classes": {"seen": SEEN, "unseen": UNSEEN}, "selection": "last"}
    found["predictions"]["student"]["metrics"]["ausuc"] = found["metrics"]["ausuc"] = 0.4
    text = write_page(record(tmp_path, results=found)).read_text()
    head = text[: text.index("</header>")]
    assert [name for name, _ in re.findall(r"<dt>(\w+)</dt><dd>([^<]+)\.</dd>", head)] == ["U", "S", "H", "T1", "AUSUC"]
    assert "<b>40.0</b><span>AUSUC" in head and texts.NO_BASELINE in head.replace("&#39;", "'")
    chance = re.search(r"<td>chance</td>" + r"<td class=n>([\d.]+)</td>" * 5, head)
    assert chance.groups() == ("20.0", "20.0", "20.0", "50.0", "8.3")
    assert "In words" in head and "Unseen classes are recognised less well than seen ones (U 50.0 %, S 75.0 %)" in head
    assert "Most often taken for another, student" in text and "(seen)</td>" in text


def test_what_a_test_selected_run_says_of_itself(tmp_path):
    found = results() | {"classes": {"seen": SEEN, "unseen": UNSEEN}, "selection": "test"}
    text = write_page(record(tmp_path, results=found)).read_text()
    head = text[: text.index("</header>")]
    assert "<b>91.2</b><span>U" in head and "test-selected, no result" in head and f"<li>{texts.TEST_SELECTED}" in head
    assert "They are of the last epoch." in text


def test_what_a_run_of_folds_alone_says_of_itself(tmp_path):
    found = results() | {"classes": {"seen": SEEN, "unseen": UNSEEN}, "selection": "folds only"}
    text = write_page(record(tmp_path, results=found, diagnostics=None)).read_text()
    head = text[: text.index("</header>")]
    assert f"<li>{texts.OF_FOLDS}</li>" in head and "means over folds inside trainval" in head
    assert "<td>chance</td>" not in head and "Most often taken" not in text  # how many classes a fold has is not known


def test_without_test_rows_of_seen_classes(tmp_path):
    found = results() | {"classes": {"seen": SEEN, "unseen": UNSEEN}, "selection": "last"}
    unknown = {"unseen": 0.5, "seen": None, "harmonic": None, "zsl": 0.75, "ausuc": None}
    found["metrics"] = found["predictions"]["student"]["metrics"] = unknown
    head = write_page(record(tmp_path, results=found)).read_text().partition("</header>")[0]
    assert 'class="number main"><b>75.0</b><span>T1' in head and "<b>n/a</b><span>AUSUC" in head
    assert "T1 is the result, 75.0 %, where guessing reaches 50.0 %" in head
    assert re.search(r"<td>chance</td><td class=n>20.0</td><td class=n>n/a</td><td class=n>n/a</td><td class=n>50.0</td><td class=n>n/a</td>", head)


def test_plots_follow_light_and_dark(whole):
    text = (whole / "report.html").read_text()
    drawn = "".join(re.findall(r"<svg.*?</svg>", text, re.S))
    assert "currentColor" in drawn and "#000000" not in drawn and "font-family" not in drawn and "<style" not in drawn
    dark = set(re.findall(r"(--p-[0-9a-f]{6}):", text))
    assert dark <= {f"--p-{colour[1:]}" for colour in re.findall(r"#[0-9a-f]{6}", drawn)} | {"--p-777777", "--p-882255", "--p-117733", "--p-555555"}
    assert max(float(width) for width in re.findall(r'<svg viewBox="[^"]+" width="(\d+)"', text)) < 560  # of a screen of 420: legible


def test_without_test_selection_there_is_no_word_of_it(tmp_path):
    found = results()
    found["predictions"]["student"]["test_selected"] = None
    text = write_page(record(tmp_path, results=found)).read_text()
    assert "test-selected" not in text and texts.NO_RESULT not in text


@pytest.mark.parametrize("name", ["overrides", "environment", "results", "diagnostics", "lines"])
def test_a_run_without_one_of_its_files(tmp_path, name):
    folder = record(tmp_path, **{name: None})
    missing = {"diagnostics": {"curve", "confusion", "scores", "projection"}, "results": {"per_class"}, "lines": {"metrics", "losses", "norms"}}
    if name in missing:  # the others are not drawn from
        assert set(drawn(folder)) == set(plots.PLOTS) - missing[name]
    text = write_page(folder).read_text()
    assert ("no results.json yet, evaluated up to epoch 3" in text) == (name == "results")


def test_a_run_that_has_only_begun(tmp_path):
    folder = record(tmp_path, lines=[], overrides={}, environment=None, results=None, diagnostics=None)
    assert program.main(["report", str(folder)]) == 0
    assert "nothing evaluated yet" in (folder / "report.html").read_text()


def test_a_base_method_interrupted_at_its_first_evaluation(tmp_path):
    found = results() | {"distillation": False, "teacher": None, "interrupted": True, "epochs": 1, "prediction": "classifier"}
    found["predictions"].pop("student")
    line = {"epoch": 1, "step": 9, "metrics": None, "predictions": {"classifier": metrics(0.1, 0.9)}, "losses": {"critic": {"loss": 1.0}}}
    kept = {name: values for name, values in arrays().items() if "student" not in name and not name.startswith("scores")}
    config = CONFIG | {"distillation": {"weight_cls": 0.0}, "eval": {"prediction": "classifier"}}
    folder = record(tmp_path, lines=[line], config=config, results=found, diagnostics=kept)
    assert set(drawn(folder)) == set(plots.PLOTS) - {"scores", "norms"}
    text = write_page(folder).read_text()
    assert "WGAN-GP without D3" in text and "interrupted after epoch 1 of 3" in text and ">Teacher<" not in text


def test_any_phase_has_a_colour_of_its_own(tmp_path):
    names = ("autoencoders", "critic", "refiner", "generator", *"abcdefghij")
    losses = {name: {"loss": 0.1 * place} for place, name in enumerate(names)}
    folder = record(tmp_path, lines=[one_line(1, losses=losses), one_line(2, losses=losses)])
    found = plots.losses(Recorded.read(folder)).axes[0].lines
    styles = {line.get_label(): (line.get_color(), line.get_linestyle()) for line in found}
    assert set(styles) == {f"{name} phase" for name in names} and len(set(styles.values())) == len(names)
    assert styles["critic phase"] == ("#E69F00", "-") and styles["generator phase"] == ("#56B4E9", "--")
    assert "black" not in {colour for colour, _ in styles.values()}


def test_numbers_that_are_null_or_not_finite(tmp_path):
    unknown = dict.fromkeys(("unseen", "seen", "harmonic", "zsl"))
    holes = one_line(3, metrics=None, predictions={"student": unknown}, losses={"critic": {"loss": None, "kl": float("nan")}, "odd": None})
    holes |= {"norms": None, "diversity": {"median": None}, "clock": None}
    found = results()
    found["predictions"]["student"] |= {"metrics": unknown, "per_class": dict.fromkeys(found["per_class"])}
    odd = {name: np.where(np.arange(len(values)) < 2, np.nan, values) for name, values in arrays().items() if values.ndim == 1}
    for lines, known in (([one_line(1), holes], {"metrics"}), ([holes], set())):
        folder = record(tmp_path, lines=lines, results=found, diagnostics=odd)
        assert {"metrics", "curve"} & set(drawn(folder)) == known
        assert "<b>n/a</b><span>H" in write_page(folder).read_text()


def test_many_classes_are_lines_not_bars(tmp_path):
    found = results()
    for predictor in found["predictions"].values():
        predictor["per_class"] = {f"{i} c": i / 50 for i in range(50)}
    found["classes"] = {"seen": list(range(40)), "unseen": list(range(40, 50))}
    folder = record(tmp_path, results=found)
    run = Recorded.read(folder)
    left, right = plots.per_class(run).axes
    assert not left.containers and len(left.patches) == len(right.patches) == 2
    classes = run.accuracies("student")
    assert [one.domain for one in classes] == ["seen"] * 40 + ["unseen"] * 10
    assert classes[3].name == "3 c"  # a name that several classes share does not tell them apart
    text = write_page(folder).read_text()
    assert "10 worst" in text and "all 50 classes" in text


def test_projected_rows_tell_which_classes_are_unseen_if_their_mean_is_u(tmp_path):
    run = Recorded.read(record(tmp_path))
    assert {one.name: one.domain for one in run.accuracies("student")} == {
        name: "unseen" if i in UNSEEN else "seen" for i, name in enumerate(NAMES) if i != 2
    }
    found = results()
    found["metrics"]["unseen"] = 0.4
    run = Recorded.read(record(tmp_path, results=found))
    assert {one.domain for one in run.accuracies("student")} == {""}


def test_an_interrupted_epoch_counts_in_part(tmp_path):
    x, y = Recorded.read(record(tmp_path)).series("predictions", "student", "unseen")
    np.testing.assert_allclose(x, [1, 2, 17 / 7])
    np.testing.assert_allclose(y, [0.31, 0.32, 0.32])


def test_a_line_cut_off_while_written_is_left_out(tmp_path):
    with open(record(tmp_path) / "metrics.jsonl", "a") as file:
        file.write('{"epoch": 4, "ste')
    assert len(Recorded.read(tmp_path).lines) == len(LINES)


def test_folders_that_are_no_run_are_refused_in_one_line(tmp_path, capsys):
    damaged = record(tmp_path / "damaged")
    (damaged / "results.json").write_text('{"dataset": ')
    archive = record(tmp_path / "archive")
    (archive / "diagnostics.npz").write_bytes(b"PK\x03\x04 not whole")
    for folder, said in ((tmp_path / "absent", "no such folder"), (tmp_path, "no config.json"), (damaged, "results.json"), (archive, "diagnostics.npz")):
        assert program.main(["report", str(folder)]) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1 and said in error and str(folder) in error


def test_without_matplotlib_plots_are_refused(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(UserError, match="pip install matplotlib"):
        plots.write_all(record(tmp_path))


@pytest.mark.parametrize("module", [plots, figures])
def test_matplotlib_is_imported_inside_functions_and_pyplot_never(module):
    with open(module.__file__) as file:
        tree = ast.parse(file.read())
    top = [node.module if isinstance(node, ast.ImportFrom) else node.names[0].name for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    everywhere = [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert not any(name.startswith("matplotlib") for name in top)
    assert not any("pyplot" in name for name in everywhere)


def test_groups_that_are_null_and_arrays_that_do_not_belong_together(tmp_path):
    kept = {name: values for name, values in arrays().items() if not name.endswith(("real_labels", "gamma"))}
    config = dict.fromkeys(CONFIG) | {saved_config.KEY: saved_config.FORMAT, "framework": "another"}
    folder = record(tmp_path, config=config, results=saved_config.content({"predictions": {"student": None}}), diagnostics=kept, environment={"starts": None})
    assert set(drawn(folder)) == set(plots.PLOTS) - {"per_class", "curve", "projection"}
    assert "another without D3" in write_page(folder).read_text()
