"""Records the public CE-GZSL loop (CE_GZSL.py of Hanzy1996/CE-GZSL). Needs torch, not JAX.

Everything is read off the running script: its variables at the steps of its optimisers, what it draws, and the batches and
parameters of its final classifier. Sizes and option values go in by its own command line. Nothing is recomputed but for
`scores/*`: after the last epoch both of the script's forms of the class contrast are called on its last batch.
"""

import importlib
from pathlib import Path
from typing import Any

import numpy as np

from tools.parity_parts.recorder import Recorder, rate
from tools.parity_parts.reference_script import find_script, import_torch, is_variable, run_script, variable, watch_steps
from tools.simulated import mat_files
from tools.simulated.mat_files import MatSize

SOURCE, SCRIPT = "Hanzy1996/CE-GZSL", "CE_GZSL.py"
TRAINED = {"critic": ("critic", "embed", "comparator"), "generator": ("generator",)}
TERMS = {
    "critic": {"loss": "D_cost", "gradient_penalty": "gradient_penalty", "wasserstein": "Wasserstein_D",
               "term/contrastive": "real_ins_contras_loss", "term/class": "cls_loss_real"},
    "generator": {"loss": "errG", "term/contrastive": "fake_ins_contras_loss", "term/class": "cls_loss_fake"},
}  # fmt: skip
SIZES: dict[str, tuple[MatSize, dict[str, Any]]] = {
    "small": (
        MatSize(features=20, semantics=7, seen=10, unseen=4, train=70, test_seen=30, test_unseen=40),
        {"ngh": 28, "ndh": 30, "nhF": 16, "embedSize": 18, "outzSize": 9, "nz": 5, "batch_size": 14, "critic_iter": 3,
         "syn_num": 10, "ins_weight": 0.4, "cls_weight": 0.25, "ins_temp": 0.15, "cls_temp": 0.2, "nepoch": 3, "lr_decay_epoch": 2},
    ),
    "medium": (
        MatSize(features=64, semantics=16, seen=14, unseen=6, train=150, test_seen=50, test_unseen=90),
        {"ngh": 128, "ndh": 112, "nhF": 64, "embedSize": 96, "outzSize": 32, "nz": 12, "batch_size": 32, "critic_iter": 5,
         "syn_num": 20, "ins_weight": 0.1, "cls_weight": 0.3, "ins_temp": 0.1, "cls_temp": 0.1, "nepoch": 2, "lr_decay_epoch": 1},
    ),
}  # fmt: skip
COMMON = {"lr": 1e-3}


def command_line(size: MatSize, chosen: dict[str, Any], seed: int) -> list[str]:
    """The script's options for a benchmark of this size."""
    values = chosen | {
        "resSize": size.features, "attSize": size.semantics, "nclass_all": size.seen + size.unseen, "nclass_seen": size.seen,
        "dataset": "simulated", "dataroot": "data", "class_embedding": "att", "manualSeed": seed,
    }  # fmt: skip
    return [part for name, value in values.items() for part in (f"--{name}", str(value))]


