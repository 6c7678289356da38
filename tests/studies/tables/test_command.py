import copy
import csv
import html.parser
import io
import json

import numpy as np
import pytest

from d3gzsl_jax import main as program
from d3gzsl_jax.config import saved_config
from d3gzsl_jax.evaluation.metrics import harmonic_mean
from d3gzsl_jax.evaluation.statistics import interval
from d3gzsl_jax.studies.tables import command


def metrics(unseen, seen, zsl=0.5, ausuc=0.4):
    return {"unseen": unseen, "seen": seen, "harmonic": harmonic_mean(unseen, seen), "zsl": zsl, "ausuc": ausuc}


def run(seed=0, unseen=0.4, seen=0.6, selection="last", **fields):
    """results.json of a run of D3 with a student and a classifier; `fields` go into the configuration, by dotted name."""
    config = {
        "seed": seed, "framework": "wgan", "data": {"root": f"/data/{seed}"}, "train": {"epochs": 5, "n_critic": 5},
        "log": {"report": bool(seed)}, "distillation": {"weight_od": 0.1, "n_syn": 5}, "classifier": {"n_syn": 300},
    }  # fmt: skip
    for field, value in fields.items():
        part, _, name = field.partition("__")
        config[part][name] = value
    best = {"selection": "test", "epochs": 3, "metrics": metrics(0.77, 0.88)}
    student = {"metrics": metrics(unseen, seen), "selection": selection, "epochs": 5, "calibrated": None, "test_selected": best}
    classifier = student | {"metrics": metrics(unseen + 0.1, seen - 0.1), "test_selected": None}
    return {
        saved_config.KEY: saved_config.FORMAT,
        "dataset": "CUB", "framework": "wgan", "distillation": True, "features": "vgg768.mat", "semantics": "sent", "seed": seed,
        "digests": {"features": "f" * 64, "semantics": "a" * 64, "split": "5" * 64}, "selection": selection,
        "prediction": "student", "metrics": metrics(unseen, seen), "predictions": {"student": student, "classifier": classifier},
        "interrupted": False, "config": config,
    }  # fmt: skip


def base(seed=0, unseen=0.3, **fields):
    """The same without D3."""
    found = run(seed, unseen, **{"distillation__weight_od": 0.0} | fields)
    found["predictions"] = {"classifier": found["predictions"]["classifier"]}
    return found | {"distillation": False, "prediction": "classifier", "metrics": found["predictions"]["classifier"]["metrics"]}


def baseline(seed=0):
    found = base(seed)
    return found | {"framework": "eszsl", "prediction": "eszsl", "predictions": {"eszsl": found["predictions"]["classifier"]}}


def changed(results, path, value):
    """A copy with another value at a path of keys; None removes the key."""
    results = copy.deepcopy(results)
    *keys, last = path.split("/")
    at = results
    for key in keys:
        at = at[key]
    at[last] = value
    if value is None:
        del at[last]
    return results


@pytest.fixture
def table(tmp_path, capsys):
    """Runs the tool over results, each in a folder of its own: exit code, standard output, lines of standard error."""

    def made(*found, options=()):
        for index, results in enumerate(found):
            folder = tmp_path / "runs" / f"run-{index}"
            folder.mkdir(parents=True)
            (folder / "results.json").write_text(results if isinstance(results, str) else json.dumps(results))
        code = program.main(["table", str(tmp_path / "runs"), *options])
        captured = capsys.readouterr()
        return code, captured.out, captured.err.splitlines()

    return made


def rows_of(text):
    """The rows of CSV as dictionaries."""
    return list(csv.DictReader(io.StringIO(text)))


def test_runs_that_differ_only_in_their_seed_are_one_row_a_predictor(table):
    unseen, seen = [0.40, 0.50, 0.45], [0.60, 0.55, 0.65]
    code, out, err = table(*(run(seed, unseen[seed], seen[seed]) for seed in (2, 0, 1)), options=["--format", "csv"])
    assert code == 0 and not err
    student, classifier = rows_of(out)
    assert (student["method"], student["predictor"], student["seeds"], classifier["predictor"]) == ("wgan + D3", "student", "3", "classifier")
    h = [200 * u * s / (u + s) for u, s in zip(unseen, seen, strict=True)]
    mean, std, half = interval(h)
    assert float(student["H"]) == pytest.approx(mean) and float(student["H std"]) == pytest.approx(std)
    assert (float(student["H low"]), float(student["H high"])) == pytest.approx((mean - half, mean + half))
    assert float(student["U"]) == pytest.approx(45.0) and float(student["U std"]) == pytest.approx(5.0)
    assert float(classifier["S"]) == pytest.approx(50.0) and float(classifier["T1"]) == 50.0 and float(classifier["AUSUC"]) == 40.0
    # The mean of H, not the H of means.
    assert abs(float(student["H"]) - 200 * 0.45 * 0.60 / 1.05) > 1e-3


