"""Records the two public ZeroDiff loops (FouriYe/ZeroDiff_ICLR25), one after the other. Needs torch, not JAX.

Everything is read off the running scripts, as TF-VAEGAN's is: the variables of their update functions when the first of an update's
optimisers is about to step, what is drawn, and in the last epoch what is synthesized and classified. `term/kl` alone is computed
here, as there. What the second stage draws for the log of its critics' scores of test rows is not kept.
"""

import importlib
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from d3gzsl_jax.errors import UserError
from tools.parity_parts import record_tfvaegan, script_zerodiff
from tools.parity_parts.record_tfvaegan import TFVAEGANRecorder
from tools.parity_parts.reference_script import Enough, import_torch, variable
from tools.parity_parts.zerodiff_variables import CLASSIFIERS, LAST_TO_STEP, NETWORKS, NOISE_OF, POSTERIOR, PRIOR, SYNTHESES, TERMS
from tools.simulated.mat_files import MatSize

SOURCE, SCRIPT = script_zerodiff.SOURCE, " and ".join(script_zerodiff.SCRIPTS.values())
SHARED = ("config", "mat", "data", "schedule")
"""Beginnings of the keys that both stages have."""
# Batches are powers of two, as for TF-VAEGAN; there are as many test rows of seen classes, of which the second stage draws some.
SIZES: dict[str, tuple[MatSize, dict[str, Any]]] = {
    "small": (
        MatSize(features=20, semantics=8, seen=9, unseen=4, train=70, test_seen=30, test_unseen=40),
        {"ngh": 36, "ndh": 28, "batch_size": 16, "critic_iter": 2, "syn_num": 10, "nepoch": 2, "noiseSize": 6, "lr": 1e-3,
         "dec_lr": 5e-4},
    ),
    "medium": (
        MatSize(features=64, semantics=15, seen=14, unseen=6, train=150, test_seen=50, test_unseen=90),
        {"ngh": 96, "ndh": 112, "batch_size": 32, "critic_iter": 3, "syn_num": 20, "nepoch": 1, "noiseSize": 11, "n_T": 3,
         "gamma_x0": 0.7, "gamma_xt": 1.2, "gamma_recons": 0.5, "gamma_ADV": 5, "gamma_VAE": 0.8, "gamma_dist": 2.0,
         "factor_dist": 1.0, "freeze_dec": False},
    ),
}  # fmt: skip


def local_variables(function: str) -> dict[str, Any]:
    """The variables of the innermost call of this name that is under way; {} without one."""
    frame: Any = sys._getframe(1)
    while frame is not None and frame.f_code.co_name != function:
        frame = frame.f_back
    return {} if frame is None else frame.f_locals


