"""Specs of encoders, KIND:NAME, and encoders made again from their notes; of pictures and of texts alike."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Protocol, TypeVar

from d3gzsl_jax.encoders import weights
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.text import shortened


class Noted(Protocol):
    """An encoder that says what it is."""

    def notes(self) -> dict[str, Any]:
        """As JSON holds it."""


Encoder = TypeVar("Encoder", bound=Noted)


def split(spec: str, kinds: Collection[str], what: str, expected: str) -> tuple[str, str]:
    """'timm' and 'resnet50' of 'timm:resnet50'.

    Args:
        spec: as it is given.
        kinds: that there are.
        what: 'image encoder' or 'text encoder', for the message.
        expected: which specs there are, for the message.

    Raises:
        UserError: it is of no such kind, or names nothing.
    """
    kind, colon, name = spec.partition(":")
    if kind not in kinds or not colon or not name.strip():
        raise UserError(f"{what} {shortened(spec)}: expected {expected}")
    return kind, name


def made_again(notes: Mapping[str, Any], spec: str, what: str, make: Callable[[str], Encoder]) -> Encoder:
    """The encoder that `notes` are of.

    Args:
        notes: of an encoder.
        spec: where it is now, '' for where the notes say.
        what: 'image encoder' or 'text encoder', for messages.
        make: an encoder of a spec.

    Raises:
        UserError: it is not there, or has other weights than noted.
    """
    if not spec and not isinstance(notes.get("spec"), str):
        raise UserError(f"the {what}'s notes name no encoder; give one")
    found = make(spec or notes["spec"])
    weights.check(notes, found.notes(), what)
    return found
