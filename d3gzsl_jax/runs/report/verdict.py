"""A run's verdict in words, by rules over its figures and counts of test rows; where rows are too few to tell, nothing is said.

Shares are compared with twice the standard error of what the number of rows can tell (about 95 %).
"""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from d3gzsl_jax.runs.report import comparison

if TYPE_CHECKING:
    from d3gzsl_jax.runs.report.record import Recorded

FEWEST = 10
"""Of a class, or a side, with fewer test rows nothing is said."""

_EVEN = 0.05  # U and S this close are called equal
_FAVOURED = 0.10  # how much more of one side's rows must cross over before the other side is called favoured
_MIXED = 0.25  # both sides crossing over by this much are called mixed up
_SHARE = 0.2  # of the rows of a class, that go to one other, before a confusion is named
_NAMED = 3  # classes in a sentence, and sentences on confusions


class Confusion(NamedTuple):
    """Rows of one class that are taken for another.

    Attributes:
        label, taken_for: ids of the classes.
        lost, rows: how many of how many.
    """

    label: int
    taken_for: int
    lost: int
    rows: int

    @property
    def share(self) -> float:
        """Of the rows of the class."""
        return self.lost / self.rows


def confusions(run: "Recorded", predictor: str) -> list[Confusion]:
    """Which classes are taken for which others, the largest share of rows first; [] where the folder does not say."""
    table = run.class_confusion(predictor)
    totals: dict[int, int] = {}
    for label, _, count in table.tolist():
        totals[label] = totals.get(label, 0) + count
    found = [Confusion(label, other, count, totals[label]) for label, other, count in table.tolist() if label != other]
    return sorted(found, key=lambda one: (-one.share, -one.lost, one.label, one.taken_for))


def verdict(run: "Recorded", predictor: str, metrics: dict[str, float | None]) -> list[str]:
    """Sentences on how a run went, the weightiest first; [] where nothing is known.

    Args:
        run: what its folder holds.
        predictor: what the run predicts with.
        metrics: the run's result, fractions.
    """
    found = [*_against_chance(run, predictor, metrics), *_balance(run, predictor), *_evenness(run, predictor, metrics)]
    return [*found, *_confused(run, predictor)]


def against_on_folds(
    run: "Recorded", folds: Mapping[str, float | None], references: Sequence[tuple[str, Mapping[str, float | None]]]
) -> list[str]:
    """Sentences on means over the folds of a run, as fractions, beside chance and those of others; no counts of rows are known
    there, and so none says whether a difference could be luck."""
    guess, told = comparison.chance_of_folds(run) or {}, []
    for name, key in (("H", "harmonic"), ("T1", "zsl")):
        own, by_chance = folds.get(key), guess.get(key)
        if own is not None:
            beside = "" if by_chance is None else f", where guessing reaches {_percent(by_chance)}"
            told.append(f"{name} is {_percent(own)}{beside}")
    return [*([f"On the folds {'; '.join(told)}."] if told else []), *against(folds, references, "On the folds ")]


def against(
    metrics: Mapping[str, float | None], references: Sequence[tuple[str, Mapping[str, float | None]]], where: str = ""
) -> list[str]:
    """A sentence on H, or T1 where there is no H, and that of others, by what they are called; one run of each proves nothing, and
    the sentence says so. `where`: begins it."""
    for name, key in (("H", "harmonic"), ("T1", "zsl")):
        own, told = metrics.get(key), []
        for other, found in references:
            theirs = found.get(key)
            if own is not None and theirs is not None:
                by = 100 * (own - theirs)
                told.append(f"{abs(by):.1f} {'above' if by > 0 else 'below'} {other}" if abs(by) >= 0.05 else f"equal to {other}")
        if told:
            return [f"{where}{name} is {_listed(told)}; one run each, so that this may be luck: d3gzsl ablate compares over seeds."]
    return []


