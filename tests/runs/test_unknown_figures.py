"""What is said of figures that are unknown for want of test rows of unseen classes, and when the folds' stand in their place."""

import math

import pytest

from d3gzsl_jax.runs.unknown_figures import explained, lacks_unseen, of_folds, rows_of_folds

FOLDS = {"unseen": 0.4, "seen": 0.8, "harmonic": 0.5, "zsl": 0.6, "ausuc": 0.3, "calibrated": 0.55}


def results(unseen=None, seen=0.9, selection="validation", folds=2, **further):
    metrics = {"unseen": unseen, "seen": seen, "harmonic": None, "zsl": None, "ausuc": None}
    of = {"epoch": 7, "gamma": 1.5, "metrics": FOLDS} if selection != "last" else None
    return {"metrics": metrics, "selection": selection, "validation": of, "config": {"eval": {"folds": folds}}} | further


@pytest.mark.parametrize("unknown", [None, math.nan])
def test_folds_stand_in_the_place_of_what_is_unknown(unknown):
    assert of_folds(results(unknown)) == FOLDS
    assert explained(results(unknown)) == [
        "U, H, T1 and AUSUC are unknown: the data has no test rows of unseen classes.",
        "In their place stand figures called folds: means over 2 folds inside trainval, with seen classes held out as if they were unseen.",
    ]
    assert rows_of_folds(results(unknown)) == [
        ("", "folds (7)", FOLDS), ("", "folds, calibrated, gamma 1.5", {"harmonic": 0.55})
    ]  # fmt: skip
    assert "neither of unseen nor of seen classes" in explained(results(unknown, seen=unknown))[0]
    assert "called folds: of one fold inside" in explained(results(unknown, folds=1))[1]


def test_without_folds_it_is_said_what_to_set():
    (told,) = explained(results(selection="last"))
    assert told.startswith("U, H, T1 and AUSUC are unknown") and "Set config.eval.selection=validation: " in told
    assert of_folds(results(selection="last")) is None and rows_of_folds(results(selection="last")) == []


@pytest.mark.parametrize("known", [results(0.3), results(0.3, seen=None), results(selection="folds only"), {}, {"metrics": {}}])
def test_known_figures_stay_alone(known):
    assert not lacks_unseen(known) and explained(known) == [] and of_folds(known) is None and rows_of_folds(known) == []
