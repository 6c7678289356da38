"""Text encoders by name: descriptions to vectors.

| spec | is |
|---|---|
| `sentence-transformers:NAME` | a sentence encoder of sentence-transformers, by name or folder |
| `clip:NAME` | the text side of a CLIP or SigLIP model of Hugging Face, by name or folder |
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from d3gzsl_jax.encoders import specs

if TYPE_CHECKING:
    import numpy as np

KINDS = ("sentence-transformers", "clip")


class TextEncoder(Protocol):
    """Texts to vectors, the same each time."""

    @property
    def size(self) -> int:
        """How many values a vector has."""

    def notes(self) -> dict[str, Any]:
        """What it is, as JSON: kind, name, SHA-256 of the weights; `text_encoder_of` makes the same one of it."""

    def encode(self, texts: Sequence[str]) -> "np.ndarray":
        """(n, size) float32; what of a text the model cannot take is cut off."""

    def too_long(self, texts: Sequence[str]) -> int:
        """How many of them are cut off."""


def text_encoder(spec: str) -> TextEncoder:
    """The encoder that `spec` names; weights are downloaded where it names some that are not here yet.

    Raises:
        UserError: no such encoder; a library, a file or the network is missing.
    """
    kind, name = split(spec)
    if kind == "clip":
        from d3gzsl_jax.encoders.clip import clip_texts

        return clip_texts(name)
    from d3gzsl_jax.encoders.sentence_texts import sentence_encoder

    return sentence_encoder(name)


def split(spec: str) -> tuple[str, str]:
    """'clip' and 'openai/clip-vit-base-patch32' of 'clip:openai/clip-vit-base-patch32'.

    Raises:
        UserError: it names no encoder of texts.
    """
    return specs.split(spec, KINDS, "text encoder", "sentence-transformers:NAME_OR_FOLDER or clip:NAME_OR_FOLDER")


def text_encoder_of(notes: Mapping[str, Any], spec: str = "") -> TextEncoder:
    """The encoder that `notes` are of.

    Args:
        notes: of an encoder.
        spec: where it is now, if not where the notes say.

    Raises:
        UserError: it is not there, or has other weights than noted.
    """
    return specs.made_again(notes, spec, "text encoder", text_encoder)
