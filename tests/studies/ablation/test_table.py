import csv
import html
import math

import numpy as np
import pytest

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.studies.ablation import figure as ablation_figure
from d3gzsl_jax.studies.ablation import rows as ablation_rows
from d3gzsl_jax.studies.ablation import table as ablation_table
from d3gzsl_jax.studies.ablation.rows import CHOSEN, left_out, rows_of

DIGESTS = {"features": "a", "semantics": "b", "split": "c"}


def results_of(seed, predictions, selection="last", prediction=None, **further):
    """results.json by hand: metrics of each predictor as (U, S, T1)."""
    found = {}
    for name, (unseen, seen, zsl) in predictions.items():
        metrics = {"unseen": unseen, "seen": seen, "harmonic": 9.0, "zsl": zsl}  # H is to be recomputed
        found[name] = {"metrics": metrics, "selection": selection, "epochs": 20, "calibrated": None, "test_selected": None}
    return {
        "seed": seed, "selection": selection, "prediction": prediction or next(iter(predictions)), "predictions": found,
        "seconds": 1.0, "digests": DIGESTS, **further,
    }  # fmt: skip


def selected_on_test(seed, **epochs):
    """Results whose rule is the test: by predictor the epoch that was selected, None for none."""
    results = results_of(seed, dict.fromkeys(epochs, (0.4, 0.6, 0.7)), "test")
    best = {"unseen": 0.5, "seen": 0.5, "harmonic": 0.5, "zsl": 0.6, "ausuc": 0.3}
    for name, epoch in epochs.items():
        selected = {"selection": "test", "epochs": epoch, "metrics": best}
        results["predictions"][name] |= {"test_selected": selected} if epoch else {"selection": "last"}
    return results


def entries_of(cell, results, folder, baseline=False, prediction="student", data=None, **of_eval):
    """The entries of results, made by a configuration with these fields."""
    folds = {"folds": 1, "fold_classes": 0.2, "fold_rows": 0.2, "fold_seed": 0, "retrain": results["selection"] != "folds only"}
    config = {"data": {"root": "CUB", "stress": {"imbalance": 1.0}} | (data or {}), "eval": folds | {"prediction": prediction} | of_eval}
    return ablation_rows.entries_of(cell, results, folder, baseline, config)


def harmonic(unseen, seen):
    return 200 * unseen * seen / (unseen + seen)


