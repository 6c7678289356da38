"""Models of timm as image encoders: what is left of a network without its classifier."""

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from d3gzsl_jax.encoders import weights
from d3gzsl_jax.encoders.libraries import library, refused
from d3gzsl_jax.encoders.transform import Transform
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.system import paths
from d3gzsl_jax.text import listed

if TYPE_CHECKING:
    from PIL.Image import Image


class TimmImages:
    """A model of timm without its classifier, on the CPU; pictures are prepared as its own configuration says."""

    def __init__(self, model: Any, name: str, spec: str, transform: Transform) -> None:
        self._model, self._name, self._spec, self.transform = model, name, spec, transform
        self._sha256 = weights.of_state(model.state_dict())
        # several networks take the same weights and make other rows of them: efficientnet_b0 and tf_efficientnet_b0
        self._architecture = model.pretrained_cfg.get("architecture") or name.partition(".")[0]
        self._size = self._run(np.zeros((1, 3, transform.height, transform.width), np.float32)).shape[1]

    @property
    def size(self) -> int:
        """How many values a feature row has."""
        return self._size

    def notes(self) -> dict[str, Any]:
        """What it is, as JSON."""
        return {
            "kind": "timm", "name": self._name, "spec": self._spec, "sha256": self._sha256, "transform": self.transform.notes(),
            "size": self._size, "architecture": self._architecture,
        }  # fmt: skip

    def encode(self, pictures: "Iterable[Image]") -> np.ndarray:
        """(n, size) float32 of RGB pictures."""
        arrays = [self.transform(picture) for picture in pictures]
        return self._run(np.stack(arrays)) if arrays else np.zeros((0, self._size), np.float32)

    def _run(self, arrays: np.ndarray) -> np.ndarray:
        import torch

        with torch.inference_mode(), refused(f"timm:{self._name}: does not run", "name another model"):
            found = self._model(torch.from_numpy(arrays)).float().numpy()
        if found.ndim != 2:
            raise UserError(f"timm:{self._name}: gives {found.shape} a picture, not a row of features; name another model")
        return np.ascontiguousarray(found)


def timm_encoder(spec: str) -> TimmImages:
    """The encoder of 'NAME' (pretrained weights, downloaded where they are not here) or 'NAME@FILE'.

    Raises:
        UserError: timm, the model or the file is missing, or the file holds other weights.
    """
    name, at, given = spec.partition("@")
    path = paths.clean(given, "image encoder timm") if at else None
    if path is not None and not path.is_file():
        raise UserError(f"{path}: no such file; timm:NAME@FILE names a file of weights")
    timm = library("timm", "images", f"timm:{name}")
    if ":" not in name and not timm.is_model(name):  # hf-hub:NAME is looked up there
        near = difflib.get_close_matches(name[:100], timm.list_models(), n=3)
        raise UserError(f"timm:{name}: timm {timm.__version__} has no such model" + (f"; it has {listed(near)}" if near else ""))
    what = f"timm:{name}: cannot be loaded"
    advice = "without a network only what was downloaded before is there; timm:NAME@FILE takes weights from a file"
    with refused(what, advice):
        model = timm.create_model(name, pretrained=path is None, num_classes=0)
        config = timm.data.resolve_model_data_config(model)
    if path is not None:
        _load(timm, model, path)
    full = f"timm:{name}@{path.resolve()}" if path is not None else f"timm:{name}"
    return TimmImages(model.eval(), name, full, _transform(config))


def _load(timm: Any, model: Any, path: Path) -> None:
    """Weights of a file into the model; those of its classifier are left out."""
    with refused(f"{path}: cannot be read as weights", "name a file of a state dict: .safetensors, .pth or .pt"):
        state = timm.models.load_state_dict(str(path), use_ema=False, device="cpu", weights_only=True)
    classifier = model.pretrained_cfg.get("classifier") or ()
    heads = tuple(f"{head}." for head in ([classifier] if isinstance(classifier, str) else classifier))
    wanted = model.state_dict()
    for key, tensor in wanted.items():
        if key not in state or tuple(state[key].shape) != tuple(tensor.shape):
            found = f"has shape {tuple(state[key].shape)}, not {tuple(tensor.shape)}" if key in state else "is missing"
            raise UserError(f"{path}: {key} {found}; these are weights of another model")
    for key in state:
        if key not in wanted and not (heads and key.startswith(heads)):
            raise UserError(f"{path}: {key} has no place in the model; these are weights of another model")
    model.load_state_dict({key: state[key] for key in wanted})


def _transform(config: dict[str, Any]) -> Transform:
    """As timm's own data configuration says."""
    _, height, width = config["input_size"]
    fit = {"squash": "squash", "border": "pad"}.get(config.get("crop_mode") or "center", "crop")
    interpolation = config["interpolation"] if config["interpolation"] != "random" else "bilinear"
    resize = int(min(height, width) / config["crop_pct"])
    return Transform(height, width, resize, interpolation, fit, tuple(config["mean"]), tuple(config["std"]))
