"""CLIP and SigLIP models of Hugging Face: pictures and texts in one space."""

import math
import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from d3gzsl_jax.encoders import weights
from d3gzsl_jax.encoders.libraries import library, quiet_loading, refused
from d3gzsl_jax.encoders.transform import Transform
from d3gzsl_jax.errors import UserError

if TYPE_CHECKING:
    from PIL.Image import Image

_ADVICE = (
    "name a CLIP or SigLIP model of Hugging Face or a folder that holds one; offline only what was downloaded before is there"
)
_RESAMPLE = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")  # by Pillow's numbers


class _Clip:
    """What both sides have in common: the model, on the CPU, and what is noted of it."""

    def __init__(self, model: Any, name: str) -> None:
        self._model, self._name = model, name
        self._sha256 = weights.of_state(model.state_dict())
        self._size = 0

    @property
    def size(self) -> int:
        """How many values a row has."""
        return self._size

    def notes(self) -> dict[str, Any]:
        """What it is, as JSON."""
        where = os.path.abspath(self._name) if os.path.isdir(self._name) else self._name
        name = os.path.basename(os.path.normpath(self._name)) if os.path.isdir(self._name) else self._name
        return {"kind": "clip", "name": name, "spec": f"clip:{where}", "sha256": self._sha256, "size": self._size}

    def _rows(self, side: str, **inputs: Any) -> np.ndarray:
        """What the model gives of one side, 'image' or 'text'; not brought to unit length."""
        import torch

        with torch.inference_mode(), refused(f"clip:{self._name}: does not run", _ADVICE):
            found = getattr(self._model, f"get_{side}_features")(**inputs)
            found = getattr(found, "pooler_output", found)  # a tensor in versions before 5
        return np.ascontiguousarray(found.float().numpy())


class ClipImages(_Clip):
    """The image side of a model."""

    def __init__(self, model: Any, name: str, transform: Transform) -> None:
        super().__init__(model, name)
        self.transform = transform
        self._size = self._run(np.zeros((1, 3, transform.height, transform.width), np.float32)).shape[1]

    def notes(self) -> dict[str, Any]:
        """What it is, as JSON."""
        return super().notes() | {"transform": self.transform.notes()}

    def encode(self, pictures: "Iterable[Image]") -> np.ndarray:
        """(n, size) float32 of RGB pictures, not brought to unit length."""
        arrays = [self.transform(picture) for picture in pictures]
        return self._run(np.stack(arrays)) if arrays else np.zeros((0, self._size), np.float32)

    def _run(self, arrays: np.ndarray) -> np.ndarray:
        import torch

        return self._rows("image", pixel_values=torch.from_numpy(arrays))


class ClipTexts(_Clip):
    """The text side of a model."""

    def __init__(self, model: Any, name: str, tokenizer: Any) -> None:
        super().__init__(model, name)
        self._tokenizer = tokenizer
        config = getattr(model.config, "text_config", model.config)
        self._longest = int(getattr(config, "max_position_embeddings", 77))
        self._padding = "max_length" if "siglip" in str(model.config.model_type) else False  # as SigLIP was trained
        self._size = self.encode(["a picture"]).shape[1]

    def notes(self) -> dict[str, Any]:
        """What it is, as JSON."""
        return super().notes() | {"longest": self._longest}

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """(n, size) float32, not brought to unit length; what of a text is over the model's length is cut off."""
        found = []
        for text in texts:  # one by one, so that a vector does not hang on those beside it
            with refused(f"clip:{self._name}: does not take {text[:40]!r}", _ADVICE):
                tokens = self._tokenizer(
                    [text], padding=self._padding, truncation=True, max_length=self._longest, return_tensors="pt"
                )
            names = ("input_ids", "attention_mask") if self._padding is False else ("input_ids",)
            found.append(self._rows("text", **{key: tokens[key] for key in names if key in tokens}))
        return np.concatenate(found) if found else np.zeros((0, self._size), np.float32)

    def too_long(self, texts: Sequence[str]) -> int:
        """How many of them are over the model's length."""
        return sum(len(self._tokenizer(text, verbose=False)["input_ids"]) > self._longest for text in texts)


def clip_images(name: str) -> ClipImages:
    """The image side of the model of a name or a folder.

    Raises:
        UserError: transformers or the model is missing.
    """
    model, name, transformers = _loaded(name, "get_image_features")
    with refused(f"clip:{name}: how it prepares pictures cannot be read", _ADVICE):
        fields, _ = transformers.image_processing_base.ImageProcessingMixin.get_image_processor_dict(name)
        transform = _transform(fields)
    return ClipImages(model, name, transform)


def clip_texts(name: str) -> ClipTexts:
    """The text side of the model of a name or a folder.

    Raises:
        UserError: transformers or the model is missing.
    """
    model, name, transformers = _loaded(name, "get_text_features")
    with refused(f"clip:{name}: its tokenizer cannot be loaded", _ADVICE):
        tokenizer = transformers.AutoTokenizer.from_pretrained(name, trust_remote_code=False)
    return ClipTexts(model, name, tokenizer)


def _loaded(name: str, needs: str) -> tuple[Any, str, Any]:
    transformers = library("transformers", "clip", f"clip:{name}")
    library("torch", "clip", f"clip:{name}")
    name = os.path.expanduser(name)
    with refused(f"clip:{name}: cannot be loaded", _ADVICE), quiet_loading():
        model = transformers.AutoModel.from_pretrained(name, trust_remote_code=False)
    if not hasattr(model, needs):
        raise UserError(f"clip:{name}: is a {type(model).__name__}, which has no {needs}; {_ADVICE}")
    return model.float().eval(), name, transformers


def _require_usual(fields: dict[str, Any], size: dict[str, Any]) -> None:
    """Refuses a preparation that `Transform` does not do: features would be of other pictures than the model was trained on."""
    for key in ("do_resize", "do_rescale"):
        if not fields.get(key, True):
            raise ValueError(f"{key} is false")
    if not math.isclose(fields.get("rescale_factor", 1 / 255), 1 / 255, rel_tol=1e-4):
        raise ValueError(f"rescale_factor is {fields['rescale_factor']}, not 1 / 255")
    if not size.keys() <= {"shortest_edge", "height", "width"}:
        raise ValueError(f"size is by {', '.join(size)}")


def _transform(fields: dict[str, Any]) -> Transform:
    """As the model's own preprocessor_config.json says."""
    size, crop = fields.get("size") or 224, fields.get("crop_size")
    size = {"shortest_edge": size} if isinstance(size, int) else size
    _require_usual(fields, size)
    crop = {"height": crop, "width": crop} if isinstance(crop, int) else crop
    crops = fields.get("do_center_crop", "shortest_edge" in size) and "shortest_edge" in size
    sides = (crop or {"height": size["shortest_edge"], "width": size["shortest_edge"]}) if crops else size
    height, width = (int(sides.get(side, size.get("shortest_edge", 224))) for side in ("height", "width"))
    mean, std = (0.0,) * 3, (1.0,) * 3
    if fields.get("do_normalize", True):
        mean, std = tuple(fields["image_mean"]), tuple(fields["image_std"])
    resize = int(size.get("shortest_edge", min(height, width)))
    interpolation = _RESAMPLE[int(fields.get("resample", 3))]
    return Transform(height, width, resize, interpolation, "crop" if crops else "squash", mean, std)
