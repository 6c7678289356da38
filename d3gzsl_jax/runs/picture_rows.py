"""Pictures to predict: which are meant, which encoder a model takes, the feature rows it makes of them, and their classes."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from d3gzsl_jax.encoders.embed_pictures import embed_pictures, require_bad
from d3gzsl_jax.encoders.pictures import Picture, bad_ones, find_pictures
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs.display import Display
from d3gzsl_jax.runs.encoded_model import EncodedModel
from d3gzsl_jax.runs.predictions import Predictions
from d3gzsl_jax.runs.truth import truth_of
from d3gzsl_jax.system import paths

if TYPE_CHECKING:
    from PIL.Image import Image

    from d3gzsl_jax.encoders.images import ImageEncoder

Source = str | Path | Sequence[str | Path]
"""A folder, a picture, a CSV of file,class, or paths of pictures."""


class Model(EncodedModel, Protocol):
    """What of a `TrainedModel` is used here."""

    @property
    def feature_size(self) -> int:
        """dx."""

    @property
    def representation_size(self) -> int:
        """0 where it takes none."""

    def check_predictor(self, predictor: str = "") -> str:
        """Refuses one that is not there."""

    def check_top(self, top: int) -> None:
        """Refuses more classes than there are."""

    def predict(self, features: np.ndarray, top: int = 1, predictor: str = "") -> Predictions:
        """The best classes of feature rows."""


class PictureRows(NamedTuple):
    """Feature rows of pictures.

    Attributes:
        features: (n, dx) float32.
        pictures: n, with their names.
        skipped: names of those that could not be read, with the reason.
        thumbnails: of the pictures, see `thumbnails.shrunk`; () where none were asked for.
    """

    features: np.ndarray
    pictures: Sequence[Picture]
    skipped: Sequence[tuple[str, str]]
    thumbnails: Sequence[tuple[str, bool]] = ()

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
        is_one = path.is_file() and path.suffix.lower() not in (".csv", ".tsv")
        found = [Picture(path, path.name, None)] if is_one else find_pictures(path, option)
    if not found:
        raise UserError(f"{option}: no pictures are given; give a folder, a picture or a CSV of file,class")
    return found


def encoder_of(model: Model, spec: str = "") -> "ImageEncoder":
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
        takes = f"but the model takes {model.feature_size}"
        raise UserError(f"{called}: makes {found.size} features a picture, {takes}; name the one its features were made by")
    return found


def picture_rows(
    pictures: Sequence[Picture], encoder: "ImageEncoder", display: Display, bad: str = "refuse", thumbnails: bool = False
) -> PictureRows:
    """Feature rows of pictures.

    Args:
        pictures: of `pictures_of`.
        encoder: see `encoder_of`.
        display: where progress goes.
        bad: what is done with one that cannot be read: 'refuse', or 'skip', which leaves it out.
        thumbnails: whether small copies are made, while the pictures are open.

    Raises:
        UserError: one cannot be read, or with 'skip' none can.
    """
    from d3gzsl_jax.runs.gallery.thumbnails import shrunk

    small: dict[Path, tuple[str, bool]] = {}

    def look(picture: Picture, pixels: "Image") -> None:
        small[picture.path] = shrunk(pixels.copy())

    found = embed_pictures(pictures, encoder, display, bad, look=look if thumbnails else None)
    if found.skipped:
        display.say(f"left out {len(found.skipped)} of {len(pictures)} pictures, which cannot be read: {bad_ones(found.skipped)}")
    copies = [small[picture.path] for picture in found.pictures] if thumbnails else ()
    return PictureRows(found.features, found.pictures, found.skipped, copies)


def predicted(
    model: Model, source: Source, top: int = 1, predictor: str = "", encoder: str = "", bad: str = "refuse",
    display: Display | None = None,
) -> Predictions:
    """The `top` classes of pictures, with their names and, where it is known, of which classes they are.

    Args:
        model: what predicts.
        source: a folder, with a subfolder a class or not, a picture, a CSV of file,class, or paths of pictures.
        top, predictor: see `TrainedModel.predict`.
        encoder: see `encoder_of`.
        bad: see `picture_rows`.
        display: where progress goes; None for nowhere.

    Raises:
        UserError: as of `TrainedModel.predict`; or there is no encoder, or no picture.
    """
    model.check_predictor(predictor)
    model.check_top(top)
    require_bad(bad)
    pictures = pictures_of(source, "pictures")
    found = picture_rows(pictures, encoder_of(model, encoder), display or Display(quiet=True), bad)
    names, truth = tuple(one.name for one in found.pictures), truth_of(found.classes, model.class_names)
    return model.predict(found.features, top, predictor)._replace(row_names=names, truth=truth)