def _against_chance(run: "Recorded", predictor: str, metrics: dict[str, float | None]) -> list[str]:
    """Rule: U (T1 where there are no test rows of seen classes) is no better than guessing if it lies no more than twice the
    standard error of guessing above it."""
    guess = comparison.chance(run) or {}
    plain = metrics.get("seen") is None and metrics.get("zsl") is not None
    name, key = ("T1", "zsl") if plain else ("U", "unseen")
    value, by_chance = metrics.get(key), guess.get(key)
    if plain and value is not None:
        told = "" if by_chance is None else f", where guessing reaches {_percent(by_chance)}"
        told = f"There are no test rows of seen classes: T1 is the result, {_percent(value)}{told}."
        return [told, *_no_better(run, predictor, name, value, by_chance)]
    return _no_better(run, predictor, name, value, by_chance)


def _no_better(run: "Recorded", predictor: str, name: str, value: float | None, by_chance: float | None) -> list[str]:
    rows = _side_rows(run, predictor)[1]
    if value is None or by_chance is None or rows < FEWEST or value > by_chance + 2 * _error(by_chance, rows):
        return []
    return [f"Unseen classes are recognised no better than by guessing: {name} is {_percent(value)}, chance {_percent(by_chance)}."]


def _balance(run: "Recorded", predictor: str) -> list[str]:
    """Rule: a side is favoured if the share of the other side's rows that it takes is larger than the reverse by `_FAVOURED` and
    by twice the standard error; mixed up if both shares are at least `_MIXED`."""
    counts = run.sides(predictor)
    if counts is None or min(seen_rows := int(counts[0].sum()), unseen_rows := int(counts[1].sum())) < FEWEST:
        return []
    lost_unseen, lost_seen = counts[1, 0] / unseen_rows, counts[0, 1] / seen_rows
    least = max(_FAVOURED, 2 * math.hypot(_error(lost_unseen, unseen_rows), _error(lost_seen, seen_rows)))
    of_unseen = f"{_percent(lost_unseen, 0)} of the unseen rows ({counts[1, 0]} of {unseen_rows})"
    of_seen = f"{_percent(lost_seen, 0)} of the seen rows ({counts[0, 1]} of {seen_rows})"
    if lost_unseen - lost_seen > least:
        return [f"Seen classes are favoured: {of_unseen} go to seen classes, {of_seen} the other way."]
    if lost_seen - lost_unseen > least:
        return [f"Unseen classes are favoured: {of_seen} go to unseen classes, {of_unseen} the other way."]
    if min(lost_unseen, lost_seen) >= _MIXED:
        return [f"Seen and unseen are mixed up both ways: {of_unseen} go to seen classes, {of_seen} to unseen ones."]
    return [f"Neither side is clearly favoured: {of_unseen} go to seen classes, {of_seen} to unseen ones."]


def _evenness(run: "Recorded", predictor: str, metrics: dict[str, float | None]) -> list[str]:
    """Rule: U and S are called equal within `_EVEN`; a larger difference is named where it exceeds twice its standard error."""
    unseen, seen = metrics.get("unseen"), metrics.get("seen")
    if unseen is None or seen is None:
        return []
    told = f"(U {_percent(unseen)}, S {_percent(seen)})"
    error = 2 * math.hypot(*(_error_of_mean(run, predictor, side) for side in ("unseen", "seen")))
    if abs(unseen - seen) <= _EVEN:
        return [f"Unseen classes are recognised as well as seen ones {told}."]
    if abs(unseen - seen) <= error:
        return [f"Whether unseen classes are recognised as well as seen ones cannot be told from so few test rows {told}."]
    return [f"Unseen classes are recognised {'less well' if unseen < seen else 'better'} than seen ones {told}."]


