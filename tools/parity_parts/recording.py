"""Reads a recording of a published PyTorch loop and names its parts in this package's terms (layout: tests/golden/README.md)."""

import copy
import zipfile
from pathlib import Path
from typing import Self

import jax
import numpy as np

from d3gzsl_jax.errors import UserError, reason
from d3gzsl_jax.frameworks.base import Framework
from d3gzsl_jax.frameworks.cadavae import CADAVAE
from d3gzsl_jax.frameworks.cegzsl import CEGZSL
from d3gzsl_jax.frameworks.free import FREE
from d3gzsl_jax.frameworks.structures import Params
from d3gzsl_jax.frameworks.tfvaegan import TFVAEGAN
from d3gzsl_jax.frameworks.wgan import WGAN
from d3gzsl_jax.frameworks.zerodiff import ZeroDiff
from d3gzsl_jax.runs import torch_layout

METHODS = {
    "wgan": WGAN, "cegzsl": CEGZSL, "vaegan": TFVAEGAN, "cadavae": CADAVAE, "zerodiff": ZeroDiff, "free": FREE,
}  # fmt: skip
"""By kind of recording, the base method whose networks it has: 'vaegan' is TF-VAEGAN's loop, with which f-VAEGAN-D2 is recorded
too."""
_MARKS = {
    "cegzsl": "init/comparator", "vaegan": "init/feedback", "cadavae": "init/encoder_features", "zerodiff": "drg/init/generator",
    "free": "init/refiner",
}  # fmt: skip
"""By kind, a network that no other has; the rest is 'wgan'."""
STAGES = ("drg", "dfg")
"""Of ZeroDiff, as prefixes of keys: its first stage, its second."""


class Recording:
    """A recording opened for reading; `kind` is one of METHODS.

    Raises:
        UserError: the file is missing, is no .npz, or lacks a key; the message names it.
    """

    def __init__(self, path: str | Path) -> None:
        self.path, self.at = Path(path), ""
        try:
            with zipfile.ZipFile(self.path), np.load(self.path, allow_pickle=False) as archive:
                self.arrays = {name: archive[name] for name in archive.files}
        except FileNotFoundError:
            raise UserError(f"{self.path}: no such recording") from None
        except Exception as error:  # a broken file makes numpy raise nearly anything
            raise UserError(f"{self.path}: not a readable .npz recording ({reason(error)})") from None
        self.kind = next((kind for kind, network in _MARKS.items() if f"{network}/fc1.weight" in self.arrays), "wgan")
        self.layout = torch_layout.layout(METHODS[self.kind])

    def __contains__(self, key: str) -> bool:
        return key in self.arrays

    def __getitem__(self, key: str) -> np.ndarray:
        if key not in self.arrays:
            raise UserError(f"{self.path}: key {self.at + key!r} is missing from the recording")
        return self.arrays[key]

    def option(self, name: str) -> float:
        """A recorded option value, a number (or a truth value, 0 or 1)."""
        value = self["config/" + name]
        if value.size != 1 or value.dtype.kind not in "fiub":
            raise UserError(f"{self.path}: config/{name} is {value.dtype} of shape {value.shape}, expected one number")
        return value.item()

    def stage(self, name: str, method: type[Framework]) -> Self:
        """What is recorded of one of STAGES, and of the whole, as a recording of its own, with the networks of `method`."""
        found = copy.copy(self)
        shared = {key: array for key, array in self.arrays.items() if key.partition("/")[0] not in STAGES}
        at = f"{name}/"
        own = {key.removeprefix(at): array for key, array in self.arrays.items() if key.startswith(at)}
        found.arrays, found.at, found.layout = shared | own, at, torch_layout.layout(method)
        return found

    def shaped(self, key: str, *shape: int) -> np.ndarray:
        """The array of `key`, which must have this shape."""
        if self[key].shape != shape:
            raise UserError(f"{self.path}: {self.at}{key} has shape {self[key].shape}, the recorded options make it {shape}")
        return self[key]

    def has(self, prefix: str) -> bool:
        """Whether any key starts with `prefix`."""
        return any(key.startswith(prefix) for key in self.arrays)

    def steps(self) -> list[str]:
        """The names of the recorded updates in order: 'step000', 'step001', ... without a gap, at least one."""
        names = {key.split("/", 1)[0] for key in self.arrays if key.startswith("step")}
        numbers = {int(name.removeprefix("step")): name for name in names if name.removeprefix("step").isdigit()}
        for expected in range(max(len(numbers), 1)):
            if expected not in numbers:
                raise UserError(f"{self.path}: update step{expected:03d} is missing from the recording")
        return [numbers[number] for number in sorted(numbers)]

    def epochs(self, prefix: str = "epoch") -> list[int]:
        """Epoch numbers under 'epochN/' or, with prefix 'pretrain/epoch', of pretraining, ascending."""
        numbers = {key[len(prefix):].split("/", 1)[0] for key in self.arrays if key.startswith(prefix)}
        return sorted(int(number) for number in numbers if number.isdigit())

    def pairs(self, group: str, prefix: str, params: Params) -> list[tuple[str, jax.Array, np.ndarray]]:
        """(recorded key, our array, recorded array) of one parameter group (or of gradients to it), in our layout."""
        return torch_layout.pairs(self.layout[group], self, prefix, params)

    def load(self, group: str, prefix: str, params: Params) -> Params:
        """A parameter tree shaped like `params`, filled from the recording.

        Raises:
            UserError: a recorded shape does not fit the sizes the options state.
        """
        return torch_layout.load(self.layout[group], self, prefix, params, self.path)
