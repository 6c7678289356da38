"""New classes in words, or in the attributes a model knows by name, as the semantic vectors that it takes."""

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from d3gzsl_jax.data.formats.class_files import new_names
from d3gzsl_jax.encoders.class_table import (
    ClassTable,
    class_semantics,
    cut_off,
    described,
    no_descriptions,
    read_class_table,
)
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs.encoded_model import EncodedModel
from d3gzsl_jax.text import listed

if TYPE_CHECKING:
    from d3gzsl_jax.encoders.texts import TextEncoder

Described = str | Path | ClassTable | Mapping[str, str | Sequence[str]]
"""A CSV (see encoders/class_table.py), or names with a description or several of them."""

_VECTORS = "give their vectors instead, --semantics=FILE"


class Model(EncodedModel, Protocol):
    """What of a `TrainedModel` is used here."""

    @property
    def semantics(self) -> np.ndarray:
        """(C, da)."""


def table_of(classes: Described) -> ClassTable:
    """The table that is meant.

    Raises:
        UserError: it is none, or a class has no description.
    """
    if isinstance(classes, ClassTable):
        return classes
    if not isinstance(classes, Mapping):
        return read_class_table(classes)
    several = lambda texts: [texts] if isinstance(texts, str) or not isinstance(texts, Iterable) else list(texts) or [""]  # noqa: E731
    return described([(name, text, 0) for name, texts in classes.items() for text in several(texts)])


def check_fits(model: Model, table: ClassTable) -> ClassTable:
    """The table as the model takes it: attributes in the order of its own.

    Raises:
        UserError: the model was trained with another kind of semantics, with other attributes, or knows a class of that name.
    """
    where = f"{table.path}: " if table.path else ""
    try:
        new_names(table.names, model.class_names)
    except UserError as error:
        raise UserError(f"{where}{error}") from None
    notes = model.encoders or {}
    known = tuple(notes.get("attribute_names") or ())
    if table.descriptions is not None:
        if not notes.get("text"):
            of = f"its semantics are the {len(known)} attributes {listed(known, 4)}: give these" if known else _VECTORS
            raise UserError(f"{where}has descriptions, but the model knows no text encoder; {of}")
        return table
    if notes.get("text"):
        raise UserError(f"{where}has numbers, but the model was trained on descriptions; give the columns class,description")
    if not known:
        raise UserError(f"{where}has the columns {listed(table.attribute_names, 4)}, but the model's have no names; {_VECTORS}")
    given = table.attribute_names
    missing, further = [name for name in known if name not in given], [name for name in given if name not in known]
    if missing or further:
        lists = (("it lacks", missing), ("the model does not know", further))
        wrong = ", and ".join(f"{what} {listed(names, 6)}" for what, names in lists if names)
        raise UserError(f"{where}its columns are not the {len(known)} attributes of the model: {wrong}; correct them")
    assert table.attributes is not None
    return table._replace(attributes=table.attributes[:, [given.index(name) for name in known]], attribute_names=known)


def text_encoder_for(model: Model, spec: str = "") -> "TextEncoder":
    """The encoder that makes of descriptions what the model takes.

    Args:
        model: it knows its encoder where it was trained on descriptions that `d3gzsl embed` encoded.
        spec: says where the encoder is now, '' for where it was.

    Raises:
        UserError: there is none, it has other weights, or makes vectors of another size.
    """
    from d3gzsl_jax.encoders.texts import text_encoder_of

    notes: Any = (model.encoders or {}).get("text")
    if not notes:
        raise UserError(f"the model knows no text encoder, which descriptions need; {_VECTORS}")
    found = text_encoder_of(notes, spec)
    if found.size != model.semantics.shape[1]:
        raise UserError(
            f"text encoder {notes.get('name')}: makes {found.size} values a class, but the model takes {model.semantics.shape[1]}"
        )
    return found


def new_semantics(
    model: Model, classes: Described, encoder: str = "", say: Callable[[str], None] = warnings.warn
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Vectors (k, da) float32, raw, and names of new classes for a model.

    Args:
        model: that is to know them.
        classes: with descriptions, for a model that was trained on such, or with its attributes.
        encoder: says where the model's text encoder is now, '' for where it was.
        say: gets what is to be known of them, as of descriptions that are too long.

    Raises:
        UserError: they do not fit the model, its text encoder is not there, or one is named for a table of numbers.
    """
    table = check_fits(model, table_of(classes))
    if table.descriptions is None:
        if encoder:
            raise UserError(no_descriptions("--text-encoder", table))
        return class_semantics(table, None), table.names
    text = text_encoder_for(model, encoder)
    if told := cut_off(table, text):
        say(told)
    return class_semantics(table, text), table.names
