"""SHA-256 of an encoder's weights, by which a model is sure to get the same encoder again."""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from d3gzsl_jax.errors import UserError, cannot_read

_PIECE = 2**20
_TELLING = {
    "kind": "kind", "sha256": "weights", "architecture": "network", "transform": "preparation of pictures", "output": "output",
}  # fmt: skip
_LATER = "architecture"  # is not in the notes of earlier versions


def of_files(paths: Iterable[Path]) -> str:
    """SHA-256 of the contents of files, one after another.

    Raises:
        UserError: one cannot be read.
    """
    found = hashlib.sha256()
    for path in paths:
        try:
            with open(path, "rb") as file:
                while piece := file.read(_PIECE):
                    found.update(piece)
        except OSError as error:
            raise cannot_read(path, error) from None
    return found.hexdigest()


def of_state(state: Mapping[str, Any]) -> str:
    """SHA-256 of a PyTorch module's state dict: names, types, shapes and values, in the order of the names."""
    import numpy as np  # messages need no numpy before anything is computed

    found = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        if tensor.numel():
            found.update(np.ascontiguousarray(tensor.reshape(-1).view(dtype=_bytes()).numpy()).data)
    return found.hexdigest()


def check(noted: Mapping[str, Any], found: Mapping[str, Any], what: str) -> None:
    """Refuses another encoder than the one that was noted.

    Args:
        noted: notes of the encoder that made the features.
        found: notes of the one that is there now.
        what: 'image encoder' or 'text encoder', for the message.

    Raises:
        UserError: kind, weights, network or preparation differ.
    """
    for key, means in _TELLING.items():
        if noted.get(key, found.get(key) if key == _LATER else None) != found.get(key):
            raise UserError(
                f"{what} {found.get('name')}: its {means} differ from those of the {what} that the model was trained with "
                f"({noted.get('name')}, SHA-256 {str(noted.get('sha256'))[:12]}); give that one"
            )


def difference(noted: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    """What tells two encoders apart, in words; '' where nothing that both notes say does."""
    told = (key for key in _TELLING if None not in (noted.get(key), found.get(key)))
    return next((_TELLING[key] for key in told if noted[key] != found[key]), "")


def _bytes() -> Any:
    import torch

    return torch.uint8