def test_the_printed_table(table):
    code, out, _ = table(run(0), run(1, 0.44), base(0), baseline(0))
    lines = out.splitlines()
    assert code == 0 and lines[0] == "## CUB, features vgg768.mat, semantics sent, selection last"
    assert lines[2] == "| method | predictor | seeds | U | S | H | 95 % of H | T1 | AUSUC |"
    student = next(line for line in lines if "student" in line)
    mean, std, _ = interval([48.0, 200 * 0.44 * 0.6 / 1.04])
    of_h = f"{mean:.1f} ± {std:.1f} | —"  # two seeds have no interval
    assert student == f"| wgan + D3 | student | 2 | 42.0 ± 2.8 | 60.0 ± 0.0 | {of_h} | 50.0 ± 0.0 | 40.0 ± 0.0 |"
    assert "| wgan without D3 | classifier | 1 | 40.0 | 50.0 | 44.4 | — | 50.0 | 40.0 |" in lines and any("| eszsl | eszsl | 1 |" in line for line in lines)
    assert "made by: d3gzsl table /" in out and "nothing was chosen on the test rows" in out and "weight" not in out


def test_methods_are_told_apart_by_the_fields_that_differ(table):
    runs = [run(0), run(0, distillation__n_syn=10), run(0, train__epochs=9), base(0, train__n_critic=1), baseline(0)]
    found = rows_of(table(*runs, options=["--format", "csv"])[1])
    assert list(dict.fromkeys(row["method"] for row in found)) == [
        "wgan + D3, distillation.n_syn=5, epochs=5", "wgan + D3, distillation.n_syn=10, epochs=5",
        "wgan + D3, distillation.n_syn=5, epochs=9", "wgan without D3, epochs=5", "eszsl",
    ]  # fmt: skip
    # What differs between methods but not within one is noted under the table.
    assert found[0]["also different"] == "n_critic 5 (wgan + D3), 1 (wgan without D3)"


def test_a_switch_that_is_off_is_named_where_a_run_of_the_method_has_it_on(table):
    runs = [run(0, train__balanced=False), run(0, train__balanced=True), base(0, train__balanced=False)]
    found = rows_of(table(*runs, options=["--format", "csv"])[1])
    assert list(dict.fromkeys(row["method"] for row in found)) == ["wgan + D3, balanced=False", "wgan + D3, balanced=True", "wgan without D3"]


def test_options_of_other_frameworks_tell_no_runs_apart(table):
    """As of runs of before there was such a framework, or such an option of it."""
    earlier, later, own = run(0), run(1), run(2)
    later["config"]["free"] = {"passes": 2}
    own["config"]["wgan"] = {"an_option": 1}
    found = rows_of(table(earlier, later, own, options=["--format", "csv"])[1])
    assert {(row["method"], row["seeds"]) for row in found} == {("wgan + D3, an_option=None", "2"), ("wgan + D3, an_option=1", "1")}


def test_by_makes_columns_and_sorts(table):
    runs = [run(0, distillation__n_syn=n, train__epochs=epochs) for n, epochs in ((10, 5), (9, 5), (10, 4))]
    found = rows_of(table(*runs, options=["--format", "csv", "--by", "distillation.n_syn,config.train.epochs"])[1])
    students = [row for row in found if row["predictor"] == "student"]
    assert [(row["distillation.n_syn"], row["train.epochs"]) for row in students] == [("9", "5"), ("10", "4"), ("10", "5")]
    assert {row["method"] for row in students} == {"wgan + D3"}


def test_the_sum_over_seeds_is_left_out(tmp_path):
    sums = {key: value for key, value in run(0).items() if key != "seed"} | {"seeds": [0], "runs": []}
    for name, content in (("", sums), ("seed-0", run(0))):
        (tmp_path / "five" / name).mkdir(parents=True, exist_ok=True)
        (tmp_path / "five" / name / "results.json").write_text(json.dumps(content))
    assert command.find([tmp_path / "five"]) and "sums up seeds" in command.read(tmp_path / "five" / "results.json")


