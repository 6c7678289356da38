"""From many pictures to feature rows: in batches, with progress, resumable, and with the broken ones refused or named."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from d3gzsl_jax.encoders.feature_cache import FeatureCache, key
from d3gzsl_jax.encoders.images import ImageEncoder
from d3gzsl_jax.encoders.pictures import Picture, bad_ones, check_picture, open_picture
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.text import cut, shortened

if TYPE_CHECKING:
    from PIL.Image import Image

BATCH, BATCHES = 32, (1, 2**16)
"""Pictures that an encoder gets at once: usually, and the least and the most."""
BAD = ("refuse", "skip")
"""What may be done with pictures that cannot be read."""
_KEEP_EVERY = 20.0  # seconds, of which at most that much work is lost
_KEEP_ROWS = 2048


class Screen(Protocol):
    """What of a display is used here: `d3gzsl_jax.runs.display.Display`."""

    def start(self, phase: str, total: int, done: int = 0) -> None:
        """Begins a phase."""

    def advance(self, units: int) -> None:
        """Some of it is done."""

    def stop(self) -> None:
        """Ends it."""

    def say(self, text: str) -> None:
        """One line."""

    def doing(self, what: str, logged: bool = True) -> AbstractContextManager[None]:
        """Says what is going on within it."""


class Embedded(NamedTuple):
    """`features` (n, d) float32 of the `pictures` that could be read; `skipped`: name of each other one, and why."""

    features: np.ndarray
    pictures: list[Picture]
    skipped: list[tuple[str, str]]


def embed_pictures(
    pictures: Sequence[Picture], encoder: ImageEncoder, display: Screen, on_bad: str = "refuse",
    cache: str | os.PathLike[str] | None = None, batch: int = BATCH, look: "Callable[[Picture, Image], None] | None" = None,
) -> Embedded:
    """Feature rows of pictures, in their order.

    Args:
        pictures: of `find_pictures`.
        encoder: of `image_encoder`.
        display: where progress goes.
        on_bad: 'refuse' pictures that cannot be read, or 'skip' them.
        cache: a folder for what is done: the same call goes on from it. None to keep nothing.
        batch: how many pictures the encoder gets at once.
        look: called with each picture that is opened, and its pixels, which it leaves as they are.

    Raises:
        UserError: no picture can be read; or with 'refuse', one cannot.
    """
    require_bad(on_bad)
    bad = _seen_bad(pictures, display)
    _refuse(_named(bad), len(pictures), on_bad)
    store = FeatureCache(Path(cache), encoder.notes(), encoder.size) if cache is not None else None
    reasons = {picture.path: why for picture, why in bad}  # a path tells pictures apart, whatever they are called
    good = [picture for picture in pictures if picture.path not in reasons]
    keys = {picture.path: key(picture) for picture in good}
    waiting = {picture.path for picture in good if store is None or keys[picture.path] not in store}
    rows = _Rows(store, encoder.size)
    if store is not None and len(waiting) < len(good):
        display.say(f"{len(good) - len(waiting)} of {len(good)} pictures were done before")
    began = time.monotonic()
    display.start("reading pictures", len(good), len(good) - len(waiting))
    try:
        for place in range(0, len(good), batch):  # the same batches however often the run was cut: so are the last bits
            wanted = [picture for picture in good[place : place + batch] if picture.path in waiting]
            if not wanted:
                continue
            done: list[Picture] = []
            broken: list[tuple[Picture, str]] = []
            found = encoder.encode(_opened(wanted, done, broken, look))
            rows.add([keys[picture.path] for picture in done], found)
            reasons |= {picture.path: why for picture, why in broken}
            if broken and on_bad == "refuse":
                rows.keep()
                _refuse(_named(broken), len(pictures), on_bad)
            display.advance(len(done) + len(broken))
    except BaseException:
        rows.keep()  # ctrl-C, or a full disk: what is done is done
        raise
    finally:
        display.stop()
    rows.keep()
    if waiting:
        seconds = time.monotonic() - began
        display.say(f"read {len(waiting)} pictures in {seconds:.1f} s, {len(waiting) / max(seconds, 1e-9):.1f} a second")
    skipped = [(picture.name, reasons[picture.path]) for picture in pictures if picture.path in reasons]
    good = [picture for picture in good if picture.path not in reasons]
    if not good:
        raise UserError(f"none of {len(pictures)} pictures can be read: {bad_ones(skipped)}")
    return Embedded(rows.of([keys[picture.path] for picture in good]), good, skipped)


def require_bad(bad: str) -> None:
    """Refuses what says nothing of pictures that cannot be read.

    Raises:
        UserError: naming the words.
    """
    if bad not in BAD:
        raise UserError(f"--bad={shortened(bad)}: expected one of {', '.join(BAD)}")


class _Rows:
    """Feature rows by key, in memory, or where there is a cache in that, from time to time."""

    def __init__(self, store: FeatureCache | None, size: int) -> None:
        self._store, self._size = store, size
        self._keys: list[str] = []
        self._blocks: list[np.ndarray] = []
        self._since = time.monotonic()

    def add(self, keys: list[str], rows: np.ndarray) -> None:
        self._keys += keys
        self._blocks.append(rows)
        if time.monotonic() - self._since > _KEEP_EVERY or len(self._keys) >= _KEEP_ROWS:
            self.keep()

    def keep(self) -> None:
        if self._store is not None and self._keys:
            self._store.add(self._keys, np.concatenate(self._blocks))
            self._keys, self._blocks = [], []
        self._since = time.monotonic()

    def of(self, keys: list[str]) -> np.ndarray:
        if self._store is not None:
            return self._store.rows(keys)
        places = {name: row for row, name in enumerate(self._keys)}
        return np.concatenate(self._blocks)[[places[name] for name in keys]]


def _seen_bad(pictures: Sequence[Picture], display: Screen) -> list[tuple[Picture, str]]:
    """Those that can be seen to be no pictures by their first bytes, and why."""
    found = []
    with display.doing("looking at the pictures", logged=False):
        for picture in pictures:
            try:
                check_picture(picture.path, picture.name)
            except UserError as error:
                found.append((picture, _why(error, picture)))
    return found


def _named(bad: Sequence[tuple[Picture, str]]) -> list[tuple[str, str]]:
    """The same by name."""
    return [(picture.name, why) for picture, why in bad]


def _refuse(bad: list[tuple[str, str]], total: int, on_bad: str) -> None:
    if bad and on_bad == "refuse":
        raise UserError(f"{len(bad)} of {total} pictures cannot be read: {bad_ones(bad)}; mend or remove them, or --bad=skip")


def _opened(
    pictures: Sequence[Picture], done: list[Picture], broken: list[tuple[Picture, str]],
    look: "Callable[[Picture, Image], None] | None",
) -> "Iterator[Image]":
    """The pixels of one after another; which they are goes into `done`, and what cannot be read into `broken`."""
    for picture in pictures:
        try:
            pixels = open_picture(picture.path, picture.name)
        except UserError as error:
            broken.append((picture, _why(error, picture)))
            continue
        done.append(picture)
        if look:
            look(picture, pixels)
        yield pixels


def _why(error: UserError, picture: Picture) -> str:
    """The reason alone: name and advice are said once for all."""
    return str(error).removeprefix(f"{cut(picture.name)}: ").rpartition("; ")[0] or str(error)
