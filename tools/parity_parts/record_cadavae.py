"""Records the public CADA-VAE script (model/single_experiment.py of edgarschnfld/CADA-VAE-PyTorch). Needs torch, not JAX.

Everything is read off the running script: the variables of its training step as its optimiser steps, what it draws, and the rows
and parameters of its final classifier. Nothing is recomputed.
"""

import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np

from tools.parity_parts import script_cadavae
from tools.parity_parts.recorder import Recorder, watch_accuracies
from tools.parity_parts.reference_script import Enough, import_torch, watch_steps
from tools.simulated import mat_files
from tools.simulated.mat_files import MatSize

SOURCE, SCRIPT = script_cadavae.SOURCE, script_cadavae.SCRIPT
FEATURES, SEMANTICS = "resnet_features", "attributes"
LAYERS = {
    "feature_encoder.0": "fc1", "_mu": "mu", "_logvar": "logvar", "feature_decoder.0": "fc1", "feature_decoder.2": "fc2",
}  # fmt: skip
"""The script's layers -> recorded names."""
TERMS = {
    "loss": "loss", "term/reconstruction": "reconstruction_loss", "term/cross_reconstruction": "cross_reconstruction_loss",
    "term/negative_kl": "KLD", "term/distance": "distance", "factor/kl": "beta",
    "factor/cross_reconstruction": "cross_reconstruction_factor", "factor/distance": "distance_factor",
}  # fmt: skip


def _settings(epochs: int, warm_ups: dict[str, tuple[float, int, int]], **own: Any) -> dict[str, Any]:
    names = ("factor", "start_epoch", "end_epoch")
    warm_up = {name: dict(zip(names, values, strict=True)) for name, values in warm_ups.items()}
    specifics = {"cross_reconstruction": True, "name": "CADA", "distance": "wasserstein", "warmup": warm_up}
    return {"epochs": epochs, "model_specifics": specifics, **own}


# Learning rates are larger than published, so that a short run shows something, and all warm-ups are over before its end.
SIZES: dict[str, tuple[MatSize, dict[str, Any]]] = {
    "small": (
        MatSize(features=20, semantics=7, seen=9, unseen=4, train=64, test_seen=30, test_unseen=40),
        _settings(
            5, {"beta": (0.25, 0, 4), "cross_reconstruction": (2.37, 1, 4), "distance": (8.13, 1, 3)}, latent_size=6,
            hidden_size_rule={FEATURES: (24, 28), SEMANTICS: (19, 15)}, batch_size=12, lr_gen_model=2e-3, lr_cls=0.01,
            cls_train_steps=6, samples_per_class={script_cadavae.DATASET: (18, 0, 11, 0)},
        ),
    ),
    "medium": (
        MatSize(features=64, semantics=16, seen=14, unseen=6, train=150, test_seen=50, test_unseen=90),
        _settings(
            3, {"beta": (0.25, 0, 2), "cross_reconstruction": (2.37, 0, 2), "distance": (8.13, 0, 1)}, latent_size=12,
            hidden_size_rule={FEATURES: (96, 80), SEMANTICS: (72, 56)}, batch_size=20, lr_gen_model=1e-3, lr_cls=0.01,
            cls_train_steps=4, samples_per_class={script_cadavae.DATASET: (20, 0, 40, 0)},
        ),
    ),
}  # fmt: skip


