"""What the page of predictions shows, as plain values that page.html lays out."""

import base64
import hashlib
import math
from collections.abc import Iterator, Sequence, Set
from pathlib import Path
from typing import Any, NamedTuple

from d3gzsl_jax.runs.accuracy import TRAINED_ON, Accuracy, said_of_strangers
from d3gzsl_jax.runs.display import percent
from d3gzsl_jax.runs.report.html import render
from d3gzsl_jax.text import clean_name, ended

_MATRIX = 30  # a confusion matrix of more classes is no table to read
_CONFUSIONS = 12  # the largest that are listed
_MEAN = "mean over classes"
_SKIPPED = 50  # names of pictures left out
_MEANINGS = {
    "U": "accuracy of those of unseen classes, mean over classes; any class may be answered.",
    "S": "the same of seen classes.",
    "H": "the harmonic mean of U and S: high only where both are.",
}
_SCRIPT = Path(__file__).with_name("script.js")


class Card(NamedTuple):
    """A row of the page.

    Attributes:
        row: its number.
        file: its name.
        classes, probabilities: of the best classes, best first.
        truth: the class it is known to be of; -1 where the model does not know it, or nothing is known.
        truth_name: of that class, '' where nothing is known.
    """

    row: int
    file: str
    classes: list[int]
    probabilities: list[float]
    truth: int = -1
    truth_name: str = ""


class Shown(NamedTuple):
    """What a page is of.

    Attributes:
        model: what it is called.
        cards: in the order of the page.
        rows: how many were predicted.
        class_names: by id.
        unseen: ids of the unseen classes.
        accuracy: of all rows; None where it is not known.
        skipped: names of pictures left out, with the reason.
        told: what predicts and how good it is, in sentences.
    """

    model: str
    cards: Sequence[Card]
    rows: int
    class_names: Sequence[str]
    unseen: Set[int]
    accuracy: Accuracy | None
    skipped: Sequence[tuple[str, str]]
    told: Sequence[str] = ()


def page(shown: Shown, thumbnails: Sequence[tuple[str, bool]], mark: str) -> str:
    """The whole page.

    Args:
        shown: what it is of.
        thumbnails: of the cards, see `thumbnails.thumbnail`; [] where they are no pictures.
        mark: a comment of HTML by which the page is known.
    """
    from markupsafe import Markup

    things = "pictures" if thumbnails else "rows"
    script = _SCRIPT.read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    cards = [_card(shown, card, *(thumbnails[place] if thumbnails else ("", False))) for place, card in enumerate(shown.cards)]
    return render(
        "runs/gallery/page.html", title=f"Predictions, {shown.model}", mark=Markup(mark), script=Markup(script), digest=digest,
        shown=shown, cards=cards, things=things, predicted=_options(cards, "name", "label"),
        true_classes=_options(cards, "truth", "truth_label"), are_known=any(card["truth"] for card in cards),
        is_cut=len(cards) < shown.rows, skipped=shown.skipped[:_SKIPPED], further=max(len(shown.skipped) - _SKIPPED, 0),
        accuracy=shown.accuracy and _accuracy(shown, shown.accuracy, things), counts=_counts(shown),
    )  # fmt: skip


def _card(shown: Shown, card: Card, thumbnail: str, is_tiny: bool) -> dict[str, Any]:
    best = [
        {
            "name": clean_name(shown.class_names[label]), "kind": _kind(shown, label), "percent": _share(value),
            "width": f"{100 * value:.1f}",
        }
        for label, value in zip(card.classes, card.probabilities, strict=True)
    ]  # fmt: skip
    return {
        "row": card.row, "file": card.file, "best": best, "label": card.classes[0], "name": best[0]["name"],
        "kind": best[0]["kind"], "sure": f"{card.probabilities[0]:.6g}",
        "truth": clean_name(card.truth_name), "truth_label": card.truth,
        "is_wrong": bool(card.truth_name) and card.truth != card.classes[0], "is_strange": bool(card.truth_name) and card.truth < 0,
        "image": thumbnail, "is_tiny": is_tiny,
    }  # fmt: skip


def _kind(shown: Shown, label: int) -> str:
    return "unseen" if label in shown.unseen else "seen"


def _share(value: float) -> str:
    return "< 1 %" if value < 0.005 else f"{100 * value:.0f} %" if value < 0.995 or value == 1.0 else "> 99 %"


def _counts(shown: Shown) -> dict[str, int]:
    of = [_kind(shown, card.classes[0]) for card in shown.cards]
    return {kind: of.count(kind) for kind in ("seen", "unseen")}


def _options(cards: Sequence[dict[str, Any]], name: str, value: str) -> list[tuple[str, str, int]]:
    """What can be chosen: a value, its name and how many cards have it; by name."""
    counts: dict[tuple[str, str], int] = {}
    for card in cards:
        if card[name]:
            key = card[name], str(card[value]) if card[value] >= 0 else f"? {card[name]}"
            counts[key] = counts.get(key, 0) + 1
    return [(chosen, called, count) for (called, chosen), count in sorted(counts.items())]


def _accuracy(shown: Shown, of: Accuracy, things: str) -> dict[str, Any]:
    figures = {"U": of.unseen, "S": of.seen, "H": of.harmonic}
    are_both = not any(map(math.isnan, figures.values()))
    called = {label: clean_name(shown.class_names[label]) for label in of.predicted.tolist()}
    totals = of.confusion.sum(axis=1).tolist()
    pairs = [
        (count / totals[row], count, totals[row], label, other)
        for row, (label, counts) in enumerate(zip(of.classes.tolist(), of.confusion.tolist(), strict=True))
        for other, count in zip(of.predicted.tolist(), counts, strict=True)
        if count and label != other
    ]
    pairs.sort(key=lambda pair: (-pair[0], -pair[1], pair[3], pair[4]))
    tiles = [(name, percent(value)) for name, value in (figures if are_both else {_MEAN: of.by_class}).items()]
    return {
        "tiles": [*tiles, ("of all", percent(of.right / of.rows))], "main": "H" if are_both else _MEAN,
        "meanings": list(_MEANINGS.items()) if are_both else [], "right": of.right, "rows": of.rows,
        "trained_on": "" if math.isnan(of.seen) else TRAINED_ON,
        "strangers": ended(said_of_strangers(of.strangers, shown.class_names, things)) if of.strangers else "",
        "classes": [
            (called[label], _kind(shown, label), rows, percent(value))
            for label, value, rows in zip(of.classes.tolist(), of.of_classes.tolist(), totals, strict=True)
        ],
        "confusions": [
            (called[label], called[other], _kind(shown, other), f"{100 * share:.0f}", f"{count} of {rows}")
            for share, count, rows, label, other in pairs[:_CONFUSIONS]
        ],
        "matrix": list(_matrix(of, called)) if max(of.confusion.shape) <= _MATRIX else [],
        "columns": [(called[label], _kind(shown, label)) for label in of.predicted.tolist()],
    }  # fmt: skip


def _matrix(of: Accuracy, called: dict[int, str]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Rows of the matrix: the class, and its cells."""
    for label, counts in zip(of.classes.tolist(), of.confusion.tolist(), strict=True):
        total, name = sum(counts), called[label]
        yield name, [
            {"count": count, "share": f"{count / total:.3f}", "is_right": other == label, "of": f"{name} as {called[other]}"}
            for other, count in zip(of.predicted.tolist(), counts, strict=True)
        ]
