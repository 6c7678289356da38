"""How a picture becomes the array a network takes: resized, cropped, scaled; by Pillow alone, so that it is the same everywhere.

The figures are those of torchvision's `Resize`, `CenterCrop`, `ToTensor` and `Normalize` on Pillow pictures.
"""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.text import shortened

if TYPE_CHECKING:
    from PIL.Image import Image

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "lanczos", "box", "hamming")
FITS = ("crop", "squash", "pad")
LARGEST = 4096  # pixels of a side
_SIZE = 224
_MEANINGS = {
    "size": f"or height and width, of a network that takes any; default {_SIZE}",
    "resize": "of the shorter side before the middle is cut out; default size / 0.875",
    "interpolation": "default bilinear",
    "fit": f"{', '.join(FITS[:-1])} or {FITS[-1]}; default {FITS[0]}",
    "mean": "default ImageNet's, of grey pictures 0",
    "std": "default ImageNet's, of grey pictures 1",
}
"""Of what `of_fields` takes, for messages."""


@dataclasses.dataclass(frozen=True)
class Transform:
    """What is done with a picture before a network sees it.

    Attributes:
        height, width: of what the network takes.
        resize: what the shorter side is resized to before the middle is cut out (`fit` 'crop').
        interpolation: one of `INTERPOLATIONS`.
        fit: 'crop': the middle is cut out; 'squash': both sides are resized to size, whatever the proportions; 'pad': the longer
            side is resized to size, and the rest has the mean colour.
        mean, std: by channel, of values from 0 to 1; what is left is (value - mean) / std.
    """

    height: int
    width: int
    resize: int
    interpolation: str = "bilinear"
    fit: str = "crop"
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD

    def notes(self) -> dict[str, Any]:
        """As JSON."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in dataclasses.asdict(self).items()}

    def described(self) -> str:
        """In words."""
        sides = f"{self.width} x {self.height}"
        around = ", the mean colour where it is smaller" * (self.resize < max(self.height, self.width))
        fitted = {
            "crop": f"shorter side resized to {self.resize} pixels ({self.interpolation}), the middle {sides} cut out{around}",
            "squash": f"resized to {sides} pixels ({self.interpolation}), whatever the proportions",
            "pad": f"longer side resized to fit {sides} pixels ({self.interpolation}), the rest in the mean colour",
        }[self.fit]
        mean, std = (", ".join(f"{value:.4g}" for value in values) for values in (self.mean, self.std))
        return f"{fitted}; values from 0 to 1, less {mean}, over {std}"

    def __call__(self, picture: "Image") -> np.ndarray:
        """(channels, height, width) float32 of an RGB picture; of one channel where `mean` has one value."""
        pixels = np.asarray(self.sized(picture).convert("RGB" if len(self.mean) == 3 else "L"), np.float32) / np.float32(255)
        pixels = pixels.reshape(self.height, self.width, -1)
        scaled = (pixels - np.array(self.mean, np.float32)) / np.array(self.std, np.float32)
        return np.ascontiguousarray(scaled.transpose(2, 0, 1))

    def sized(self, picture: "Image") -> "Image":
        """The picture of `height` and `width`."""
        if self.fit == "squash":
            return self._resized(picture, self.width, self.height)
        width, height = picture.size
        if self.fit == "pad":
            by = min(self.width / width, self.height / height)
            picture = self._resized(picture, max(1, round(width * by)), max(1, round(height * by)))
        else:
            short, long = (self.resize, int(self.resize * max(width, height) / min(width, height)))
            if long > 64 * max(self.height, self.width, self.resize):  # a thread of pixels: only its middle is wanted
                picture, long = _middle(picture), 64 * self.resize
            picture = self._resized(picture, *((short, long) if width <= height else (long, short)))
        return self._cut(picture)

    def _cut(self, picture: "Image") -> "Image":
        """The middle; where the picture is smaller, the mean colour is around it."""
        from PIL import Image

        width, height = picture.size
        left, top = round((width - self.width) / 2.0), round((height - self.height) / 2.0)
        if left >= 0 and top >= 0:
            return picture.crop((left, top, left + self.width, top + self.height))
        colour = tuple(round(255 * value) for value in (self.mean if len(self.mean) == 3 else self.mean * 3))
        whole = Image.new("RGB", (self.width, self.height), colour)
        whole.paste(picture.convert("RGB"), (-left, -top))
        return whole

    def _resized(self, picture: "Image", width: int, height: int) -> "Image":
        from PIL import Image

        if picture.size == (width, height):
            return picture
        return picture.resize((width, height), Image.Resampling[self.interpolation.upper()])


def _middle(picture: "Image") -> "Image":
    """The middle of a picture that is over 64 times as long as it is wide, 64 times as long."""
    width, height = picture.size
    length = 64 * min(width, height)
    if width > height:
        left = (width - length) // 2
        return picture.crop((left, 0, left + length, height))
    top = (height - length) // 2
    return picture.crop((0, top, width, top + length))


def check_names(fields: Iterable[str], where: str, further: Mapping[str, str] = MappingProxyType({})) -> None:
    """Refuses fields that `of_fields` does not know.

    Args:
        fields: names.
        where: what messages name.
        further: other names that may be given there, with their meanings.

    Raises:
        UserError: naming the first unknown one, and what may be given.
    """
    known = _MEANINGS | dict(further)
    if unknown := sorted(set(fields) - {*known, "height", "width"}):
        told = ", ".join(f"{name} ({meaning})" for name, meaning in known.items())
        raise UserError(f"{where}: there is no {shortened(unknown[0])}; there are {told}")


def of_fields(fields: Mapping[str, Any], where: str) -> Transform:
    """A transform of fields by name, as an ONNX file or options have them.

    Args:
        fields: those of `Transform`; `size` is height and width; without `resize` it is size / 0.875. A list of numbers may be text
            with commas.
        where: what messages name.

    Raises:
        UserError: a field is unknown, or has no such value.
    """
    check_names(fields, where)
    size = {side: _whole(fields.get(side, fields.get("size", _SIZE)), side, where) for side in ("height", "width")}
    resize = fields.get("resize")
    found: dict[str, Any] = {
        **size, "resize": max(size.values()) * 8 // 7 if resize is None else _whole(resize, "resize", where),
        "mean": _numbers(fields.get("mean", IMAGENET_MEAN), "mean", where),
        "std": _numbers(fields.get("std", IMAGENET_STD), "std", where),
    }  # fmt: skip
    for name, words in (("interpolation", INTERPOLATIONS), ("fit", FITS)):
        if name in fields:
            if fields[name] not in words:
                raise UserError(f"{where}: {name}={shortened(fields[name])}: expected one of {', '.join(words)}")
            found[name] = fields[name]
    if len(found["mean"]) != len(found["std"]) or len(found["mean"]) not in (1, 3):
        raise UserError(f"{where}: mean and std need 3 numbers each (1 for grey pictures)")
    if not all(value > 0 for value in found["std"]):
        raise UserError(f"{where}: std={shortened(found['std'])}: need numbers above 0")
    return Transform(**found)


def _whole(value: Any, name: str, where: str) -> int:
    try:
        found = int(value)
    except (TypeError, ValueError, OverflowError):
        found = 0
    if not 1 <= found <= LARGEST:
        raise UserError(f"{where}: {name}={shortened(value)}: expected a whole number of pixels, 1 to {LARGEST}")
    return found


def _numbers(value: Any, name: str, where: str) -> tuple[float, ...]:
    parts: Sequence[Any] = value.split(",") if isinstance(value, str) else value
    try:
        found = tuple(map(float, parts))
    except (TypeError, ValueError):
        found = (math.nan,)
    if not all(map(math.isfinite, found)):
        raise UserError(f"{where}: {name}={shortened(value)}: expected numbers with commas between")
    return found