def test_the_table_pairs_by_seed_and_falls_back_on_the_classifier():
    base = {0: (0.2, 0.6, 0.3), 1: (0.3, 0.5, 0.4), 2: (0.1, 0.9, 0.2)}
    student = {0: (0.4, 0.6, 0.5), 1: (0.3, 0.6, 0.6), 3: (0.9, 0.9, 0.9)}  # seeds 2 and 3 have no partner
    classifier = {0: (0.2, 0.6, 0.3), 1: (0.2, 0.5, 0.1), 3: (0.9, 0.9, 0.9)}
    entries = []
    for seed in (2, 0, 1):
        entries += entries_of("base", results_of(seed, {"classifier": base[seed]}), f"base/seed-{seed}")
    for seed in (0, 1, 3):
        both = {"student": student[seed], "classifier": classifier[seed]}
        entries += entries_of("full | x", results_of(seed, both), f"full/seed-{seed}")
    entries += entries_of("eszsl", results_of(0, {"eszsl": (0.5, 0.5, 0.6)}, "validation"), "b/seed-0", True)
    against = {"base": "base", "full | x": "base", "eszsl": "base"}
    rows = rows_of(entries, against)
    assert [(row.cell, row.predictor) for row in rows] == [
        ("base", "classifier"), ("full | x", "student"), ("full | x", "classifier"), ("eszsl", "eszsl")
    ]  # fmt: skip
    of = {(row.cell, row.predictor): row for row in rows}
    assert of["base", "classifier"].against is None
    np.testing.assert_allclose(of["base", "classifier"].percent("harmonic"), [harmonic(*base[s][:2]) for s in range(3)])
    expected = [harmonic(*student[seed][:2]) - harmonic(*base[seed][:2]) for seed in (0, 1)]
    found = of["full | x", "student"].against
    assert found["n"] == 2 and found["wins"] == 2 and found["difference"] == pytest.approx(np.mean(expected))
    assert of["full | x", "classifier"].against["wins"] == 0
    assert of["eszsl", "eszsl"].against["difference"] == pytest.approx(50 - harmonic(0.2, 0.6))

    text = ablation_table.markdown("digits: x", entries, rows, against, "d3gzsl ablate --x", ablation_table.Left(["full, seed 2: broke"]))
    lines = text.splitlines()
    table = [[cell.strip() for cell in line.replace("\\|", "/").strip("|").split("|")] for line in lines if line.startswith("|")]
    assert {len(row) for row in table} == {len(table[0])}
    row = dict(zip(table[0], table[3], strict=True))
    values = [harmonic(*student[seed][:2]) for seed in student]
    assert row["cell"] == "full / x" and row["seeds"] == "3" and row["epoch"] == "20"
    assert row["H"] == f"{np.mean(values):.1f} ± {np.std(values, ddof=1):.1f}" and row["AUSUC"] == "—"
    assert float(row["ΔH"]) == pytest.approx(np.mean(expected), abs=0.051) and row["ΔH"].startswith("+")
    assert row["wins"] == "2/2" and row["compared with"] == "base" and row["95 % of ΔH"] == "—"  # two seeds have no interval
    assert row["95 % of H"] != "—" and (row["sign p"], row["sign p, Holm"], row["Wilcoxon p, Holm"]) == ("0.500", "1.000", "1.000")
    assert "The table makes 3 comparisons; p-values called Holm are adjusted for that number" in text
    assert "Selection `last`: the last epoch" in text and "- full, seed 2: broke" in text
    assert lines[-3:] == ["```bash", "d3gzsl ablate --x", "```"]

    read = list(csv.DictReader(ablation_table.comma_separated(entries).splitlines()))
    assert len(read) == len(entries) and read[0]["cell"] == "base" and read[0]["seed"] == "2" and read[0]["ausuc"] == ""
    assert float(read[0]["harmonic"]) == pytest.approx(harmonic(*base[2][:2]) / 100)
    figure = ablation_figure.files(ablation_figure.draw("digits", rows))
    assert figure["png"].startswith(b"\x89PNG") and b"<svg" in figure["svg"]


def test_calibrated_figures_and_absent_ones():
    results = results_of(0, {"student": (None, 0.5, None)}, "validation")
    results["predictions"]["student"] |= {"calibrated": {"gamma": 1.0, "unseen": 0.4, "seen": 0.6}, "epochs": 7}
    (entry,) = entries_of("x", results, "x/seed-0")
    assert math.isnan(entry.harmonic) and entry.calibrated == pytest.approx(0.48) and entry.epochs == 7
    rows = rows_of([entry], {"x": "x"})
    text = ablation_table.markdown("x", [entry], rows, {"x": "x"}, "c")
    assert "| x | student | 1 | — | 50.0 | — | — | — | — | 48.0 | 7 |" in text and "held out inside trainval" in text
    ablation_figure.draw("x", rows)


def test_figures_of_folds_and_test_selected_ones():
    results = results_of(0, {"student": (0.4, 0.6, 0.7)}, "folds only")
    results["predictions"]["student"] |= {"validation": {"epoch": 15}}
    results["predictions"]["student"]["metrics"] |= {"harmonic": 0.47, "calibrated": 0.49}
    (entry,) = entries_of("x", results, "x/seed-0")
    assert (entry.harmonic, entry.calibrated, entry.epochs) == (0.47, 0.49, 15)
    (entry,) = entries_of("x", selected_on_test(0, student=3), "x/seed-0")
    assert (entry.unseen, entry.harmonic, entry.epochs, entry.ausuc) == (0.5, 0.5, 3, 0.3)
    text = ablation_table.markdown("x", [entry], rows_of([entry], {"x": "x"}), {"x": "x"}, "c")
    assert "TEST-SELECTED" in text


