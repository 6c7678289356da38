"""Image encoders by name: pictures to feature rows.

| spec | is |
|---|---|
| `resnet101` | `timm:resnet101.tv_in1k`: pool5 of torchvision's ResNet-101, as in `res101.mat`, see `PRESETS` |
| `timm:NAME` | any model of timm, with its pretrained weights and its own preparation of pictures |
| `timm:NAME@FILE` | the same with the weights of a file (.safetensors, .pth, .pt) |
| `onnx:FILE` | any exported network; `onnx:FILE?mean=0.5,0.5,0.5&std=0.5,0.5,0.5&size=224`, see `onnx_images` |
| `clip:NAME` | the image side of a CLIP or SigLIP model of Hugging Face, or of a folder of one |
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from d3gzsl_jax.encoders import specs

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

    from d3gzsl_jax.encoders.transform import Transform

PRESETS = {"resnet101": "timm:resnet101.tv_in1k"}
"""Specs that have a name of their own.

Of `res101.mat` is known (Xian et al., "Zero-Shot Learning - A Comprehensive Evaluation of the Good, the Bad and the Ugly"): the
2048 units of the top pooling layer of the original ResNet-101, pretrained on ImageNet's 1000 classes, not fine-tuned, of whole
pictures (of aPY, of the bounding boxes). Which port of the weights and which size of the pictures is not said. Here they are
torchvision's weights, and pictures are resized to 256 (the shorter side), of which the middle 224 are taken, one crop: features of
the same kind, not the same bits.
"""
KINDS = ("timm", "onnx", "clip")


class ImageEncoder(Protocol):
    """Pictures to feature rows, the same each time."""

    @property
    def size(self) -> int:
        """How many values a feature row has."""

    @property
    def transform(self) -> "Transform":
        """What is done with a picture before the network sees it."""

    def notes(self) -> dict[str, Any]:
        """What it is, as JSON: kind, name, SHA-256 of the weights, transform; `image_encoder_of` makes the same one of it."""

    def encode(self, pictures: "Iterable[Image]") -> "np.ndarray":
        """(n, size) float32 of RGB pictures, which are asked for one by one."""


def image_encoder(spec: str) -> ImageEncoder:
    """The encoder that `spec` names; weights are downloaded where it names pretrained ones that are not here yet.

    Raises:
        UserError: no such encoder; a library, a file or the network is missing.
    """
    kind, name = split(spec)
    if kind == "timm":
        from d3gzsl_jax.encoders.timm_images import timm_encoder

        return timm_encoder(name)
    if kind == "onnx":
        from d3gzsl_jax.encoders.onnx_images import onnx_encoder

        return onnx_encoder(name)
    from d3gzsl_jax.encoders.clip import clip_images

    return clip_images(name)


def split(spec: str) -> tuple[str, str]:
    """'timm' and 'resnet50' of 'timm:resnet50'.

    Raises:
        UserError: it names no encoder of pictures.
    """
    expected = f"{', '.join(PRESETS)}, timm:NAME, timm:NAME@WEIGHTS_FILE, onnx:FILE or clip:NAME_OR_FOLDER"
    return specs.split(PRESETS.get(spec, spec), KINDS, "image encoder", expected)


def image_encoder_of(notes: Mapping[str, Any], spec: str = "") -> ImageEncoder:
    """The encoder that `notes` are of.

    Args:
        notes: of an encoder.
        spec: where it is now, if not where the notes say.

    Raises:
        UserError: it is not there, or has other weights than noted.
    """
    return specs.made_again(notes, spec, "image encoder", image_encoder)
