"""Records the public TF-VAEGAN loop (train_images.py of akshitac8/tfvaegan). Needs torch, not JAX.

Everything is read off the running script: its variables at the steps of its optimisers, what it draws, what it synthesizes, and
the rows and parameters of its final classifiers. Nothing is recomputed but for `term/kl`, which the script adds to the
reconstruction error at once.
"""

import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np

from tools.parity_parts import script_tfvaegan
from tools.parity_parts.recorder import Recorder, mean_accuracy, watch_accuracies
from tools.parity_parts.reference_script import Enough, import_torch, is_variable, variable, watch_steps
from tools.simulated import mat_files
from tools.simulated.mat_files import MatSize

SOURCE, SCRIPT = script_tfvaegan.SOURCE, script_tfvaegan.SCRIPT
TRAINED = {"critic": ("critic",), "generator": ("encoder", "generator", "feedback", "decoder")}
# Batches are powers of two: with others, gradients of the critic that vanish but for rounding are not the same in both libraries.
SIZES: dict[str, tuple[MatSize, dict[str, Any]]] = {
    "small": (
        MatSize(features=20, semantics=8, seen=9, unseen=4, train=70, test_seen=30, test_unseen=40),
        {"ngh": 36, "ndh": 28, "batch_size": 16, "critic_iter": 2, "syn_num": 10, "nepoch": 2, "lr": 1e-3, "feed_lr": 2e-4,
         "dec_lr": 5e-4, "recons_weight": 0.3, "a1": 0.7, "a2": 0.4, "encoded_noise": True},
    ),
    "medium": (
        MatSize(features=64, semantics=16, seen=14, unseen=6, train=150, test_seen=50, test_unseen=90),
        {"ngh": 96, "ndh": 112, "batch_size": 32, "critic_iter": 3, "syn_num": 20, "nepoch": 1, "lr": 5e-4, "feed_lr": 1e-4,
         "dec_lr": 1e-3, "recons_weight": 0.1, "a1": 0.5, "a2": 0.5, "encoded_noise": False},
    ),
}  # fmt: skip


