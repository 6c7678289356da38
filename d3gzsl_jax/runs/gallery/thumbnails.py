"""Small copies of pictures, as addresses that hold the picture itself."""

import base64
import io
from pathlib import Path
from typing import TYPE_CHECKING

from d3gzsl_jax.encoders.pictures import open_picture
from d3gzsl_jax.errors import UserError

if TYPE_CHECKING:
    from PIL.Image import Image

SIDE = 192
"""Pixels of the longer side, at most."""

_TINY = 64  # a picture this small is kept as it is, pixel for pixel
_QUALITY = 72


def thumbnail(path: Path) -> tuple[str, bool]:
    """A data: address of a picture, '' of one that cannot be read (any more); and whether its pixels are to be seen as squares."""
    try:
        return shrunk(open_picture(path))
    except UserError:
        return "", False


def shrunk(picture: "Image") -> tuple[str, bool]:
    """`thumbnail` of an open picture, which has fewer pixels afterwards."""
    is_tiny = max(picture.size) <= _TINY
    picture.thumbnail((SIDE, SIDE))
    kind, options = _format(is_tiny)
    buffer = io.BytesIO()
    picture.convert("RGB").save(buffer, kind, **options)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}", is_tiny


def _format(is_tiny: bool) -> tuple[str, dict[str, int | bool]]:
    """WebP, where this Pillow writes it; else PNG and JPEG."""
    from PIL import features

    if features.check("webp"):
        return "WEBP", {"lossless": True} if is_tiny else {"quality": _QUALITY, "method": 4}
    return ("PNG", {}) if is_tiny else ("JPEG", {"quality": _QUALITY})
