"""What recorders of published PyTorch scripts share: arrays by key (layout: tests/golden/README.md). Needs torch, not JAX."""

from typing import Any

import numpy as np

from d3gzsl_jax.errors import UserError
from tools.parity_parts.reference_script import variable


class Recorder:
    """Collects what a running script has in its variables.

    Attributes:
        networks: recorded name of a network -> the script's variable.
        arrays: what was recorded so far.
        updates: number of critic and generator updates so far.
        name: of the update under way, 'stepNNN'.
        accuracies: those of the final classifier under way, a row an epoch; see `watch_accuracies`.
    """

    networks: dict[str, str]

    def __init__(self) -> None:
        self.arrays: dict[str, np.ndarray] = {}
        self.updates = 0
        self.drawn: dict[str, Any] = {}
        self.accuracies: list[list[float]] = []

    @property
    def name(self) -> str:
        """The update under way."""
        return f"step{self.updates:03d}"

    def put(self, key: str, value: Any) -> None:
        """Keeps a copy of a tensor, array or number."""
        value = value.detach().numpy() if hasattr(value, "detach") else np.asarray(value)
        self.arrays[key] = value.copy()

    def put_networks(self, prefix: str, names: tuple[str, ...] = (), gradients: bool = False) -> None:
        """The parameters of the named networks (default: all), or their gradients where they have one."""
        for name in names or self.networks:
            for layer, parameter in variable(self.networks[name]).named_parameters():
                value = parameter.grad if gradients else parameter
                if value is not None:
                    self.put(f"{prefix}{name}/{layer}", value)

    def put_config(self, options: dict[str, Any]) -> None:
        """Option values that are numbers."""
        for name, value in options.items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                self.put(f"config/{name}", value)

    def put_data(self, raw: dict[str, np.ndarray], data: Any, seen_label: Any) -> None:
        """The raw arrays of the files, and those the script made of them."""
        for name, array in raw.items():
            self.put(f"mat/{name}", array)
        for split in ("train", "test_seen", "test_unseen"):
            for field in ("feature", "label"):
                self.put(f"data/{split}_{field}", getattr(data, f"{split}_{field}"))
        self.put("data/train_seen_label", seen_label)
        for key, name in (("attribute", "attribute"), ("seen_classes", "seenclasses"), ("unseen_classes", "unseenclasses")):
            self.put(f"data/{key}", getattr(data, name))

    def draw(self, key: str, value: Any) -> None:
        """Notes a draw (or a value computed on the way) of the update under way.

        Raises:
            UserError: it was noted before in this update.
        """
        if key in self.drawn:
            raise UserError(f"{self.name}: {key} was drawn twice; the script is not the version this tool knows")
        self.drawn[key] = value.detach().clone()

    def take(self, *keys: str) -> None:
        """Keeps what was noted under these keys in this update.

        Raises:
            UserError: one of them was not.
        """
        for key in keys:
            if key not in self.drawn:
                raise UserError(f"{self.name}: {key} was not seen; the script is not the version this tool knows")
            self.put(f"{self.name}/{key}", self.drawn[key])

    def end_update(self) -> None:
        """The update is over: parameters after it."""
        self.put_networks(f"{self.name}/after/")
        self.drawn.clear()
        self.updates += 1


def mean_accuracy(found: Any) -> float:
    """What a script's evaluation gives back: the mean accuracy, or those of all classes before it."""
    return float(found[-1] if isinstance(found, tuple) else found)


def watch_accuracies(recorder: Recorder, classifier: Any) -> None:
    """Hooks the recorder into `val_gzsl` of a script's class of final classifiers, which is asked of seen and then of unseen
    classes after every epoch."""
    plain = classifier.val_gzsl

    def val_gzsl(self: Any, features: Any, label: Any, classes: Any) -> Any:
        found = plain(self, features, label, classes)
        if classes is self.seenclasses:
            recorder.accuracies.append([])
        recorder.accuracies[-1].append(mean_accuracy(found))
        return found

    classifier.val_gzsl = val_gzsl


def rate(optimizer: str) -> float:
    """The learning rate of the script's optimiser of this variable name."""
    return variable(optimizer).param_groups[0]["lr"]
