"""What a caller gives a trained model: raw features, representations where it needs them, and the name of what predicts."""

from collections.abc import Iterator, Sequence

import numpy as np

from d3gzsl_jax.config.run_fields import BASELINES
from d3gzsl_jax.data.formats.class_files import new_names
from d3gzsl_jax.data.semantics import as_float32, check_new, check_values, unit_semantics
from d3gzsl_jax.data.validate import real_numbers
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.system.options import require_whole
from d3gzsl_jax.text import shortened


def checked(rows: np.ndarray, name: str, columns: int, count: int | None = None) -> np.ndarray:
    """Rows (n, columns) of finite numbers, of any width.

    Args:
        rows: as they are given.
        name: what messages call them.
        columns: that the model takes.
        count: rows there must be; None for any number.

    Raises:
        UserError: they are something else.
    """
    rows = real_numbers(np.asarray(rows), name)
    if rows.ndim != 2 or rows.shape[1] != columns or count not in (None, len(rows)):
        raise UserError(f"{name} of shape {rows.shape}: this model takes ({'n' if count is None else count}, {columns})")
    if not np.isfinite(rows).all():
        row = int(np.argmax(~np.isfinite(rows).all(axis=1)))
        raise UserError(f"{name}: row {row} is not finite; extract it again or drop it")
    return rows


def known_predictor(name: str, known: Sequence[str]) -> str:
    """The name of a predictor, refused where it is none of those that a model has.

    Raises:
        UserError: naming these.
    """
    if name in known:
        return name
    beside = f"; {name} is there where the run is trained with --config.eval.baselines={name}" if name in BASELINES else ""
    raise UserError(f"predictor {name!r}: this model has {' and '.join(known) or 'none'}{beside}")


def check_represented(size: int, given: bool) -> None:
    """Refuses rows without the representations that a model needs, or with some that it does not take.

    Args:
        size: of the representations it was trained with, 0 for none.
        given: whether there are some.

    Raises:
        UserError: saying which.
    """
    if given and not size:
        raise UserError("representations: this model takes none; leave them out")
    if size and not given:
        raise UserError(
            f"representations: this model was trained with some; give (n, {size}) of the rows besides their features (d3gzsl "
            "predict --representations=FILE)"
        )


def chunks(
    features: np.ndarray, representations: np.ndarray | None, rows: int
) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    """Both, so many rows at a time."""
    for start in range(0, len(features), rows):
        part = slice(start, start + rows)
        yield features[part], None if representations is None else representations[part]


def checked_synthesis(
    classes: np.ndarray | Sequence[int], count: int, seed: int, known: int
) -> tuple[np.ndarray, int, int]:
    """Class ids (k,) int32 of which rows are to be synthesized, how many of each, and the seed.

    Args:
        classes: (k,) ids.
        count: rows of each, at least 1.
        seed: in [0, 2**32).
        known: how many classes there are.

    Raises:
        UserError: one of them is something else.
    """
    count, seed = require_whole("count", count, 1), require_whole("seed", seed, 0, 2**32 - 1)
    try:
        ids = np.asarray(classes)
    except ValueError:
        ids = np.zeros((0, 0))
    if ids.ndim != 1 or (ids.size and ids.dtype.kind not in "iu"):
        hint = "; of a mask give np.flatnonzero(mask)" if ids.dtype.kind == "b" else ""
        raise UserError(f"classes: need a list of class ids, whole numbers, found {shortened(classes)}{hint}")
    if (bad := (ids < 0) | (ids >= known)).any():
        raise UserError(f"classes: there is no class {ids[bad][0]}; ids go from 0 to {known - 1}")
    return ids.astype(np.int32), count, seed


def checked_classes(
    semantics: np.ndarray, names: Sequence[str], known: np.ndarray, known_names: tuple[str, ...], normalizes: bool
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Semantic vectors of new classes (k, da) float32, as the model's own, and their names, clean.

    Args:
        semantics: (k, da), raw as in the benchmark's files.
        names: k.
        known, known_names: the vectors (C, da) and names of the classes the model knows.
        normalizes: whether its vectors are of length 1.

    Raises:
        UserError: sizes do not fit, a name or a vector is there already, or a vector cannot be used.
    """
    if isinstance(names, str):
        raise UserError(f"names={shortened(names)}: is one text; give a name for each class, ({shortened(names)},)")
    semantics = as_float32(semantics)
    if semantics.ndim != 2 or semantics.shape[1] != known.shape[1] or len(semantics) != len(names):
        told = f"semantics of shape {semantics.shape} with {len(names)} names"
        raise UserError(f"{told}: this model takes ({len(names)}, {known.shape[1]})")
    names = new_names(names, known_names)
    called = lambda row: f"class {shortened(names[row])}"  # noqa: E731
    check_values(semantics, called)
    if normalizes:
        semantics = unit_semantics(semantics, called)
    check_new(semantics, names, known, known_names)
    return semantics, names
