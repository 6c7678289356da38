"""The classes that rows to predict are known to be of, by the ids of a model."""

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from d3gzsl_jax.text import clean_name


class Truth(NamedTuple):
    """Of n rows.

    Attributes:
        ids: (n,) int32; -1 where nothing is known, or the model does not know the class.
        names: of the classes, as the model has them, or as they are given where it does not know them; '' where nothing is known.
    """

    ids: np.ndarray
    names: tuple[str, ...]

    @property
    def ids_or_nan(self) -> np.ndarray:
        """`ids` for a table: float64, NaN where there is none."""
        return np.where(self.ids < 0, np.nan, self.ids)

    @property
    def strangers(self) -> dict[str, int]:
        """Classes that the model does not know, each with its number of rows."""
        found: dict[str, int] = {}
        for label, name in zip(self.ids.tolist(), self.names, strict=True):
            if label < 0 and name:
                found[name] = found.get(name, 0) + 1
        return found

    def part(self, start: int, stop: int) -> "Truth":
        """Of some of the rows."""
        return Truth(self.ids[start:stop], self.names[start:stop])

    def of(self, rows: np.ndarray) -> "Truth":
        """Of the rows of these numbers."""
        return Truth(self.ids[rows], tuple(self.names[row] for row in rows))


def truth_of(classes: Sequence[str | int | None] | None, class_names: Sequence[str]) -> Truth | None:
    """What is known of rows; None where that is nothing.

    Args:
        classes: a name or a number each, None where it is not known. A name may differ from that of the model in case, and in what
            stands between its words, as the names of folders do, where only one class is then meant. A number 3 is of the class
            called "class 3", as classes of a file without names are; else it is an id of the model, unless its ids are no longer
            the numbers in such names, because classes were left out.
        class_names: of the model, by id.
    """
    if classes is None or all(given is None for given in classes):
        return None
    exact = {clean_name(name): label for label, name in enumerate(class_names)}
    like: dict[str, int] = {}
    for label, name in enumerate(class_names):
        like[_plain(name)] = -1 if _plain(name) in like else label
    numbered = all(name == f"class {label}" for label, name in enumerate(class_names) if re.fullmatch("class [0-9]+", name))
    known: dict[str | int | None, tuple[int, str]] = {None: (-1, "")}
    for given in set(classes) - {None}:
        if isinstance(given, str):
            name = clean_name(given)
            label = exact[name] if name in exact else like.get(_plain(name), -1)
        else:
            name = f"class {given}"
            label = exact.get(name, int(given or 0) if numbered and 0 <= int(given or 0) < len(class_names) else -1)
        known[given] = (label, class_names[label] if label >= 0 else name)
    found = [known[given] for given in classes]
    return Truth(np.array([label for label, _ in found], np.int32), tuple(name for _, name in found))


def _plain(name: str) -> str:
    """The words of a name, in small letters; a name without any as it is."""
    name = clean_name(name).casefold()
    letters = (one if unicodedata.category(one)[0] in "LMN" else " " for one in name)  # M: vowel signs, of which words are made too
    return " ".join("".join(letters).split()) or name