class TFVAEGANRecorder(Recorder):
    """Watches the script: every update, what it synthesizes, every final classifier."""

    networks = {  # noqa: RUF012
        "encoder": "netE", "generator": "netG", "critic": "netD", "feedback": "netF", "decoder": "netDec",
    }  # fmt: skip

    def __init__(self, raw: dict[str, np.ndarray]) -> None:
        super().__init__()
        self.raw, self.epoch, self.pending = raw, 0, False
        self.permutations: list[np.ndarray] = []
        self.synthesis_noise: list[np.ndarray] = []
        self.index = np.zeros(0, int)
        self.order = np.zeros(0, int)
        self.batches: list[np.ndarray] = []

    def begin(self) -> None:
        """Before the first draw of all: options, data, initial parameters."""
        options, data = vars(variable("opt")), variable("data")
        self.put_config(options)
        for name in ("encoded_noise", "freeze_dec"):
            self.put(f"config/{name}", options[name])
        self.put_data(self.raw, data, np.searchsorted(data.seenclasses.numpy(), data.train_label.numpy()))
        self.put_networks("init/")

    def finish(self) -> None:
        """The generator's update is over: its optimisers are not the same in all passes."""
        if self.pending:
            self.pending = False
            self.end_update()

    def batch(self) -> None:
        """Rows are about to be drawn."""
        self.finish()
        if not self.arrays:
            self.begin()
        self.permutations.clear()

    def before_step(self, optimizer: Any) -> None:
        """The gradients are there, no parameter of theirs has moved."""
        at = self.name
        if is_variable(optimizer, "optimizerDec") and not self.pending:
            self.put(f"{at}/term/semantic_real", variable("R_cost"))
            self.put_networks(f"{at}/grad/", ("decoder",), gradients=True)
        elif is_variable(optimizer, "optimizerD"):
            self.put(f"{at}/loss", variable("D_cost"))
            for name in ("critic_real", "critic_fake"):
                self.put(f"{at}/term/{name}", variable(name.replace("critic", "criticD")))
            self.put(f"{at}/term/gradient_penalty", variable("gradient_penalty"))
            self.put(f"{at}/batch/index", self.index)
            self.take("noise/latent" if variable("opt").encoded_noise else "noise/prior", "noise/interp")
            self.update("critic")
        elif is_variable(optimizer, "optimizer"):
            self.put_generator_terms()
            self.update("generator")
            self.pending = True

    def put_generator_terms(self) -> None:
        """Loss, terms and draws of a generator update."""
        at, means, log_variances = self.name, variable("means"), variable("log_var")
        kl = -0.5 * (1 + log_variances - means.pow(2) - log_variances.exp()).sum() / means.size(0)
        self.put(f"{at}/term/kl", kl)
        self.put(f"{at}/term/adversarial", variable("G_cost"))
        self.put(f"{at}/term/semantic_fake", variable("R_cost"))
        self.put(f"{at}/loss", variable("errG"))
        self.put(f"{at}/mean_penalty", variable("gp_sum"))
        self.take("term/reconstruction", "noise/latent", *(() if variable("opt").encoded_noise else ("noise/prior",)))

    def update(self, kind: str) -> None:
        """What both kinds of update have."""
        at = self.name
        self.put(f"{at}/kind", kind)
        self.put(f"{at}/feedback", int(variable("loop") == 1))
        self.put(f"{at}/penalty_weight", variable("opt").lambda1)
        self.put(f"{at}/batch/features", variable("input_res"))
        self.put(f"{at}/batch/att", variable("input_att"))
        self.put(f"{at}/batch/label", variable("data").train_label[self.index])
        self.put_networks(f"{at}/grad/", TRAINED[kind], gradients=True)

    def after_step(self, optimizer: Any) -> None:
        """The critic is the last to step in its update."""
        if is_variable(optimizer, "optimizerD"):
            self.end_update()

    def uniform(self, drawn: Any, caller: str) -> None:
        """U[0, 1) has been drawn."""
        self.draw("noise/interp", drawn)

    def latent(self, drawn: Any) -> None:
        """N(0, 1) has been drawn."""
        self.draw("noise/latent", drawn)

    def normal(self, drawn: Any, caller: str) -> None:
        """A tensor has been filled with N(0, 1)."""
        if caller == "generate_syn_feature":
            self.finish()
            self.synthesis_noise.append(drawn.numpy().copy())
        elif self.arrays and is_variable(drawn, "noise"):
            self.draw("noise/prior", drawn)

    def classifier_name(self, classifier: Any) -> str:
        """Where a final classifier is recorded."""
        kind = "gzsl" if classifier.nclass == variable("opt").nclass_all else "zsl"
        return f"classifier{self.epoch}_{kind}/"

    def classifier_begins(self, classifier: Any) -> None:
        """A final classifier before its first update, its rows not yet shuffled."""
        at, synthesis = self.classifier_name(classifier), f"synthesis{self.epoch}/"
        if self.synthesis_noise:
            self.put(f"{synthesis}noise", np.stack(self.synthesis_noise))
            self.put(f"{synthesis}features", variable("syn_feature"))
            self.put(f"{synthesis}label", variable("syn_label"))
            self.put(f"{synthesis}nsteps", self.updates)
            self.put_networks(f"{synthesis}params/")
            self.synthesis_noise.clear()
        for key, name in (("train_feature", "train_X"), ("train_label", "train_Y")):
            self.put(at + key, getattr(classifier, name))
        for key in ("test_seen_feature", "test_unseen_feature", "lr", "batch_size", "nepoch"):
            self.put(at + key, getattr(classifier, key))
        for name, parameter in classifier.model.named_parameters():
            self.put(f"{at}init/{name}", parameter)
        self.order, self.batches, self.accuracies = np.arange(classifier.ntrain), [], []

    def classifier_batch(self, classifier: Any, start: int, size: int) -> None:
        """The rows of a batch that began at `start` of the shuffled rows: shuffled at the beginning, and again where it went over
        their end."""
        if not self.batches:
            self.order = self.order[self.permutations.pop(0)]
        index = self.order[start : start + size]
        if start + size > classifier.ntrain:
            self.order = self.order[self.permutations.pop(0)]
            index = np.concatenate([index, self.order[: size - len(index)]])
        self.batches.append(index)

    def classifier_ends(self, classifier: Any, best: list[float]) -> None:
        """A final classifier after its last update; with T1's ends the epoch, with the last epoch the script."""
        at = self.classifier_name(classifier)
        for name, parameter in classifier.model.named_parameters():
            self.put(f"{at}after/{name}", parameter)
        self.put(f"{at}batch_index", np.stack(self.batches))
        self.put(f"{at}accuracies", np.array(self.accuracies))
        self.put(f"{at}best", np.array(best))
        if at.endswith("_zsl/"):
            self.epoch += 1
            if self.epoch == variable("opt").nepoch:
                raise Enough


