"""Gathers predictions for a page, the least sure ones where they are many, and writes it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from d3gzsl_jax.runs import contents
from d3gzsl_jax.runs.accuracy import Accuracy
from d3gzsl_jax.runs.display import Display
from d3gzsl_jax.runs.gallery.page import Card, Shown, page
from d3gzsl_jax.runs.predictions import Predictions
from d3gzsl_jax.runs.results import method
from d3gzsl_jax.system import atomic
from d3gzsl_jax.text import printable

if TYPE_CHECKING:
    from d3gzsl_jax.runs.model import TrainedModel

MARK = "<!-- d3gzsl gallery of predictions -->"
"""Is in every page, by which it is known."""

MOST = 2000
"""So many rows are shown on a page at most: the least sure ones."""
_LONGEST = 2**16  # bytes in which it is looked for: it comes after the style


def output_file(target: str | Path, option: str, inputs: Sequence[Path] = ()) -> Path:
    """Where a gallery may be written: nothing is there, or one is; see `contents.output`."""
    return contents.output(target, option, _is_gallery, "gallery of predictions", inputs)


def _is_gallery(path: Path) -> bool:
    try:
        with open(path, "rb") as file:
            return MARK.encode() in file.read(_LONGEST)
    except OSError:
        return False


class Gallery:
    """Predictions of a page, as they come.

    Args:
        model: what predicts.
        pictures: of all rows to come, in order; () where rows are no pictures.
        skipped: names of pictures that could not be read, with the reason.
        thumbnails: of all the pictures, where they were made when they were open; () to open them again.
        told: what predicts and how good it is, in sentences.
    """

    CLASSES = 3
    """So many classes a row are shown at least."""

    def __init__(
        self, model: "TrainedModel", pictures: Sequence[Path] = (), skipped: Sequence[tuple[str, str]] = (), most: int = MOST,
        thumbnails: Sequence[tuple[str, bool]] = (), told: Sequence[str] = (),
    ) -> None:
        self._told = told
        self._thumbnails_of_rows = thumbnails
        self._model, self._pictures, self._skipped, self._most = model, pictures, skipped, most
        self._cards: list[Card] = []
        self._rows = 0

    def add(self, found: Predictions) -> None:
        """The next rows."""
        classes, probabilities = np.asarray(found.classes).tolist(), np.asarray(found.probabilities).tolist()
        for place, (ids, values) in enumerate(zip(classes, probabilities, strict=True)):
            label, name = (-1, "") if found.truth is None else (int(found.truth.ids[place]), found.truth.names[place])
            called = f"row {self._rows}" if found.row_names is None else found.row_names[place]
            self._cards.append(Card(self._rows, called, ids, values, label, name))
            self._rows += 1
        if len(self._cards) > 4 * self._most:
            self._cards = self._least_sure()

    def _least_sure(self) -> list[Card]:
        return sorted(self._cards, key=lambda card: (card.probabilities[0], card.row))[: self._most]

    def write(self, target: Path, accuracy: Accuracy | None, display: Display) -> str:
        """Writes the page, whole or as it was; returns what to say of it.

        Raises:
            UserError: it cannot be written.
        """
        model, cards = self._model, self._least_sure()
        called, unseen = f"{model.name}, by a run of {method(model.config)}", frozenset(model.unseen.tolist())
        shown = Shown(called, cards, self._rows, model.class_names, unseen, accuracy, self._skipped, self._told)
        thumbnails = self._thumbnails(cards, display) if self._pictures else []
        atomic.write_text(target, printable(page(shown, thumbnails, MARK)), parents=True)
        cut = f", the least sure of {self._rows}" if len(cards) < self._rows else ""
        return f"wrote {target}: a page of {len(cards)} {'pictures' if self._pictures else 'rows'}{cut}"

    def _thumbnails(self, cards: Sequence[Card], display: Display) -> list[tuple[str, bool]]:
        if self._thumbnails_of_rows:
            return [self._thumbnails_of_rows[card.row] for card in cards]
        from d3gzsl_jax.runs.gallery.thumbnails import thumbnail

        found = []
        display.start("thumbnails", len(cards))
        try:
            for card in cards:
                found.append(thumbnail(self._pictures[card.row]))
                display.advance(1)
        finally:
            display.stop()
        return found