class ZeroDiffRecorder(TFVAEGANRecorder):
    """Watches the script of a stage: every update, and in the last epoch what it synthesizes and some final classifiers."""

    def __init__(self, stage: str, raw: dict[str, np.ndarray]) -> None:
        super().__init__(raw)
        self.stage, self.fitted = stage, ""
        self.synthesized: dict[str, dict[int, list[np.ndarray]]] = {}
        self.classified: list[str] = []

    @property
    def model(self) -> Any:
        """The script's object."""
        return variable(script_zerodiff.MODELS[self.stage])

    def put_networks(self, prefix: str, names: tuple[str, ...] = (), gradients: bool = False) -> None:
        """The parameters of the named networks (default: all), or their gradients where they have one."""
        of = NETWORKS[self.stage]
        for name in names or of:
            for layer, parameter in getattr(self.model, of[name]).named_parameters():
                value = parameter.grad if gradients else parameter
                if value is not None:
                    self.put(f"{prefix}{name}/{layer}", value)

    def begin(self) -> None:
        """Before the first draw of all: options, data, tables, initial parameters."""
        options, data = vars(variable("opt")), variable("data")
        self.put_config(options)
        self.put("config/freeze_dec", options["freeze_dec"])
        self.put_data(self.raw, data, np.searchsorted(data.seenclasses.numpy(), data.train_label.numpy()))
        for split in ("train", "test_seen", "test_unseen"):
            self.put(f"data/{split}_contrastive", getattr(data, f"{split}_paco"))
        for names, table in ((PRIOR, self.model.prior_coefficients), (POSTERIOR, self.model.posterior_coefficients)):
            for name in names:
                self.put(f"schedule/{name}", getattr(table, name))
        levels = import_torch().arange(options["n_T"])
        embedding = importlib.import_module("zerodiff_tools").timestep_embedding(levels, options["dim_t"])
        self.put("schedule/time_embedding", embedding)
        self.put_networks("init/")

    def before_step(self, optimizer: Any) -> None:
        """The gradients are there, no parameter has moved where this optimiser is the first to step."""
        model, update = self.model, "update_D" if (found := local_variables("update_D")) else "update_G"
        found = found or local_variables("update_G")
        if not found:
            return  # of a final classifier
        critics = tuple(name for name in NETWORKS[self.stage] if name.startswith("critic"))
        if update == "update_D" and optimizer is model.optimizerDec:
            self.put(f"{self.name}/batch/index", self.index)
            self.take(*(f"noise/interp_{name.removeprefix('critic_')}" for name in critics))
            self.update("critic", found, (*critics, "decoder"))
        elif update == "update_G" and optimizer is (model.optimizerR if self.stage == "drg" else model.optimizerE):
            self.put(f"{self.name}/loss", found["errG"])
            if self.stage == "dfg":
                means, log_variances = found["means"], found["log_var"]
                kl = -0.5 * (1 + log_variances - means.pow(2) - log_variances.exp()).sum() / means.size(0)
                self.put(f"{self.name}/term/kl", kl)
                self.take("term/reconstruction")
            encoder = ("encoder",) if self.stage == "dfg" else ()
            self.update("generator", found, ("generator", *encoder, *(("decoder",) if self._decoder_steps() else ())))

    def update(self, kind: str, found: dict[str, Any] | None = None, trained: tuple[str, ...] = ()) -> None:
        """What both kinds of update have: `found` are the variables of its function, `trained` the networks that step."""
        at, function = self.name, "update_D" if kind == "critic" else "update_G"
        assert found is not None
        self.put(f"{at}/kind", kind)
        self.put(f"{at}/penalty_weight", self.model.lambda1)
        for name, of in TERMS[self.stage][function].items():
            self.put(f"{at}/term/{name}", found[of])
        for name, of in (("features", "input_res"), ("contrastive", "input_con"), ("att", "input_att")):
            self.put(f"{at}/batch/{name}", variable(of))
        self.put(f"{at}/batch/label", variable("data").train_label[self.index])
        self.take("timestep", *(f"noise/{name}" for name in ("latent", *NOISE_OF.values())))
        self.put_networks(f"{at}/grad/", trained, gradients=True)

    def _decoder_steps(self) -> bool:
        return self.stage == "dfg" and not variable("opt").freeze_dec and self.model.gamma_recons > 0

    def after_step(self, optimizer: Any) -> None:
        """The last optimiser ends an update; the decoder's is the last of a generator's where it steps there at all."""
        critic, generator = (getattr(self.model, name) for name in LAST_TO_STEP[self.stage])
        if local_variables("update_G"):
            ends = optimizer is (self.model.optimizerDec if self._decoder_steps() else generator)
        else:
            ends = optimizer is critic
        if ends:
            self.end_update()

    def end_update(self) -> None:
        """The update is over: parameters after it, but for what is frozen."""
        self.put_networks(f"{self.name}/after/", tuple(name for name in NETWORKS[self.stage] if name != "representation"))
        self.drawn.clear()
        self.updates += 1

    def latent(self, drawn: Any) -> None:
        """N(0, 1) has been drawn: in an update a latent, with which it begins."""
        if local_variables("update_D") or local_variables("update_G"):
            self.drawn.clear()  # of test rows
            self.draw("noise/latent", drawn)
        else:
            self.synthesis_draw(drawn)

    def like_a_row(self, drawn: Any, caller: str) -> None:
        """Noise of a row's shape has been drawn by this function."""
        if local_variables("sample_from_model"):
            self.synthesis_draw(drawn)
        else:
            self.draw(f"noise/{NOISE_OF[caller]}", drawn)

    def synthesis_draw(self, drawn: Any) -> None:
        """Noise of rows that are synthesized, of one class."""
        found = local_variables("generate_syn_feature")
        if found and found["classes"] is variable("data").unseenclasses and self.last_epoch:
            at = "synthesis_progressive" if found.get("progressive") else "synthesis"
            self.synthesized.setdefault(at, {}).setdefault(found["i"], []).append(drawn.numpy().copy())

    def uniform(self, drawn: Any, caller: str) -> None:
        """U[0, 1) has been drawn: for the penalty of one critic after another."""
        names = (f"noise/interp_{name}" for name in ("x0", "xt", "xc"))
        self.draw(next((name for name in names if name not in self.drawn), "noise/interp_xc"), drawn)

    def normal(self, drawn: Any, caller: str) -> None:
        """A tensor has been filled with N(0, 1): initial parameters."""

    @property
    def last_epoch(self) -> bool:
        """Whether the epoch under way is the last."""
        return variable("epoch") == variable("opt").nepoch - 1

    def classifier_name(self, classifier: Any) -> str:
        """Where a final classifier is recorded."""
        return f"classifier_{self.fitted}/"

    def classifier_begins(self, classifier: Any) -> None:
        """A final classifier before its first update; it is one to be recorded where `fitted` says so."""
        self.permutations.clear()
        kind = "gzsl" if classifier.nclass == variable("opt").nclass_all else "zsl"
        name = f"{kind}_{''.join(letter for letter in 'VCS' if getattr(classifier, f'use{letter}'))}"
        if not self.last_epoch or name not in CLASSIFIERS[self.stage][len(self.classified) :][:1]:
            return
        if not self.classified:
            self.put_syntheses()
        self.fitted = name
        super().classifier_begins(classifier)

    def put_syntheses(self) -> None:
        """What has been synthesized in the last epoch."""
        for at, names in SYNTHESES[self.stage].items():
            draws = [self.synthesized[at][number] for number in range(len(self.synthesized[at]))]
            for number, of_classes in enumerate(zip(*draws, strict=True)):
                self.put(f"{at}/draw{number}", np.stack(of_classes))
            for name, of in names.items():
                self.put(f"{at}/{name}", variable(of))
        self.put("nsteps", self.updates)

    def classifier_batch(self, classifier: Any, start: int, size: int) -> None:
        """The rows of a batch, of a classifier that is recorded."""
        if self.fitted:
            super().classifier_batch(classifier, start, size)
        else:
            self.permutations.clear()

    def classifier_ends(self, classifier: Any, best: list[float]) -> None:
        """A final classifier after its last update; the last ends the second stage, while the first then saves its generator."""
        if not self.fitted:
            if self.stage == "drg" and self.classified:
                raise Enough
            return
        super().classifier_ends(classifier, best)
        self.classified.append(self.fitted)
        self.fitted = ""
        if self.stage == "dfg" and len(self.classified) == len(CLASSIFIERS["dfg"]):
            raise Enough