def _confused(run: "Recorded", predictor: str) -> list[str]:
    """Rule: of an unseen class with at least `FEWEST` rows, other classes that take `_SHARE` of them or more are named, unseen and
    seen ones apart, whichever take more. 'Cannot tell' where these take at least as many rows as are recognised. Among unseen
    classes that is the generator's doing: it made all the rows that tell them apart."""
    by_class: dict[int, list[Confusion]] = {}
    for one in confusions(run, predictor):
        by_class.setdefault(one.label, []).append(one)
    unseen = {label for label, domain in run.domains.items() if domain == "unseen"}
    rows: dict[int, int] = {}
    for label, _, count in run.class_confusion(predictor).tolist():
        rows[label] = rows.get(label, 0) + count
    tested = {label: count for label, count in rows.items() if label in unseen}
    if not tested:
        return []
    told: list[tuple[float, str]] = []
    for label, count in tested.items():
        if count < FEWEST:
            continue
        every = by_class.get(label, [])
        large = [one for one in every if one.share >= _SHARE]
        by_side = [[one for one in large if (one.taken_for in unseen) == side][:_NAMED] for side in (True, False)]
        taken = max(by_side, key=lambda some: sum(one.lost for one in some))
        if taken:
            lost = sum(one.lost for one in taken)
            right = count - sum(one.lost for one in every)
            told.append((lost / count, _sentence(run, label, taken, lost, right, count, taken[0].taken_for in unseen)))
    found = [sentence for _, sentence in sorted(told, key=lambda one: -one[0])[:_NAMED]]
    enough = sum(count >= FEWEST for count in tested.values())
    if not found and enough:
        found = [f"No unseen class loses {_percent(_SHARE, 0)} of its test rows or more to a single other class."]
    if len(told) > _NAMED:
        found.append(f"{len(told) - _NAMED} more unseen classes lose as large a share of their rows to others; see the table.")
    if enough < len(tested):
        found.append(f"Of {len(tested) - enough} unseen classes with fewer than {FEWEST} test rows nothing is said here.")
    return found


def _sentence(
    run: "Recorded", label: int, taken: Sequence[Confusion], lost: int, right: int, rows: int, among_unseen: bool
) -> str:
    name, others = run.class_name(label), _listed([run.class_name(one.taken_for) for one in taken])
    told = f"{_percent(lost / rows, 0)} of its {rows} test rows are taken for {'it' if len(taken) == 1 else 'them'}, "
    told += f"{_percent(right / rows, 0)} are recognised"
    if among_unseen and lost >= right:
        return f"The generator cannot tell {name} from {others}: {told}."
    kind = "" if among_unseen else "the seen class " if len(taken) == 1 else "the seen classes "
    return f"{name} is {'mostly' if lost >= right else 'often'} taken for {kind}{others}: {told}."


def _side_rows(run: "Recorded", predictor: str) -> tuple[int, int]:
    """How many seen and unseen test rows there are; 0 where the folder does not say."""
    counts = run.sides(predictor)
    return (0, 0) if counts is None else (int(counts[0].sum()), int(counts[1].sum()))


def _error_of_mean(run: "Recorded", predictor: str, side: str) -> float:
    """Standard error of the mean over the classes of a side of their accuracies; 0 where counts of rows are not known."""
    rows: dict[int, list[int]] = {}
    for label, other, count in run.class_confusion(predictor).tolist():
        if run.domains.get(label) == side:
            of = rows.setdefault(label, [0, 0])
            of[0] += count
            of[1] += count * (label == other)
    # One right and one wrong row more (Agresti and Coull), so that a class with few rows, all of them right, is not certain.
    errors = [_error((right + 1) / (total + 2), total + 2) for total, right in rows.values()]
    return float(np.sqrt(np.sum(np.square(errors)))) / len(errors) if errors else 0.0


def _error(share: float, rows: int) -> float:
    return math.sqrt(share * (1.0 - share) / rows)


def _percent(value: float, digits: int = 1) -> str:
    return f"{100 * value:.{digits}f} %"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
