"""Records the public FREE loop (train_free.py of shiming-chen/FREE). Needs torch, not JAX.

Everything is read off the running script, as TF-VAEGAN's is, from which it was made. Draws that it makes and does not use, the
refiner's noise of synthesized and interpolated rows in critic updates, are not kept.
"""

import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np

from tools.parity_parts import record_tfvaegan, script_free
from tools.parity_parts.record_tfvaegan import TFVAEGANRecorder
from tools.parity_parts.reference_script import Enough, import_torch, is_variable, variable
from tools.simulated import mat_files
from tools.simulated.mat_files import MatSize

SOURCE, SCRIPT = script_free.SOURCE, script_free.SCRIPT
TRAINED = {"critic": ("critic",), "generator": ("encoder", "generator", "refiner")}
# Batches are powers of two, as for TF-VAEGAN.
SIZES: dict[str, tuple[MatSize, dict[str, Any]]] = {
    "small": (
        MatSize(features=20, semantics=8, seen=9, unseen=4, train=70, test_seen=30, test_unseen=40),
        {"ngh": 36, "ndh": 28, "batch_size": 16, "critic_iter": 2, "syn_num": 10, "nepoch": 2, "lr": 1e-3, "dec_lr": 5e-4,
         "center_margin": 5, "recons_weight": 0.3, "encoded_noise": True},
    ),
    "medium": (
        MatSize(features=64, semantics=16, seen=14, unseen=6, train=150, test_seen=50, test_unseen=90),
        {"ngh": 96, "ndh": 112, "batch_size": 32, "critic_iter": 3, "syn_num": 20, "nepoch": 1, "lr": 5e-4, "dec_lr": 1e-3,
         "center_margin": 8, "incenter_weight": 0.5, "recons_weight": 0.1, "encoded_noise": False, "dataset": "AWA2",
         "freeze_dec": True},
    ),
}  # fmt: skip


class FREERecorder(TFVAEGANRecorder):
    """Watches the script: every update, what it synthesizes, every final classifier."""

    networks = {  # noqa: RUF012
        "encoder": "netE", "generator": "netG", "critic": "netD", "refiner": "netFR", "centers": "center_criterion",
    }  # fmt: skip

    def __init__(self, raw: dict[str, np.ndarray]) -> None:
        super().__init__(raw)
        self.refined: list[Any] | None = None  # noise of the rows of a final classifier, while they are made
        self.classifier_noise: list[np.ndarray] = []

    def begin(self) -> None:
        """Before the first draw of all: options, data, initial parameters."""
        super().begin()
        self.put("config/dataset", variable("opt").dataset)
        self.drawn.clear()  # the centres, which are initial parameters

    def before_step(self, optimizer: Any) -> None:
        """The gradients are there, no parameter of theirs has moved."""
        at = self.name
        if is_variable(optimizer, "optimizerFR") and not self.pending:
            self.put(f"{at}/term/semantic_real", variable("R_cost"))
            self.put(f"{at}/term/center", variable("center_loss_real"))
            self.put_networks(f"{at}/grad/", ("refiner", "centers"), gradients=True)
        elif is_variable(optimizer, "optimizerD"):
            self.put(f"{at}/loss", variable("D_cost"))
            for name in ("critic_real", "critic_fake"):
                self.put(f"{at}/term/{name}", variable(name.replace("critic", "criticD")))
            self.put(f"{at}/term/gradient_penalty", variable("gradient_penalty"))
            self.put(f"{at}/batch/index", self.index)
            self.take("noise/latent" if variable("opt").encoded_noise else "noise/prior", "noise/interp")
            if "other" in self.drawn:
                self.put(f"{at}/other", (variable("input_label") + self.drawn["other"]) % variable("opt").nclass_seen)
            self.update("critic")
        elif is_variable(optimizer, "optimizer"):
            self.put_generator_terms()
            self.update("generator")
            self.pending = True

    def update(self, kind: str) -> None:
        """What both kinds of update have."""
        at = self.name
        self.put(f"{at}/kind", kind)
        self.put(f"{at}/penalty_weight", variable("opt").lambda1)
        self.put(f"{at}/batch/features", variable("input_res"))
        self.put(f"{at}/batch/att", variable("input_att"))
        self.put(f"{at}/batch/label", variable("data").train_label[self.index])
        self.put(f"{at}/batch/seen_label", variable("input_label"))
        self.take("noise/refiner")
        self.put_networks(f"{at}/grad/", TRAINED[kind], gradients=True)

    def after_step(self, optimizer: Any) -> None:
        """The critic is the last to step in its update, the refiner in the generator's."""
        super().after_step(optimizer)
        if is_variable(optimizer, "optimizerFR"):
            self.finish()

    def uniform(self, drawn: Any, caller: str) -> None:
        """Of the two penalties the critic's alone counts."""
        if caller == "calc_gradient_penalty":
            super().uniform(drawn, caller)

    def refiner_noise(self, drawn: Any) -> None:
        """Noise of the refiner: the first of an update, and all of a final classifier."""
        if self.refined is not None:
            self.refined.append(drawn)
        elif "noise/refiner" not in self.drawn:
            self.draw("noise/refiner", drawn)

    def classifier_name(self, classifier: Any) -> str:
        """Where a final classifier is recorded."""
        return f"classifier{self.epoch}/"

    def classifier_begins(self, classifier: Any) -> None:
        """A final classifier before its first update, its rows not yet shuffled."""
        super().classifier_begins(classifier)
        for split, noise in zip(("train", "test_unseen", "test_seen"), self.classifier_noise, strict=True):
            self.put(f"{self.classifier_name(classifier)}noise/{split}", noise)
        self.classifier_noise.clear()

    def classifier_ends(self, classifier: Any, best: list[float]) -> None:
        """A final classifier after its last update: it ends the epoch."""
        super().classifier_ends(classifier, best)
        self.epoch += 1
        if self.epoch == variable("opt").nepoch:
            raise Enough