def watch(
    recorder: TFVAEGANRecorder, loader: str = "datasets.image_util", classifier: str = "classifiers.classifier_images"
) -> None:
    """Hooks the recorder into torch and into the script's modules, which can be imported but have not been.

    Args:
        loader, classifier: the modules of DATA_LOADER and CLASSIFIER.
    """
    torch = import_torch()
    watch_steps(recorder.before_step, recorder.after_step)
    plain = {name: getattr(torch, name) for name in ("rand", "randn", "randperm")}

    def rand(*args: Any, **kwargs: Any) -> Any:
        drawn = plain["rand"](*args, **kwargs)
        recorder.uniform(drawn, sys._getframe(1).f_code.co_name)
        return drawn

    def randn(*args: Any, **kwargs: Any) -> Any:
        drawn = plain["randn"](*args, **kwargs)
        recorder.latent(drawn)
        return drawn

    def randperm(*args: Any, **kwargs: Any) -> Any:
        drawn = plain["randperm"](*args, **kwargs)
        recorder.permutations.append(drawn.numpy())
        return drawn

    torch.rand, torch.randn, torch.randperm = rand, randn, randperm
    normal, entropy = torch.Tensor.normal_, torch.nn.functional.binary_cross_entropy

    def normal_(self: Any, *args: Any, **kwargs: Any) -> Any:
        drawn = normal(self, *args, **kwargs)
        recorder.normal(drawn, sys._getframe(1).f_code.co_name)
        return drawn

    def binary_cross_entropy(reconstructed: Any, *args: Any, **kwargs: Any) -> Any:
        loss = entropy(reconstructed, *args, **kwargs)
        recorder.draw("term/reconstruction", loss / len(reconstructed))
        return loss

    torch.Tensor.normal_, torch.nn.functional.binary_cross_entropy = normal_, binary_cross_entropy
    _watch_rows(recorder, loader)
    _watch_classifier(recorder, classifier)


def _watch_rows(recorder: TFVAEGANRecorder, module: str) -> None:
    loader = importlib.import_module(module).DATA_LOADER
    plain = loader.next_seen_batch

    def next_seen_batch(self: Any, size: int) -> Any:
        recorder.batch()
        rows = plain(self, size)
        recorder.index = recorder.permutations.pop()[:size]
        return rows

    loader.next_seen_batch = next_seen_batch


def _watch_classifier(recorder: TFVAEGANRecorder, module: str) -> None:
    classifier = importlib.import_module(module).CLASSIFIER
    fit, fit_zsl, next_batch, val = classifier.fit, classifier.fit_zsl, classifier.next_batch, classifier.val

    def watched_fit(self: Any) -> Any:
        recorder.classifier_begins(self)
        found = fit(self)
        recorder.classifier_ends(self, [float(value) for value in found[:3]])
        return found

    def watched_fit_zsl(self: Any) -> Any:
        recorder.classifier_begins(self)
        found = fit_zsl(self)
        recorder.classifier_ends(self, [float(found[0])])
        return found

    def watched_next_batch(self: Any, size: int) -> Any:
        start = self.index_in_epoch
        rows = next_batch(self, size)
        recorder.classifier_batch(self, start, size)
        return rows

    def watched_val(self: Any, *args: Any) -> Any:
        found = val(self, *args)
        recorder.accuracies.append([mean_accuracy(found)])
        return found

    classifier.fit, classifier.fit_zsl, classifier.next_batch = watched_fit, watched_fit_zsl, watched_next_batch
    classifier.val = watched_val
    watch_accuracies(recorder, classifier)


def record(checkout: Path, size: str, seed: int, epochs: int | None) -> dict[str, np.ndarray]:
    """The arrays of one recording.

    Args:
        checkout: of akshitac8/tfvaegan.
        size: 'small' (encoded latents) or 'medium' (latents of the prior).
        seed: of the simulated data and of the script.
        epochs: of training, each of two passes; None: those of the size.

    Raises:
        UserError: no such checkout, or its script is not the one this knows.
    """
    dimensions, chosen = SIZES[size]
    chosen = script_tfvaegan.CUB | chosen | {"manualSeed": seed} | ({} if epochs is None else {"nepoch": epochs})
    raw = mat_files.simulate(dimensions, seed)
    recorder = TFVAEGANRecorder(raw)
    write = lambda folder: mat_files.write(folder, raw)  # noqa: E731
    script_tfvaegan.run(checkout, dimensions, chosen, write, lambda: watch(recorder))
    return recorder.arrays
