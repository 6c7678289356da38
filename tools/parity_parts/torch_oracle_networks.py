"""The networks of the method in PyTorch (arXiv 2402.11424, 2103.16173), named and laid out as in the recordings.

An independent implementation to compare with and to be measured against: it imports torch and numpy only.
"""

import dataclasses
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

SLOPE = 0.2  # of every leaky ReLU


@dataclasses.dataclass(frozen=True)
class Sizes:
    """Sizes of data and networks; projection and comparator_hidden are CE-GZSL's."""

    features: int
    semantics: int
    noise: int
    seen: int
    classes: int
    generator_hidden: int = 4096
    critic_hidden: int = 4096
    embedding: int = 2048
    projection: int = 512
    comparator_hidden: int = 2048


class TeacherOutputs(NamedTuple):
    """The frozen teacher on n rows: embedding (n, width) with unit rows, logits (n, |S|) over seen indices."""

    embedding: Tensor
    logits: Tensor


class TwoLayers(nn.Module):
    """Linear(LReLU(Linear([first, second]))) (n, out), with a ReLU behind it if asked: generator, critic, comparator."""

    def __init__(self, inputs: int, hidden: int, outputs: int, relu: bool = False) -> None:
        super().__init__()
        self.fc1, self.fc2, self.relu = nn.Linear(inputs, hidden), nn.Linear(hidden, outputs), relu

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """(n, k) and (n, inputs - k) to (n, outputs)."""
        out = self.fc2(functional.leaky_relu(self.fc1(torch.cat([first, second], dim=1)), SLOPE))
        return functional.relu(out) if self.relu else out


class Embed(nn.Module):
    """ReLU(Linear(x)), and with `projection` a second linear layer for CE-GZSL's instance contrast."""

    def __init__(self, features: int, width: int, projection: int = 0) -> None:
        super().__init__()
        self.fc1 = nn.Linear(features, width)
        if projection:
            self.fc2 = nn.Linear(width, projection)

    def forward(self, features: Tensor) -> Tensor:
        """(n, dx) to (n, width)."""
        return functional.relu(self.fc1(features))

    def project(self, embedding: Tensor) -> Tensor:
        """(n, width) to unit rows (n, projection)."""
        return functional.normalize(self.fc2(embedding), eps=1e-12)


class TeacherHead(nn.Module):
    """C_o; its layer is named fc2 in the recordings."""

    def __init__(self, width: int, seen: int) -> None:
        super().__init__()
        self.fc2 = nn.Linear(width, seen)

    def forward(self, embedding: Tensor) -> Tensor:
        """(n, width) to logits (n, |S|)."""
        return self.fc2(embedding)


class StudentHead(nn.Module):
    """C_s (fc1), logits over all classes, and H (fc2), the two out-of-distribution logits of their log-softmax."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, classes), nn.Linear(classes, 2)

    def forward(self, embedding: Tensor) -> Tensor:
        """(n, width) to logits (n, C)."""
        return self.fc1(embedding)

    def ood(self, logits: Tensor) -> Tensor:
        """(n, C) to (n, 2)."""
        return self.fc2(functional.log_softmax(logits, dim=1))


class Confidence(nn.Module):
    """c(s) = sigmoid(weight (s + offset))."""

    def __init__(self) -> None:
        super().__init__()
        self.weight, self.offset = nn.Parameter(torch.ones(())), nn.Parameter(torch.zeros(()))

    def forward(self, score: Tensor) -> Tensor:
        """(n,) to (n,) in (0, 1)."""
        return torch.sigmoid(self.weight * (score + self.offset))


def build_networks(base: str, d3: bool, sizes: Sizes) -> nn.ModuleDict:
    """Networks of a base ('wgan' or 'cegzsl') with or without D3, named as in the recordings, with PyTorch's default weights."""
    s = sizes
    networks = {
        "generator": TwoLayers(s.noise + s.semantics, s.generator_hidden, s.features, relu=True),
        "critic": TwoLayers(s.features + s.semantics, s.critic_hidden, 1),
    }
    if base == "cegzsl":
        networks["embed"] = Embed(s.features, s.embedding, s.projection)
        networks["comparator"] = TwoLayers(s.embedding + s.semantics, s.comparator_hidden, 1)
    if d3:
        if base == "wgan":
            networks["student_embed"] = Embed(s.features, s.embedding)
        networks["student_head"] = StudentHead(s.embedding, s.classes)
        networks["confidence"] = Confidence()
        networks["teacher_embed"] = Embed(s.features, s.embedding)
        networks["teacher_head"] = TeacherHead(s.embedding, s.seen)
    return nn.ModuleDict(networks)


def array_names(networks: nn.ModuleDict) -> dict[str, nn.Parameter]:
    """Parameters by their names in the recordings, 'generator/fc1.weight'."""
    return {name.replace(".", "/", 1): parameter for name, parameter in networks.named_parameters()}


def initial_arrays(base: str, d3: bool, sizes: Sizes, seed: int) -> dict[str, np.ndarray]:
    """Random parameters of all networks, distributed as the method says: weights N(0, 0.02^2) and biases 0, but for the student
    head (uniform, PyTorch's default) and the confidence (1 and 0)."""
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.manual_seed(seed)
        parameters = array_names(build_networks(base, d3, sizes))
        for name, parameter in parameters.items():
            if not name.startswith(("student_head/", "confidence/")):
                nn.init.normal_(parameter, std=0.02) if name.endswith("weight") else nn.init.zeros_(parameter)
    return {name: parameter.detach().numpy().copy() for name, parameter in parameters.items()}


def load_arrays(networks: nn.ModuleDict, arrays: dict[str, np.ndarray]) -> None:
    """Copies arrays into the networks' parameters.

    Raises:
        KeyError: one is missing. ValueError: one has another shape; both name it.
    """
    for name, parameter in array_names(networks).items():
        array = torch.tensor(np.asarray(arrays[name]), dtype=parameter.dtype)
        if array.numel() == parameter.numel() == 1:
            array = array.reshape(parameter.shape)
        if array.shape != parameter.shape:
            raise ValueError(f"{name} has shape {tuple(array.shape)}, expected {tuple(parameter.shape)}")
        with torch.no_grad():
            parameter.copy_(array)