def test_selection_rules_are_not_mixed():
    entries = entries_of("a", results_of(0, {"student": (0.5, 0.5, 0.5)}, "last"), "a/seed-0")
    entries += entries_of("b", selected_on_test(0, student=3), "b/seed-0")
    with pytest.raises(UserError, match=r"selection rules differ .*'last' in a/seed-0, 'test' in b/seed-0"):
        rows_of(entries, {"a": "a", "b": "a"})


def test_a_predictor_without_epochs_to_select_from_does_not_stand_among_test_selected_ones():
    results = selected_on_test(0, student=3, classifier=None)
    assert left_out(results) == ["classifier"]
    entries = entries_of("x", results, "x/seed-0")
    assert [entry.predictor for entry in entries] == ["student"]
    rows = rows_of(entries, {"x": "x"})
    text = ablation_table.markdown("x", entries, rows, {"x": "x"}, "c", ablation_table.Left(missing=["x, classifier"]))
    assert "Left out, since they are evaluated once and have no epochs to select from: x, classifier." in text
    assert left_out(results_of(0, {"student": (0.5, 0.5, 0.5)}, "last")) == []


def differences(first, second):
    """Whether the second of two entries is compared with the first."""
    rows = rows_of([*first, *second], {"a": "a", "b": "a"})
    return rows[1].against is not None


def test_differences_are_formed_on_the_same_data_or_under_declared_stress():
    def of(cell, digests, selection="last", **given):
        results = results_of(0, {"student": (0.5, 0.5, 0.5)}, selection, digests=DIGESTS | digests)
        results["predictions"]["student"]["validation"] = {"epoch": 1}
        return entries_of(cell, results, cell, **given)

    first = of("a", {})
    assert differences(first, of("b", {}))
    assert differences(first, of("b", {}, data={"root": "moved"}))  # the content is the same
    assert not differences(first, of("b", {"semantics": "other"}, data={"semantics": "sent"}))
    assert not differences(first, of("b", {"split": "other"}, data={"root": "other"}))
    assert differences(first, of("b", {"split": "other"}, data={"stress": {"imbalance": 10.0}}))
    assert not differences(first, of("b", {"split": "other"}, data={"stress": {"imbalance": 10.0}, "root": "other"}))
    # Figures that are means over folds are compared on the same folds.
    assert differences(first, of("b", {}, fold_seed=1))
    assert differences(of("a", {}, "folds only"), of("b", {}, "folds only"))
    assert not differences(of("a", {}, "folds only"), of("b", {}, "folds only", fold_seed=1))

    entries = [*first, *of("b", {"semantics": "other"}, data={"semantics": "sent"})]
    against = {"a": "a", "b": "a"}
    text = ablation_table.markdown("x", entries, rows_of(entries, against), against, "c")
    assert "| b | student | 1 | 50.0 | 50.0 | 50.0 | — | 50.0 | — | — | 20 |" + " — |" * 8 in text and "comparison" not in text.partition("wins:")[2]
    assert "same data only" in text and "config.data.stress" in text
    lines = list(csv.DictReader(ablation_table.comma_separated(entries).splitlines()))
    assert lines[0]["data"] != lines[1]["data"] and len(lines[0]["data"]) == 12


