"""Pictures to predict as feature rows: which pictures are meant, which encoder a model takes, and what it makes of them."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from d3gzsl_jax.encoders.pictures import Picture, find_pictures
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs.display import Display
from d3gzsl_jax.system import paths

if TYPE_CHECKING:
    from d3gzsl_jax.encoders.images import ImageEncoder
    from d3gzsl_jax.runs.model import TrainedModel

Source = str | Path | Sequence[str | Path]
"""A folder, a picture, a CSV of file,class, or paths of pictures."""


class PictureRows(NamedTuple):
    """Feature rows of pictures.

    Attributes:
        features: (n, dx) float32.
        pictures: n, with their names.
        skipped: names of those that could not be read, with the reason.
    """

    features: np.ndarray
    pictures: Sequence[Picture]
    skipped: Sequence[tuple[str, str]]

    @property
    def classes(self) -> tuple[str | None, ...]:
        """What each picture is said to be of: its folder, or the CSV's word."""
        return tuple(one.class_name for one in self.pictures)


def pictures_of(source: Source, option: str = "--images") -> list[Picture]:
    """The pictures that are meant, at least one.

    Raises:
        UserError: there is none.
    """
    if not isinstance(source, str | Path):
        found = [Picture(path, str(given), None) for given in source if (path := paths.clean(given, option))]
    else:
        path = paths.clean(source, option)
        is_one = path.is_file() and path.suffix.lower() != ".csv"
        found = [Picture(path, path.name, None)] if is_one else find_pictures(path)
    if not found:
        raise UserError(f"{option}: no pictures are given; give a folder, a picture or a CSV of file,class")
    return found


def encoder_of(model: "TrainedModel", spec: str = "") -> "ImageEncoder":
    """The encoder that makes of pictures what the model takes.

    Args:
        model: it knows its encoder where it was trained on what `d3gzsl embed` wrote.
        spec: names one for a model that knows none, or says where the weights are now.

    Raises:
        UserError: there is none, it has other weights than the model's, or makes rows of another size.
    """
    from d3gzsl_jax.encoders.images import image_encoder, image_encoder_of

    if model.representation_size:
        raise UserError("--images: this model takes representations beside features, which pictures alone do not give; use --input")
    notes = (model.encoders or {}).get("image")
    if not notes and not spec:
        raise UserError(
            "--image-encoder is missing: the model does not say which encoder made its features; name it, as in "
            "--image-encoder=resnet101 or onnx:FILE"
        )
    found = image_encoder_of(notes, spec) if notes else image_encoder(spec)
    if found.size != model.feature_size:
        called = f"--image-encoder={spec}" if spec else "the model's image encoder"
        raise UserError(f"{called}: makes {found.size} features a picture, but the model takes {model.feature_size}; name its own encoder")
    return found


def picture_rows(source: Source, encoder: "ImageEncoder", display: Display, bad: str = "refuse") -> PictureRows:
    """Feature rows of pictures.

    Args:
        source: which.
        encoder: see `encoder_of`.
        display: where progress goes.
        bad: what is done with one that cannot be read: 'refuse', or 'skip', which leaves it out.

    Raises:
        UserError: there is no picture, or one cannot be read.
    """
    from d3gzsl_jax.encoders.embed_pictures import embed_pictures

    found = embed_pictures(pictures_of(source), encoder, display, bad)
    if not len(found.pictures):
        raise UserError(f"--images: none of {len(found.skipped)} pictures can be read; the first: {': '.join(found.skipped[0])}")
    return PictureRows(found.features, found.pictures, found.skipped)