def watch(recorder: ZeroDiffRecorder) -> None:
    """Hooks the recorder into torch and into the script's modules, which can be imported but have not been."""
    torch = import_torch()
    record_tfvaegan.watch(recorder)
    like, integers = torch.randn_like, torch.randint

    def randn_like(*args: Any, **kwargs: Any) -> Any:
        drawn = like(*args, **kwargs)
        recorder.like_a_row(drawn, sys._getframe(1).f_code.co_name)
        return drawn

    def randint(*args: Any, **kwargs: Any) -> Any:
        drawn = integers(*args, **kwargs)
        recorder.draw("timestep", drawn)
        return drawn

    torch.randn_like, torch.randint = randn_like, randint


def _record_stage(
    checkout: Path, stage: str, size: MatSize, chosen: dict[str, Any], raw: dict[str, np.ndarray],
    first_stage: dict[str, np.ndarray] | None,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """The arrays of a stage, and the first stage's generator as it was saved."""
    recorder = ZeroDiffRecorder(stage, raw)
    write: Callable[[Path], None] = lambda folder: script_zerodiff.write(folder, raw)  # noqa: E731
    saved = script_zerodiff.run(checkout, stage, size, chosen, write, lambda: watch(recorder), first_stage)
    return recorder.arrays, saved


def record(checkout: Path, size: str, seed: int, epochs: int | None) -> dict[str, np.ndarray]:
    """The arrays of one recording.

    Args:
        checkout: of FouriYe/ZeroDiff_ICLR25.
        size: 'small' (the options for AWA2, sizes apart) or 'medium' (other weights, three noise levels, an odd embedding of time,
            the decoder steps in the generator's updates too).
        seed: of the simulated data and of the scripts.
        epochs: of training, of each stage; None: those of the size.

    Raises:
        UserError: no such checkout, or its scripts are not those this knows.
    """
    dimensions, chosen = SIZES[size]
    chosen = script_zerodiff.AWA2 | chosen | {"manualSeed": seed} | ({} if epochs is None else {"nepoch": epochs})
    raw = script_zerodiff.simulate(dimensions, seed)
    arrays: dict[str, np.ndarray] = {}
    saved: dict[str, np.ndarray] | None = None
    for stage in script_zerodiff.SCRIPTS:
        try:  # in a process of its own: both scripts have modules of the same names, and hooks stay
            with ProcessPoolExecutor(1, get_context("fork")) as pool:
                found, saved = pool.submit(_record_stage, checkout, stage, dimensions, chosen, raw, saved).result()
        except BrokenProcessPool:
            raise UserError(f"{checkout}: the process of {script_zerodiff.SCRIPTS[stage]} ended before the script did") from None
        arrays |= {key if key.partition("/")[0] in SHARED else f"{stage}/{key}": array for key, array in found.items()}
        if stage == "drg" and not saved:
            raise UserError(f"{checkout}: {script_zerodiff.SCRIPTS[stage]} saved no generator; give another --seed")
    return arrays