def test_what_validation_chose_in_each_run_has_a_row():
    figures = {"student": (0.4, 0.6, 0.5), "classifier": (0.5, 0.5, 0.5)}
    entries = []
    for seed, chosen in enumerate(["student", "classifier", "student"]):
        entries += entries_of("base", results_of(seed, {"classifier": (0.3, 0.5, 0.4)}, "validation"), f"base/seed-{seed}")
        results = results_of(seed, figures, "validation", prediction=chosen)
        results["predictions"]["student"]["epochs"] = 7
        entries += entries_of("full", results, f"full/seed-{seed}", prediction="auto")
        entries += entries_of("none", results, f"none/seed-{seed}", prediction=chosen)
        entries += entries_of("later", results, f"later/seed-{seed}", prediction="auto")
    against = {"base": "base", "full": "base", "none": "base", "later": "full"}
    rows = rows_of(entries[::-1], against)
    assert [(row.cell, row.predictor) for row in rows if row.predictor == CHOSEN] == [("full", CHOSEN), ("later", CHOSEN)]
    row, *_ = (row for row in rows if row.cell == "full")
    assert row.predictor == CHOSEN and [entry.predictor for entry in row.entries] == ["student", "classifier", "student"]
    np.testing.assert_allclose(row.percent("harmonic"), [48, 50, 48])
    assert row.against["difference"] == pytest.approx((48 + 50 + 48) / 3 - 37.5)
    later = next(row for row in rows if row.cell == "later")
    assert later.against["difference"] == 0.0 and later.against["n"] == 3
    text = ablation_table.markdown("x", entries, rows, against, "c")
    assert "| full | chosen | 3 | 43.3 ± 5.8 | 56.7 ± 5.8 | 48.7 ± 1.2 |" in text and "| 7, 20 | base |" in text
    assert "`chosen`: in each run the predictor that validation chose" in text
    # A line a run and predictor, as without it.
    assert len(ablation_table.comma_separated(entries).splitlines()) == 1 + 3 * 7
    assert ablation_figure.files(ablation_figure.draw("x", rows))["png"].startswith(b"\x89PNG")


def test_baselines_of_the_test_rows_do_not_stand_beside_folds_alone():
    def run(selection):
        results = results_of(0, {"student": (0.5, 0.5, 0.5)}, selection)
        results["predictions"]["student"]["validation"] = {"epoch": 5}
        return entries_of("a", results, "a/seed-0")

    def baseline(selection):
        results = results_of(0, {"eszsl": (0.5, 0.5, 0.5)}, selection)
        results["predictions"]["eszsl"]["validation"] = {"hyperparameters": {}, "gamma": 0.1}
        return entries_of("b", results, "b/seed-0", True)

    rule_of = ablation_rows.rule_of
    for rule in ("last", "validation"):
        assert rule_of(run(rule) + baseline("validation")) == rule
    assert rule_of(run("folds only") + baseline("folds only")) == "folds only" == rule_of(baseline("folds only"))
    assert rule_of(baseline("validation")) == "validation" and rule_of([]) == "last"
    for one, other in (("folds only", "validation"), ("validation", "folds only"), ("last", "folds only")):
        with pytest.raises(UserError, match="selection rules differ"):
            rule_of(run(one) + baseline(other))
    entries = run("folds only") + baseline("folds only")
    assert [entry.epochs for entry in entries] == [5, None]
    text = ablation_table.markdown("x", entries, rows_of(entries, {"a": "a", "b": "a"}), {"a": "a", "b": "a"}, "c")
    assert "no test row was looked at" in text and "H is the mean of the folds'" in text
    assert "by calibrated H whatever config.eval.criterion" in text


def test_p_values_are_adjusted_for_the_comparisons_of_the_table():
    entries = []
    for seed in range(6):
        entries += entries_of("base", results_of(seed, {"classifier": (0.4, 0.5, 0.5)}), "b")
        entries += entries_of("better", results_of(seed, {"classifier": (0.5 + seed / 100, 0.5, 0.5)}), "c")
        entries += entries_of("mixed", results_of(seed, {"classifier": (0.4 + (seed % 2 - 0.4) / 100, 0.5, 0.5)}), "d")
    against = {"base": "base", "better": "base", "mixed": "base"}
    text = ablation_table.markdown("x", entries, rows_of(entries, against), against, "c")
    cells = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    table = {row[0]: dict(zip(cells[0], row, strict=True)) for row in cells[1:]}
    assert (table["better"]["sign p"], table["better"]["sign p, Holm"]) == ("0.031", "0.062")
    assert table["better"]["95 % of ΔH"] != "—" and table["mixed"]["sign p, Holm"] == "1.000"
    assert "makes 2 comparisons" in text


