"""Semantic vectors: whether they tell classes apart, and their normalisation."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from d3gzsl_jax.data.benchmark import GZSLData, class_text
from d3gzsl_jax.errors import UserError

_LARGEST = 1e15  # beyond, products within a network leave float32
_NEXT_TO_NOTHING = 1e-4  # beside noise of standard deviation 1, which the generator has them with
_ALIKE = 1e-6  # of the largest value or difference there is: what differs by less, float32 hardly tells apart
_SAFE_NORMS = (1e-15, 1e15)  # whose squares float32 holds
_TINY = float(np.finfo(np.float32).tiny)  # arithmetic takes what is below for 0


def check_semantics(data: GZSLData, after: str = "") -> None:
    """Refuses vectors (C, da) that no model could tell classes by.

    Args:
        data: whose semantics are numbers of the right shape.
        after: what was done to them, for the message, as ' after normalisation'.

    Raises:
        UserError: naming class and dimension.
    """
    semantics, name = as_float32(data.semantics).astype(np.float64), data.key("semantics")
    check_values(data.semantics, lambda label: f"{name}: {data.class_text(label)}", data.first)
    largest = np.abs(semantics).max(axis=0)
    if len(semantics) > 1 and not (np.ptp(semantics, axis=0) > np.maximum(_ALIKE * largest, _TINY)).any():
        column = int(np.argmax(largest))
        what = "is zero" if not np.abs(semantics[:, column]).max() > _TINY else f"has {semantics[0, column]:.6g}"
        raise UserError(
            f"{name}: the semantic vectors of all {len(semantics)} classes are equal{after}: each, from {data.class_text(0)} to "
            f"{data.class_text(len(semantics) - 1)}, {what} in dimension {column + data.first}, and so on; nothing "
            "tells unseen classes apart: give vectors that do"
        )


def check_values(semantics: np.ndarray, name: Callable[[int], str], first: int = 0) -> None:
    """Refuses vectors (k, da) with a value that no network computes with.

    Args:
        semantics: raw, of any class, new or old.
        name: says for messages what a row is of.
        first: what they count dimensions from.

    Raises:
        UserError: naming the first row that has one.
    """
    found = as_float32(semantics)
    bad = ~(np.abs(found) <= _LARGEST)  # NaN is not either
    if bad.any():
        row = int(np.argmax(bad.any(axis=1)))
        column = int(np.argmax(bad[row]))
        why = value_problem(found[row, column]) if np.isfinite(found[row, column]) else "that is not finite as float32"
        where = f"{semantics[row, column]} in dimension {column + first}"
        raise UserError(f"{name(row)} has a value {why}, {where}; repair or rescale it")


def value_problem(value: float) -> str:
    """What one value of a vector is, if it is one that `check_values` refuses; else ''."""
    with np.errstate(over="ignore"):
        size = abs(float(np.float32(value)))
    return "" if size <= _LARGEST else "too large for float32 networks" if size < np.inf else "no finite number"


def check_new(semantics: np.ndarray, names: Sequence[str], known: np.ndarray, known_names: Sequence[str]) -> None:
    """Refuses a new class whose vector is that of another.

    Args:
        semantics, names: of the new classes, (k, da).
        known, known_names: of those that there are, (C, da).

    Raises:
        UserError: naming both.
    """
    vectors, called = np.concatenate([known, semantics]), (*known_names, *names)
    for place in range(len(known), len(vectors)):
        if (equal := (vectors[:place] == vectors[place]).all(axis=1)).any():
            other = class_text(int(np.argmax(equal)), called)
            raise UserError(
                f"class {called[place]!r}: its semantic vector is that of {other}, and nothing else tells them apart; give another"
            )


def doubts_on_semantics(data: GZSLData) -> list[str]:
    """A line for each thing about the vectors (C, da), as a model gets them, that no one would want; [] where there is none."""
    semantics, name, found = as_float32(data.semantics).astype(np.float64), data.key("semantics"), []
    spread = float(np.ptp(semantics, axis=0).max())
    if spread < _NEXT_TO_NOTHING:
        found.append(
            f"{name}: the semantic vectors of any two classes differ by at most {spread:.1g} in any dimension, which is next to "
            "nothing beside the generator's noise of standard deviation 1; rescale them"
        )
    zero = np.flatnonzero(~(np.abs(semantics) > _TINY).any(axis=1))
    if zero.size:
        further = f" ({zero.size} such classes)" if zero.size > 1 else ""
        found.append(f"{name}: the semantic vector of {data.class_text(zero[0])} is zero in every dimension{further}")
    alike = list(_alike(semantics, _ALIKE * spread))
    if alike:
        unseen = [pair for pair in alike if np.isin(pair, data.unseen_classes).any()]
        one, other = (unseen or alike)[0]
        further = f" ({len(alike)} such pairs)" if len(alike) > 1 else ""
        found.append(
            f"{name}: the semantic vectors of {data.class_text(one)} and {data.class_text(other)} are equal in every dimension"
            f"{further}: nothing tells these classes apart" + (", and rows synthesized for one are the other's" if unseen else "")
        )
    return found


def _alike(semantics: np.ndarray, bound: float) -> Iterator[tuple[int, int]]:
    """Pairs of classes, the lower first, whose vectors (C, da) differ by at most `bound` in every dimension. Neighbours along a
    direction drawn at random are compared: what is alike lies there together."""
    direction = np.random.default_rng(0).standard_normal(semantics.shape[1])
    order = np.argsort((semantics * direction).sum(axis=1), kind="stable")
    close = (np.abs(np.diff(semantics[order], axis=0)) <= bound).all(axis=1)
    for place in np.flatnonzero(close):
        one, other = sorted(map(int, order[place : place + 2]))
        yield one, other


def as_float32(semantics: np.ndarray) -> np.ndarray:
    """The vectors in float32, in C order; what that cannot hold becomes infinite, which `check_semantics` refuses."""
    with np.errstate(over="ignore", under="ignore"):
        return np.ascontiguousarray(semantics, np.float32)


def normalize_semantics(data: GZSLData) -> np.ndarray:
    """Semantic vectors (C, da) divided by their L2 norms.

    Raises:
        UserError: a class has an all-zero vector.
    """
    return unit_semantics(data.semantics, lambda label: f"{data.key('semantics')}: {data.class_text(label)}")


def unit_semantics(semantics: np.ndarray, name: Callable[[int], str]) -> np.ndarray:
    """Rows (k, da) divided by their L2 norms, float32; `name` says for messages what a row is of.

    Raises:
        UserError: a row is all zero.
    """
    with np.errstate(over="ignore", under="ignore", divide="ignore", invalid="ignore"):
        norms = np.linalg.norm(semantics, axis=1, keepdims=True)
        unit = (semantics / norms).astype(np.float32)
        low, high = _SAFE_NORMS
        odd = ~((norms > low) & (norms < high)).ravel()
        wide = semantics[odd].astype(np.float64)
        wide_norms = np.linalg.norm(wide, axis=1, keepdims=True)
        unit[odd] = wide / wide_norms
    if (wide_norms == 0).any():
        raise UserError(
            f"{name(int(np.flatnonzero(odd)[np.argmax(wide_norms == 0)]))} has an all-zero vector, which cannot be normalised; set "
            "config.data.normalize_semantics to False"
        )
    return unit