class CEGZSLRecorder(Recorder):
    """Watches the script: every update, every final classifier."""

    networks = {"generator": "netG", "critic": "netD", "embed": "netMap", "comparator": "F_ha"}  # noqa: RUF012

    def __init__(self, raw: dict[str, np.ndarray]) -> None:
        super().__init__()
        self.raw, self.epoch, self.batch = raw, 0, 0
        self.last: dict[str, float] = {}

    def begin(self) -> None:
        """Before the first step of all: options, data, initial parameters."""
        data = variable("data")
        self.put_config(vars(variable("opt")))
        self.put_data(self.raw, data, np.searchsorted(data.seenclasses.numpy(), data.train_label.numpy()))
        self.put_networks("init/")

    def before_step(self, optimizer: Any) -> None:
        """The gradients are there, no parameter has moved."""
        kind = self.kind(optimizer)
        if kind is None:
            return
        if not self.arrays:
            self.begin()
        at, seen = self.name, variable("input_label")
        self.put(f"{at}/kind", kind)
        for key, name in TERMS[kind].items():
            self.put(f"{at}/{key}", variable(name))
        self.put(f"{at}/batch/features", variable("input_res"))
        self.put(f"{at}/batch/att", variable("input_att"))
        self.put(f"{at}/batch/seen_label", seen)
        self.put(f"{at}/batch/label", variable("data").seenclasses[seen])
        self.put(f"{at}/noise/fake", variable("noise_gen"))
        if kind == "critic":
            self.take("noise/interp")
        self.put_networks(f"{at}/grad/", TRAINED[kind], gradients=True)

    def after_step(self, optimizer: Any) -> None:
        """One optimiser steps everything an update trains."""
        if self.kind(optimizer) is not None:
            self.end_update()

    def kind(self, optimizer: Any) -> str | None:
        """Which update an optimiser's step ends; None for the final classifier's."""
        kinds = {"critic": "optimizerD", "generator": "optimizerG"}
        return next((kind for kind, name in kinds.items() if is_variable(optimizer, name)), None)

    def classifier_begins(self, classifier: Any) -> None:
        """The final classifier of this epoch before its first update, its rows not yet shuffled."""
        at, self.batch = f"classifier{self.epoch}/", 0
        self.put(f"{at}train_feature", classifier.train_X)
        self.put(f"{at}train_label", classifier.train_Y)
        for name, parameter in classifier.model.named_parameters():
            self.put(f"{at}init/{name}", parameter)
        for name in ("lr", "batch_size", "nepoch"):
            self.put(at + name, getattr(classifier, name))

    def classifier_batch(self, features: Any, label: Any) -> None:
        """One batch of the final classifier."""
        at = f"classifier{self.epoch}/batch{self.batch:03d}/"
        self.put(f"{at}features", features)
        self.put(f"{at}label", label)
        self.batch += 1

    def classifier_ends(self, classifier: Any, best: tuple[float, float, float]) -> None:
        """The final classifier after its last update; with it ends the epoch."""
        at = f"classifier{self.epoch}/"
        for name, parameter in classifier.model.named_parameters():
            self.put(f"{at}after/{name}", parameter)
        for name, value in zip(("best_seen", "best_unseen", "best_H"), best, strict=True):
            self.put(at + name, value)
        for split, value in self.last.items():
            self.put(f"{at}last_{split}", value)
        at = f"epoch{self.epoch}/"
        self.put(f"{at}seen", best[0])
        self.put(f"{at}unseen", best[1])
        self.put(f"{at}lr/G", rate("optimizerG"))
        self.put(f"{at}lr/D", rate("optimizerD"))
        self.put(f"{at}nsteps", self.updates)
        self.epoch += 1
        if self.epoch == variable("opt").nepoch:
            self.put_scores()

    def put_scores(self) -> None:
        """The class contrast of the last batch under the networks training ended with, by both of the script's functions."""
        features, seen = variable("input_res"), variable("input_label")
        with import_torch().no_grad():
            embedding, _ = variable("netMap")(features)
            for key, name in (("loop", "class_scores_for_loop"), ("matrix", "class_scores_in_matrix")):
                self.put(f"scores/{key}", variable(name)(embedding, seen, variable("F_ha")))
        self.put("scores/batch/features", features)
        self.put("scores/batch/label", variable("data").seenclasses[seen])


def watch(recorder: CEGZSLRecorder) -> None:
    """Hooks the recorder into torch and into the script's classifier, which can be imported but has not been."""
    torch = import_torch()
    watch_steps(recorder.before_step, recorder.after_step)
    plain_rand = torch.rand

    def rand(*args: Any, **kwargs: Any) -> Any:
        drawn = plain_rand(*args, **kwargs)
        recorder.draw("noise/interp", drawn)
        return drawn

    torch.rand = rand
    classifier = importlib.import_module("classifier_embed_contras").CLASSIFIER
    fit, next_batch, val_gzsl = classifier.fit, classifier.next_batch, classifier.val_gzsl

    def watched_fit(self: Any) -> Any:
        recorder.classifier_begins(self)
        best = fit(self)
        recorder.classifier_ends(self, best)
        return best

    def watched_next_batch(self: Any, *args: Any) -> Any:
        features, label = next_batch(self, *args)
        recorder.classifier_batch(features, label)
        return features, label

    def watched_val_gzsl(self: Any, features: Any, label: Any, classes: Any) -> Any:
        found = val_gzsl(self, features, label, classes)
        recorder.last["seen" if classes is self.seenclasses else "unseen"] = found
        return found

    classifier.fit, classifier.next_batch, classifier.val_gzsl = watched_fit, watched_next_batch, watched_val_gzsl


def record(checkout: Path, size: str, seed: int, epochs: int | None) -> dict[str, np.ndarray]:
    """The arrays of one recording.

    Args:
        checkout: of Hanzy1996/CE-GZSL.
        size: 'small' or 'medium'.
        seed: of the simulated data and of the script.
        epochs: of training; None: those of the size.

    Raises:
        UserError: no such checkout, or its script is not the one this knows.
    """
    path = find_script(checkout, SCRIPT, SOURCE)
    dimensions, chosen = SIZES[size]
    chosen = COMMON | chosen | ({} if epochs is None else {"nepoch": epochs})
    raw = mat_files.simulate(dimensions, seed)
    recorder = CEGZSLRecorder(raw)
    run_script(
        path, command_line(dimensions, chosen, seed),
        lambda folder: mat_files.write(folder / "data" / "simulated", raw), lambda: watch(recorder),
    )  # fmt: skip
    return recorder.arrays