def watch(recorder: FREERecorder) -> None:
    """Hooks the recorder into torch and into the script's modules, which can be imported but have not been."""
    torch = import_torch()
    record_tfvaegan.watch(recorder, "util", "classifier")
    like, integers = torch.randn_like, torch.randint

    def randn_like(*args: Any, **kwargs: Any) -> Any:
        drawn = like(*args, **kwargs)
        recorder.refiner_noise(drawn)
        return drawn

    def randint(*args: Any, **kwargs: Any) -> Any:
        drawn = integers(*args, **kwargs)
        if sys._getframe(1).f_code.co_name == "Other_label":
            recorder.draw("other", drawn)
        return drawn

    torch.randn_like, torch.randint = randn_like, randint
    classifier = importlib.import_module("classifier").CLASSIFIER
    plain = classifier.compute_fear_out

    def compute_fear_out(self: Any, *args: Any) -> Any:
        recorder.refined = []
        rows = plain(self, *args)
        recorder.classifier_noise.append(torch.cat(recorder.refined).numpy())
        recorder.refined = None
        return rows

    classifier.compute_fear_out = compute_fear_out


def record(checkout: Path, size: str, seed: int, epochs: int | None) -> dict[str, np.ndarray]:
    """The arrays of one recording.

    Args:
        checkout: of shiming-chen/FREE.
        size: 'small' (as on CUB: encoded latents, another class at random) or 'medium' (as on AWA2: the nearest other class, the
            refiner at rest in the generator's updates; but latents of the prior).
        seed: of the simulated data and of the script.
        epochs: of training, each of two passes; None: those of the size.

    Raises:
        UserError: no such checkout, or its script is not the one this knows.
    """
    dimensions, chosen = SIZES[size]
    chosen = script_free.CUB | chosen | {"manualSeed": seed} | ({} if epochs is None else {"nepoch": epochs})
    raw = mat_files.simulate(dimensions, seed)
    recorder = FREERecorder(raw)
    script_free.run(checkout, dimensions, chosen, lambda folder: mat_files.write(folder, raw), lambda: watch(recorder))
    return recorder.arrays