def test_whatever_must_be_read_with_the_table_stands_in_every_form_of_it():
    """Failed seeds, predictors and comparisons that are not there, what a difference is, what p-values are adjusted for."""
    entries = []
    for seed in range(2):
        entries += entries_of("base", results_of(seed, {"classifier": (0.3, 0.5, 0.4)}, "validation"), "b", calibration="folds")
        both = results_of(seed, {"student": (0.4, 0.6, 0.5), "classifier": (0.5, 0.5, 0.5)}, "validation")
        entries += entries_of("full", both, "f", prediction="auto", calibration="folds")
    entries += entries_of("eszsl", results_of(0, {"eszsl": (0.5, 0.5, 0.6)}, "validation"), "e", True, calibration="folds")
    against = {"base": "base", "full": "base", "eszsl": "base"}
    left = ablation_table.Left(["full, seed 2: broke down"], ["x, classifier"], ["later (with earlier)"])
    given = "x", entries, rows_of(entries, against), against, "d3gzsl ablate --y", left
    forms = {".md": ablation_table.markdown(*given), **ablation_table.to_print(*given)}
    for ending, text in forms.items():
        text = " ".join(html.unescape(text).replace("{-}", "-").replace(r"\_", "_").replace("`", "").split())
        for told in (
            "full, seed 2: broke down", "no epochs to select from: x, classifier.", "the cell they are compared with is not run: later (with earlier).",
            "is the difference in H to the cell compared with", "The table makes 4 comparisons; p-values called Holm are adjusted",
            "Baselines have no epochs", "chosen: in each run the predictor that validation chose", "formed on the same data only",
            "U, S and H are at that gamma too (config.eval.calibration=folds)", "d3gzsl ablate", "chosen on classes and rows held out",
        ):  # fmt: skip
            assert told in text, (ending, told)
    plain = ablation_table.markdown("x", entries[:0] + entries_of("a", results_of(0, {"s": (0.5, 0.5, 0.5)}), "a"), [], {}, "c")
    assert "that gamma too" not in plain and "Failed" not in plain


HOSTILE = ["=1+1", "+x", "-x", "@x", "\tx", "\rx", " =x", "\uff1d1", "a|b", "a\nb", "\x1b[31mred", "half \ud83d", "`x`", "<script>", "# x"]


@pytest.mark.parametrize("name", HOSTILE)
def test_whatever_a_name_holds_tables_stay_whole(name):
    """A cell in Markdown is one cell on one line; a cell in CSV is no formula."""
    entries = entries_of("base", results_of(0, {"student": (0.5, 0.5, 0.5)}), "a") + entries_of(name, results_of(0, {name: (0.5, 0.5, 0.5)}), name)
    against = {"base": "base", name: "base"}
    rows = rows_of(entries, against)
    text = ablation_table.markdown(name, entries, rows, against, f"python {name}\n```", ablation_table.Left([f"{name}: broke"], [f"{name}, x"]))
    assert "\x1b" not in text and "<script>" not in text.partition("bash")[0] and text.encode()
    cells = [line.replace("\\|", "").count("|") for line in text.splitlines() if line.startswith("|")]
    assert len(cells) == 4 and len(set(cells)) == 1
    lines = list(csv.reader(ablation_table.comma_separated(entries).splitlines()))
    assert len(lines) == 3 and not any(cell.lstrip().startswith(("=", "+", "-", "@", "\uff1d")) for line in lines for cell in line)
    figure = ablation_figure.files(ablation_figure.draw(name, rows))
    assert figure["png"].startswith(b"\x89PNG")