def test_folds_interrupted_runs_and_folds_only_are_left_out(table, tmp_path):
    found = {
        "run-0/validation/fold-0": "not even JSON", "run-1": json.dumps(run(1) | {"interrupted": True}),
        "run-2": json.dumps(run(2) | {"selection": "folds only"}),
    }  # fmt: skip
    for name, text in found.items():
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "results.json").write_text(text)
    (tmp_path / "runs" / "run-0" / "results.json").write_text(json.dumps(run(0)))
    code, out, err = table(options=["--format", "csv"])
    assert code == 0 and {row["seeds"] for row in rows_of(out)} == {"1"}
    assert len(err) == 2 and "run-1" in err[0] and "interrupted" in err[0] and "run-2" in err[1] and "no look at the test rows" in err[1]


def test_a_run_named_twice_counts_once(table, tmp_path):
    again = [str(tmp_path / "runs" / name) for name in ("run-1", "run-0/results.json")]
    code, out, _ = table(run(0), run(1), options=[*again, "--format", "csv"])
    assert code == 0 and [row["seeds"] for row in rows_of(out)] == ["2", "2"]


@pytest.mark.parametrize(
    ("path", "value"),
    [("dataset", "AWA2"), ("digests/split", "6" * 64), ("digests/semantics", "b" * 64), ("semantics", "att"),
     ("digests/features", "e" * 64), ("features", "res101.mat"), ("selection", "validation")],
)  # fmt: skip
def test_what_must_not_stand_in_one_table(path, value, table, tmp_path):
    other = changed(run(1), path, value)
    for entry in other["predictions"].values():
        entry["selection"] = other["selection"]
    code, out, err = table(run(0), other)
    assert code == 2 and not out and len(err) == 1
    assert f"differ in {path.replace('/', '.')} (" in err[0] and "run-0/results.json" in err[0] and "run-1/results.json" in err[0]
    # Asked for, each gets a table of its own.
    assert program.main(["table", str(tmp_path / "runs"), "--separate", "--output", str(tmp_path / "x.md")]) == 0
    headings = [line for line in (tmp_path / "x.md").read_text().splitlines() if line.startswith("## ")]
    assert len(headings) == len(set(headings)) == 2 and all(word in headings[0] for word in ("CUB", "vgg768.mat", "sent", "last"))


def test_h_is_computed_anew_and_a_false_one_refused(table, tmp_path):
    code, _, err = table(changed(run(0), "predictions/student/metrics/harmonic", 0.48 + 2e-9))
    assert code == 2 and len(err) == 1 and "run-0/results.json: predictions.student.metrics.harmonic is 0.480000002" in err[0] and "0.48;" in err[0]
    (tmp_path / "runs" / "run-0" / "results.json").write_text(json.dumps(changed(run(0), "predictions/student/metrics/harmonic", 0.48 + 5e-10)))
    code, out, _ = table(options=["--format", "csv"])
    assert code == 0 and float(rows_of(out)[0]["H"]) == pytest.approx(48.0, abs=1e-10)


@pytest.mark.parametrize("where", ["metrics", "predictions/classifier/metrics", "predictions/student/calibrated", "predictions/student/test_selected/metrics"])
def test_every_h_is_looked_at(where, table):
    at = {"gamma": 0.5, "selection": "validation"} | metrics(0.5, 0.5)
    results = changed(run(0, selection="validation"), "predictions/student/calibrated", at)
    code, _, err = table(changed(results, f"{where}/harmonic", 0.9))
    assert code == 2 and len(err) == 1 and f"{where.replace('/', '.')}.harmonic is 0.9" in err[0]


def test_the_same_seed_twice_is_refused(table):
    code, out, err = table(run(3), run(4), run(3, 0.5))
    assert code == 2 and not out and len(err) == 1
    assert "run-0/results.json and " in err[0] and "run-2/results.json are the same method with the same seed 3" in err[0]


@pytest.mark.parametrize("key", [
    "digests", "digests/split", "dataset", "features", "semantics", "seed", "selection", "framework", "distillation", "prediction",
    "config", "predictions", "predictions/student/metrics", "predictions/student/metrics/ausuc", "predictions/classifier/metrics/zsl",
])  # fmt: skip
def test_results_of_an_older_version(key, table):
    code, out, err = table(changed(run(0), key, None))
    assert code == 2 and not out and len(err) == 1
    assert "run-0/results.json: lacks '" in err[0] and key.replace("/", ".") in err[0]


