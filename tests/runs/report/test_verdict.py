"""The rules of a run's verdict, each on counts made by hand."""

import numpy as np
import pytest

from d3gzsl_jax.evaluation import curves
from d3gzsl_jax.runs.report import verdict
from d3gzsl_jax.runs.report.record import Recorded

NAMES = {0: "zero", 1: "one", 3: "three", 6: "six", 9: "nine"}  # the last three are unseen


def run(pairs=(), sides=None, metrics=None, seen=(0, 1), unseen=(3, 6, 9)):
    """A run whose student takes rows of a class for a class so many times: (class, taken for, count)."""
    per_class = {f"{label} {name}": 0.5 for label, name in NAMES.items()}
    results = {
        "prediction": "student", "classes": {"seen": list(seen), "unseen": list(unseen)}, "metrics": metrics or whole(),
        "predictions": {"student": {"per_class": per_class}},
    }  # fmt: skip
    diagnostics = {"class_confusion/student": np.array(pairs).reshape(-1, 3)} if len(pairs) else {}
    diagnostics |= {} if sides is None else {"confusion/student": np.array(sides)}
    return Recorded({}, {}, [], [], results, diagnostics)


def whole(unseen=0.5, seen=0.5, zsl=0.6, ausuc=0.3):
    return {"unseen": unseen, "seen": seen, "harmonic": None, "zsl": zsl, "ausuc": ausuc}


def said(of):
    return verdict.verdict(of, "student", of.results["metrics"])


def about(of, *words):
    return [sentence for sentence in said(of) if all(word in sentence for word in words)]


def test_classes_that_take_as_many_rows_as_are_recognised_cannot_be_told_apart():
    of = run([(6, 6, 40), (6, 3, 35), (6, 9, 25), (3, 3, 90), (3, 0, 10), (9, 9, 50), (9, 3, 30), (9, 0, 20), (0, 0, 50)])
    assert "The generator cannot tell six from three and nine: 60 % of its 100 test rows are taken for them, 40 % are recognised." in said(of)
    assert "nine is often taken for three: 30 % of its 100 test rows are taken for it, 50 % are recognised." in said(of)
    assert not about(of, "three is")


def test_confusion_with_a_seen_class_is_not_laid_to_the_generator():
    (sentence,) = about(run([(6, 0, 70), (6, 6, 30)]), "six")
    assert sentence == "six is mostly taken for the seen class zero: 70 % of its 100 test rows are taken for it, 30 % are recognised."
    (sentence,) = about(run([(6, 3, 25), (6, 0, 24), (6, 1, 22), (6, 6, 29)]), "six")
    assert sentence.startswith("six is mostly taken for the seen classes zero and one: 46 %")  # they take more than three does


def test_nothing_is_said_of_classes_with_few_rows():
    few = run([(6, 3, verdict.FEWEST - 1), (3, 3, 50), (9, 9, 50)])
    assert not about(few, "six") and "Of 1 unseen classes with fewer than 10 test rows nothing is said here." in said(few)
    assert "No unseen class loses 20 % of its test rows or more to a single other class." in said(few)
    assert about(run([(6, 3, verdict.FEWEST)]), "cannot tell six from three")


def test_few_sentences_for_many_confusions():
    labels = range(10, 20)
    of = run([(label, label + 1, 10) for label in labels], unseen=[*labels, 20])
    assert len(about(of, "cannot tell")) == 3 and about(of, "7 more unseen classes")


@pytest.mark.parametrize(
    ("sides", "begins"),
    [([[95, 5], [31, 69]], "Seen classes are favoured: 31 % of the unseen rows (31 of 100) go to seen classes, 5 % of the seen rows (5 of 100)"),
     ([[60, 40], [10, 90]], "Unseen classes are favoured: 40 % of the seen rows (40 of 100)"),
     ([[90, 10], [15, 85]], "Neither side is clearly favoured"),
     ([[60, 40], [45, 55]], "Seen and unseen are mixed up both ways"),
     ([[10, 1], [4, 7]], "Neither side is clearly favoured")],  # 27 points more, but of 11 rows
)  # fmt: skip
def test_which_side_is_favoured(sides, begins):
    assert said(run(sides=sides))[0].startswith(begins)