class CADAVAERecorder(Recorder):
    """Watches the script: every update, and the final classifier. Its networks are no variables of the script but the model's."""

    networks = {  # noqa: RUF012
        f"{part}_{name}": of for part in ("encoder", "decoder") for name, of in (("features", FEATURES), ("semantics", SEMANTICS))
    }  # fmt: skip

    def __init__(self, raw: dict[str, np.ndarray]) -> None:
        super().__init__()
        self.raw = raw
        self.model: Any = None
        self.permutation = np.zeros(0, int)
        self.noise: list[Any] = []
        self.rows: list[int] = []

    def put_networks(self, prefix: str, names: tuple[str, ...] = (), gradients: bool = False) -> None:
        """The parameters of all networks, or their gradients."""
        for name, of in self.networks.items():
            for written, parameter in getattr(self.model, name.split("_")[0])[of].named_parameters():
                layer, _, kind = written.rpartition(".")
                value = parameter.grad if gradients else parameter
                if value is not None:
                    self.put(f"{prefix}{name}/{LAYERS[layer]}.{kind}", value)

    def begin(self, hyperparameters: dict[str, Any]) -> None:
        """The model is made: options, data, initial parameters."""
        self.put_config(hyperparameters)
        self.put("config/loss", hyperparameters["loss"])
        for name, values in hyperparameters["model_specifics"]["warmup"].items():
            for field, value in values.items():
                self.put(f"config/warmup/{name}/{field}", value)
        self.put("classifier/samples_per_class", hyperparameters["samples_per_class"][script_cadavae.DATASET])
        self.put("classifier/lr", hyperparameters["lr_cls"])
        self.put("classifier/batch_size", self.model.classifier_batch_size)
        for name, array in self.raw.items():
            self.put(f"mat/{name}", array)
        dataset = self.model.dataset
        for ours, theirs in (("train", "train_seen"), ("test_seen", "test_seen"), ("test_unseen", "test_unseen")):
            self.put(f"data/{ours}_feature", dataset.data[theirs][FEATURES])
            self.put(f"data/{ours}_label", dataset.data[theirs]["labels"])
        for key, name in (("attribute", "aux_data"), ("seen_classes", "seenclasses"), ("unseen_classes", "novelclasses")):
            self.put(f"data/{key}", getattr(dataset, name))
        self.put_networks("init/")

    def before_step(self, optimizer: Any) -> None:
        """The gradients are there, no parameter has moved."""
        if self.model is None or optimizer is not self.model.optimizer:
            return
        frame = sys._getframe(1)
        while frame.f_code.co_name != "trainstep":
            frame = frame.f_back
        at, variables = self.name, frame.f_locals
        for key, name in TERMS.items():
            self.put(f"{at}/{key}", variables[name].detach().reshape(()))
        index = self.permutation[: self.model.batch_size]
        self.put(f"{at}/epoch", self.model.current_epoch)
        self.put(f"{at}/batch/index", index)
        self.put(f"{at}/batch/features", variables["img"])
        self.put(f"{at}/batch/att", variables["att"])
        self.put(f"{at}/batch/label", self.model.dataset.data["train_seen"]["labels"][index])
        self._put_noise(f"{at}/noise/", "features", "semantics")
        self.put_networks(f"{at}/grad/", gradients=True)

    def _put_noise(self, prefix: str, *names: str) -> None:
        for name, drawn in zip(names, self.noise, strict=True):
            self.put(prefix + name, drawn)
        self.noise.clear()

    def after_step(self, optimizer: Any) -> None:
        """One optimiser steps everything."""
        if self.model is not None and optimizer is self.model.optimizer:
            self.end_update()

    def classifier_begins(self, model: Any, *rows: Any) -> None:
        """The final classifier is made of its network and its rows: training, seen and unseen test rows, labels after each."""
        self.put("classifier/train_feature", rows[0])
        self.put("classifier/train_label", rows[1])
        self.put("classifier/test_seen_feature", rows[2])
        self.put("classifier/test_unseen_feature", rows[4])
        self._put_noise("classifier/noise/", "seen_features", "unseen_semantics")
        for name, parameter in model.named_parameters():
            self.put(f"classifier/init/{name}", parameter)
        self.classifier = model

    def classifier_ends(self) -> None:
        """All its epochs are over, and with them the script."""
        for name, parameter in self.classifier.named_parameters():
            self.put(f"classifier/after/{name}", parameter)
        self.put("classifier/batch_index", np.array(self.rows).reshape(-1, self.model.classifier_batch_size))
        self.put("classifier/accuracies", np.array(self.accuracies))
        raise Enough


def watch(recorder: CADAVAERecorder) -> None:
    """Hooks the recorder into torch and into the script's modules, which can be imported but have not been."""
    torch = import_torch()
    watch_steps(recorder.before_step, recorder.after_step)
    randperm, normal = torch.randperm, torch.Tensor.normal_

    def watched_randperm(*args: Any, **kwargs: Any) -> Any:
        drawn = randperm(*args, **kwargs)
        recorder.permutation = drawn.numpy()
        return drawn

    def watched_normal(self: Any, *args: Any, **kwargs: Any) -> Any:
        drawn = normal(self, *args, **kwargs)
        if sys._getframe(1).f_code.co_name == "reparameterize":
            recorder.noise.append(drawn.detach().clone())
        return drawn

    torch.randperm, torch.Tensor.normal_ = watched_randperm, watched_normal
    model, final = importlib.import_module("vaemodel").Model, importlib.import_module("final_classifier")
    init, train_classifier = model.__init__, model.train_classifier

    def watched_init(self: Any, hyperparameters: dict[str, Any]) -> None:
        init(self, hyperparameters)
        recorder.model = self
        recorder.begin(hyperparameters)

    def watched_train_classifier(self: Any, *args: Any, **kwargs: Any) -> None:
        train_classifier(self, *args, **kwargs)
        recorder.classifier_ends()

    model.__init__, model.train_classifier = watched_init, watched_train_classifier
    classifier_init, item = final.CLASSIFIER.__init__, final.TrainDataset.__getitem__

    def watched_classifier_init(self: Any, *args: Any, **kwargs: Any) -> None:
        recorder.classifier_begins(*args[:7])
        classifier_init(self, *args, **kwargs)

    def watched_item(self: Any, index: int) -> Any:
        recorder.rows.append(index)
        return item(self, index)

    final.CLASSIFIER.__init__, final.TrainDataset.__getitem__ = watched_classifier_init, watched_item
    watch_accuracies(recorder, final.CLASSIFIER)


def record(checkout: Path, size: str, seed: int, epochs: int | None) -> dict[str, np.ndarray]:
    """The arrays of one recording.

    Args:
        checkout: of edgarschnfld/CADA-VAE-PyTorch.
        size: 'small' or 'medium'.
        seed: of the simulated data and of torch.
        epochs: of training; None: those of the size.

    Raises:
        UserError: no such checkout, or its script is not the one this knows.
    """
    dimensions, chosen = SIZES[size]
    raw = mat_files.simulate(dimensions, seed)
    recorder = CADAVAERecorder(raw)
    changes = chosen | ({} if epochs is None else {"epochs": epochs})
    write = lambda folder: mat_files.write(folder, raw)  # noqa: E731
    script_cadavae.run(checkout, dimensions, changes, write, lambda: watch(recorder), seed)
    return recorder.arrays