@pytest.mark.parametrize(
    ("results", "message"),
    [("{", "results.json: damaged (Expecting"), ("[]", "the whole is []"), ("[" * 100_000, "damaged"), (5, "the whole is 5"), ("", "damaged (empty)"),
     (changed(run(0), "predictions/student/metrics/zsl", 50.0), "student.metrics.zsl is 50.0"), (changed(run(0), "dataset", 10**400), "too large"),
     (changed(run(0), "predictions/student/metrics/unseen", "0.5"), "student.metrics.unseen is '0.5'"), (changed(run(0), "config", 3), "config is 3"),
     (changed(run(0), "predictions/student", {}), "lacks 'predictions.student.metrics"), (changed(run(0), "digests", "x" * 3000), "digests is 'xxx"),
     (changed(run(0), "predictions/student/selection", "validation"), "predictions.student.selection is 'validation', but selection is 'last'"),
     (run(0) | {"format": 99}, "results.json: has format 99, and this"), (changed(run(0), "format", None), "results.json: has no format number"),
     (run(0) | {"interrupted": True}, "no finished run is left")],
)  # fmt: skip
def test_damaged_results(results, message, table):
    code, out, err = table(results)
    assert code == 2 and not out and message in err[-1] and all(line.startswith("d3gzsl table: ") for line in err)


@pytest.mark.parametrize(
    ("options", "message"),
    [(["--by", "train.epoch"], "--by train.epoch: no field"), (["--by", "log.report"], "--by log.report"), (["--calibrated"], "--calibrated: no run has"),
     (["--output", "setup.py/x.md"], "setup.py is no folder; give another place"), (["nowhere"], "nowhere: no such run or folder"),
     (["tests"], "tests: holds no results.json")],
)  # fmt: skip
def test_bad_options_exit_2(options, message, table):
    code, _, err = table(run(0), options=options)
    assert code == 2 and len(err) == 1 and message in err[0]


def test_calibrated_figures_and_how_gamma_was_chosen(table, tmp_path):
    runs = [run(seed, selection="validation") for seed in (0, 1)]
    for results, gamma, unseen in zip(runs, (0.5, 1.5), (0.5, 0.6), strict=True):
        results["predictions"]["student"]["calibrated"] = {"gamma": gamma, "selection": "validation"} | metrics(unseen, 0.5)
    student, classifier = rows_of(table(*runs, options=["--calibrated", "--format", "csv"])[1])
    assert float(student["calibrated H"]) == pytest.approx(50 * (0.5 + 2 * 0.6 * 0.5 / 1.1)) and float(student["calibrated U"]) == pytest.approx(55.0)
    assert (student["gamma chosen by"], student["gamma"]) == ("validation", "1.0") and float(student["gamma std"]) == pytest.approx(np.sqrt(0.5))
    assert classifier["calibrated H"] == classifier["gamma chosen by"] == ""
    assert program.main(["table", str(tmp_path / "runs"), "--output", str(tmp_path / "x.md")]) == 0
    assert "gamma" not in (tmp_path / "x.md").read_text()
    assert program.main(["table", str(tmp_path / "runs"), "--calibrated", "--output", str(tmp_path / "x.md")]) == 0
    assert "| validation: 1 ± 0.71 |" in (tmp_path / "x.md").read_text()
    (tmp_path / "runs/run-0/results.json").write_text(json.dumps(changed(runs[0], "predictions/student/calibrated/selection", "test")))
    assert program.main(["table", str(tmp_path / "runs" / "run-0"), "--calibrated"]) == 2  # a gamma picked on the test set is none


@pytest.mark.parametrize("form", ["markdown", "latex", "html", "csv"])
def test_test_selected_figures_appear_only_when_asked_for_and_under_that_name(form, table, tmp_path):
    code, out, _ = table(run(0), options=["--format", form])
    assert code == 0 and "77.0" not in out and "test-selected" not in out
    assert program.main(["table", str(tmp_path / "runs"), "--format", form, "--test-selected", "--output", str(tmp_path / "x")]) == 0
    lines = [line for line in (tmp_path / "x").read_text().splitlines() if "77.0" in line]
    assert len(lines) == 1 and "student, test-selected (no result)" in lines[0]