def test_a_side_without_rows_is_not_judged():
    assert not about(run(sides=[[0, 0], [31, 69]]), "favoured")


@pytest.mark.parametrize(
    ("unseen", "seen", "pairs", "begins"),
    [(0.5, 0.54, [], "Unseen classes are recognised as well as seen ones (U 50.0 %, S 54.0 %)."),
     (0.3, 0.6, [], "Unseen classes are recognised less well than seen ones"),
     (0.6, 0.3, [], "Unseen classes are recognised better than seen ones"),
     (0.4, 0.6, [(0, 0, 3), (0, 1, 2), (6, 6, 2), (6, 3, 3)], "Whether unseen classes are recognised as well as seen ones cannot be told"),
     (0.4, 0.6, [(0, 0, 600), (0, 1, 400), (6, 6, 400), (6, 3, 600)], "Unseen classes are recognised less well")],
)  # fmt: skip
def test_unseen_against_seen(unseen, seen, pairs, begins):
    assert [one for one in said(run(pairs, metrics=whole(unseen, seen))) if one.startswith(begins)]


def test_no_better_than_guessing():
    sides = [[50, 50], [50, 50]]
    assert about(run(sides=sides, metrics=whole(0.25)), "no better than by guessing: U is 25.0 %, chance 20.0 %")
    assert not about(run(sides=sides, metrics=whole(0.35)), "guessing")
    assert not about(run(metrics=whole(0.2)), "guessing")  # of how many rows is not known


def test_without_test_rows_of_seen_classes():
    metrics = {"unseen": 0.4, "seen": None, "harmonic": None, "zsl": 0.5, "ausuc": None}
    told = said(run(sides=[[0, 0], [10, 90]], metrics=metrics))
    assert told == ["There are no test rows of seen classes: T1 is the result, 50.0 %, where guessing reaches 33.3 %."]


def test_nothing_is_known():
    assert said(run(metrics={"unseen": None})) == []


def test_single_runs_are_compared_with_a_caution():
    (told,) = verdict.against(whole() | {"harmonic": 0.5}, [("WGAN-GP without D3", {"harmonic": 0.54}), ("ESZSL", {"harmonic": 0.3}), ("x", {})])
    assert told.startswith("H is 4.0 below WGAN-GP without D3 and 20.0 above ESZSL; one run each, so that this may be luck")
    assert verdict.against(whole(), []) == []


def test_the_largest_shares_come_first():
    found = verdict.confusions(run([(6, 3, 30), (6, 6, 70), (0, 1, 4), (0, 0, 6), (1, 1, 5)]), "student")
    assert [(one.label, one.taken_for, one.lost, one.rows) for one in found] == [(0, 1, 4, 10), (6, 3, 30, 100)]
    assert verdict.confusions(run(), "student") == []


def test_arrays_that_hold_no_counts_say_nothing():
    for odd in (np.full((2, 3), np.nan), np.full((2, 3), -1.0), np.full((2, 3), 0.5), np.full((1, 3), 1e300)):
        of = run()
        of.diagnostics["class_confusion/student"] = odd
        of.diagnostics["confusion/student"] = odd[:, :2]
        assert verdict.confusions(of, "student") == [] and of.sides("student") is None


def test_rows_are_counted_by_the_class_they_are_taken_for():
    seen = curves.Best(np.array([0, 0, 1]), np.array([1.0, 0.0, 2.0]), np.array([3, 3, 6]), np.array([0.0, 5.0, 2.0]))
    unseen = curves.Best(np.array([0]), np.array([1.0]), np.array([6]), np.array([2.0]))
    found = curves.class_confusion(seen, np.array([0, 0, 1]), unseen, np.array([6]))
    assert found.tolist() == [[0, 0, 1], [0, 3, 1], [1, 1, 1], [6, 6, 1]]  # a tie goes to the seen class