def test_runs_whose_rule_is_the_test(table, tmp_path):
    code, out, err = table(results := run(0, selection="test"))
    assert code == 2 and not out and "every figure of these runs is test-selected" in err[0]
    assert program.main(["table", str(tmp_path / "runs"), "--test-selected", "--output", str(tmp_path / "x.md")]) == 0
    rows = [line for line in (tmp_path / "x.md").read_text().splitlines() if line.startswith("| wgan")]
    assert len(rows) == 2 and all("test-selected (no result)" in row for row in rows)
    # An entry that does not say which epoch it is of could be either.
    (tmp_path / "runs" / "run-0" / "results.json").write_text(json.dumps(changed(results, "predictions/student/selection", None)))
    code, _, err = table()
    assert code == 2 and "lacks 'predictions.student.selection'" in err[0]


def test_a_metric_that_is_null_is_unknown(table):
    unknown = metrics(float("nan"), 0.6) | {"unseen": None, "harmonic": None, "zsl": None}
    code, out, _ = table(changed(run(0), "predictions/student/metrics", unknown))
    assert code == 0 and "| student | 1 | — | 60.0 | — | — | — | 40.0 |" in out


def test_awkward_names_in_markdown_and_latex(table, tmp_path):
    awkward = r"a&b<i>_c|d%$#{}~^*\[x]"
    code, out, _ = table(run(0) | {"dataset": awkward})
    assert code == 0 and r"## a&amp;b&lt;i&gt;\_c\|d%&#36;\#{}\~^\*\\\[x\], features" in out
    assert program.main(["table", str(tmp_path / "runs"), "--format", "latex", "--output", str(tmp_path / "x.tex")]) == 0
    out = (tmp_path / "x.tex").read_text()
    assert r"a\&b\textless{}i\textgreater{}\_c\textbar{}d\%\$\#\{\}\textasciitilde{}\textasciicircum{}{*}\textbackslash{}{[}x{]}, features" in out
    assert r"\begin{tabular}{llrrrrrrr}" in out and r"95 \% of H" in out and r"\end{tabular}" in out and "-{}-format latex" in out
    rows = [line for line in out.splitlines() if line.startswith("wgan")]
    assert len(rows) == 2 and all(line.count(" & ") == 8 and line.endswith(r" \\") for line in rows) and "rule{" not in out


def test_awkward_names_in_html(table):
    code, out, _ = table(run(0) | {"dataset": "<script>x</script>&amp;"}, options=["--format", "html"])
    assert code == 0 and "<script" not in out and "&lt;script&gt;x&lt;/script&gt;&amp;amp;" in out

    tags = []
    reader = html.parser.HTMLParser()
    reader.handle_starttag = lambda tag, attributes: tags.append((tag, dict(attributes)))
    reader.feed(out)
    names = [tag for tag, _ in tags]
    assert names.count("tr") == 3 and names.count("td") == 18
    assert "url(" not in out and not any({"src", "href", "srcset"} & set(attributes) for _, attributes in tags)


def test_awkward_names_in_csv(table):
    odd = 'a,"b"\nc'
    runs = (run(0) | {"features": odd}, run(1) | {"features": "other"})
    found = rows_of(table(*runs, options=["--format", "csv", "--separate"])[1])
    assert len(found) == 4 and 'a,"b" c' in found[0]["table"] and "other" in found[2]["table"]
    assert "last: the figures are those of the last epoch" in found[0]["selection"] and "--separate" in found[0]["made by"]


@pytest.mark.parametrize("form", ["markdown", "latex", "html", "csv"])
def test_names_like_formulas_and_control_characters_break_no_table(table, form):
    odd = "=HYPERLINK(1)\x1b[2J\x00\nx\r| y"
    runs = (run(0) | {"dataset": odd, "semantics": "@x"}, run(1) | {"dataset": odd, "semantics": "@x"})
    code, out, _ = table(*runs, options=["--format", form])
    assert code == 0 and "\x1b" not in out and "\x00" not in out and "\r" not in out and out.encode()
    if form == "csv":
        assert all(not cell.startswith(("=", "+", "-", "@")) for row in rows_of(out) for cell in row.values())
        assert rows_of(out)[0]["table"].startswith("'=HYPERLINK(1)[2J x | y, features")
        assert rows_of(out)[0]["T1"] == "50.0"  # numbers stay numbers
