"""Replays a recording of ZeroDiff's two loops, one after the other: their steps, what they synthesize, their final classifiers."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from d3gzsl_jax.frameworks.diffusion import Diffusion, time_embedding
from d3gzsl_jax.frameworks.zerodiff import FROZEN, ZeroDiff
from d3gzsl_jax.frameworks.zerodiff_representation import ZeroDiffRepresentation
from tools.parity_parts.comparison import EXACT, Comparison
from tools.parity_parts.recording import Recording
from tools.parity_parts.replay_denoising import Stage, StageComparison
from tools.parity_parts.replay_model import build
from tools.parity_parts.replay_preprocessing import read_data, replay_preprocessing
from tools.parity_parts.replay_softmax import replay_softmax
from tools.parity_parts.replay_steps import Setup, compiled

SYNTHESIS_DRAWS = ("noised", "noise", "representation_noise", "representation_noised")
"""Of the second stage, our names of draw0, draw1, ...; those after them are the posterior's, a level each."""
CLASSIFIERS = {"gzsl_V": "v", "gzsl_VCS": "vcs", "zsl_VCS": "vcs"}
"""Of the second stage, the end of the name of a recorded classifier -> what it sees."""


def fields_of(recording: Recording, name: str) -> dict[str, Any]:
    """The recorded options as fields of the configuration of a stage, called `name`."""
    option = recording.option
    size = lambda of: int(option(of))  # noqa: E731
    own: dict[str, Any] = {
        "timesteps": size("n_T"), "beta_min": float(option("ddpmbeta1")), "beta_max": float(option("ddpmbeta2")),
        "weight_x0": float(option("gamma_x0")), "weight_xt": float(option("gamma_xt")), "decoder_learning_rate": option("dec_lr"),
    }  # fmt: skip
    if name == "zerodiff":
        own |= {
            "weight_adversarial": float(option("gamma_ADV")), "weight_vae": float(option("gamma_VAE")),
            "weight_semantic": float(option("gamma_recons")), "weight_mutual": float(option("gamma_dist")),
            "mutual_exponent": float(option("factor_dist")), "freeze_decoder": bool(option("freeze_dec")),
        }  # fmt: skip
    classifier = "classifier_gzsl_C" if name == "zerodiff_representation" else "classifier_gzsl_V"
    return {
        "networks.noise": size("noiseSize"), "networks.generator_hidden": size("ngh"), "networks.critic_hidden": size("ndh"),
        "train.batch_size": size("batch_size"), "train.n_critic": size("critic_iter"), "train.learning_rate": option("lr"),
        "train.beta1": option("beta1"), "train.gradient_penalty_weight": float(option("lambda1")), "train.epochs": size("nepoch"),
        "classifier.n_syn": size("syn_num"), "classifier.batch_size": int(recording[f"{classifier}/batch_size"]),
        "classifier.epochs": len(recording[f"{classifier}/accuracies"]),
        "classifier.learning_rate": float(recording[f"{classifier}/lr"]), "classifier.zsl": "own",
        "zerodiff_representation.timesteps": size("n_T"), **{f"{name}.{field}": value for field, value in own.items()},
    }  # fmt: skip


class FirstStage(Stage):
    """The generator of representations."""

    def rows(self, features: str, representations: str) -> np.ndarray:
        """Representations."""
        return self.recording[representations]

    def replay_end(self) -> None:
        """Representations of unseen classes, and a classifier on them."""
        recording, setup, out = self.recording, self.setup, self.out
        labels, semantics = unseen_rows(setup)
        draws = {
            ours: jnp.asarray(drawn(recording, "synthesis/", number, setup, draw.shape))
            for number, (ours, draw) in enumerate(setup.objective.framework.synthesis_draws().items())
        }  # fmt: skip
        made = compiled(setup, "synthesize", setup.objective.framework.synthesize)(self.state.params, semantics, draws)
        out.add("synthesis", "synthesis/features", made, recording["synthesis/features"], EXACT)
        out.add("synthesis", "synthesis/label", labels, recording["synthesis/label"], EXACT)
        test = {split: jnp.asarray(recording[f"data/test_{split}_contrastive"]) for split in ("seen", "unseen")}
        replay_softmax(
            recording, "classifier_gzsl_C/", setup.final_classifier.softmax,
            jnp.concatenate([recording["data/train_contrastive"], made]), np.concatenate([recording["data/train_label"], labels]),
            test, np.arange(len(setup.classes.semantics)), out,
        )  # fmt: skip


class SecondStage(Stage):
    """The generator of features."""

    def __init__(self, recording: Recording, setup: Setup, out: Comparison) -> None:
        super().__init__(recording, setup, out)
        fresh = jax.eval_shape(setup.objective.framework.first.init, jax.random.key(0))
        frozen = recording.load(FROZEN, "init/", fresh["generator"])
        self.state = self.state.replace(params=self.state.params | {FROZEN: frozen})

    def rows(self, features: str, representations: str) -> np.ndarray:
        """Features, and representations behind them."""
        return np.concatenate([self.recording[features], self.recording[representations]], axis=1)

    def replay_end(self) -> None:
        """Features of unseen classes, made either way, and classifiers on those of single evaluations."""
        recording, setup, out, params = self.recording, self.setup, self.out, self.state.params
        labels, semantics = unseen_rows(setup)
        for synthesis in ("progressive", "single"):
            framework = dataclasses.replace(setup.objective.framework, synthesis=synthesis)
            at = "synthesis/" if synthesis == "single" else f"synthesis_{synthesis}/"
            shapes = framework.synthesis_draws()
            given = {
                ours: drawn(recording, at, number, setup, shapes[ours].shape) for number, ours in enumerate(SYNTHESIS_DRAWS)
            }  # fmt: skip
            if synthesis == "progressive":
                first, count = len(SYNTHESIS_DRAWS), framework.timesteps
                levels = [drawn(recording, at, first + turn, setup, shapes["posterior"].shape[1:]) for turn in range(count)]
                given["posterior"] = np.stack(levels, axis=1)
            draws = {name: jnp.asarray(draw) for name, draw in given.items()}
            made = compiled(setup, synthesis, lambda *of, by=framework: by.sample(*of, by.synthesis))(params, semantics, draws)
            for key, rows in zip(("features", "contrastive"), made, strict=True):
                out.add(f"synthesis, {synthesis}", f"{at}{key}", rows, recording[f"{at}{key}"], EXACT)
            out.add(f"synthesis, {synthesis}", f"{at}label", labels, recording[f"{at}label"], EXACT)
        for name, seen in CLASSIFIERS.items():
            self._classify(name, dataclasses.replace(setup.objective.framework, classifier_inputs=seen), labels, semantics, draws)

    def _classify(self, name: str, framework: Any, labels: np.ndarray, semantics: jax.Array, draws: dict[str, jax.Array]) -> None:
        recording, setup, params, seen = self.recording, self.setup, self.state.params, framework.classifier_inputs
        represent = compiled(setup, f"represent {seen}", framework.represent)
        test = {
            split: represent(params, self.rows(f"data/test_{split}_feature", f"data/test_{split}_contrastive"))
            for split in ("seen", "unseen")
        }  # fmt: skip
        made = compiled(setup, f"represent synthesized {seen}", framework.represent_synthesized)(params, semantics, draws)
        softmax, unseen = setup.final_classifier.softmax, np.asarray(setup.classes.unseen)
        if name.startswith("zsl"):
            softmax, test = dataclasses.replace(softmax, classes=len(unseen)), {"unseen": test["unseen"]}
            rows, outputs, of_rows = made, unseen, np.searchsorted(unseen, labels)
        else:
            real = represent(params, self.rows("data/train_feature", "data/train_contrastive"))
            rows, outputs = jnp.concatenate([real, made]), np.arange(len(setup.classes.semantics))
            of_rows = np.concatenate([recording["data/train_label"], labels])
        replay_softmax(recording, f"classifier_{name}/", softmax, rows, of_rows, test, outputs, self.out)


def unseen_rows(setup: Setup) -> tuple[np.ndarray, jax.Array]:
    """Labels and semantics of the rows that are synthesized at the end."""
    labels = np.repeat(np.asarray(setup.classes.unseen), setup.final_classifier.n_syn)
    return labels, setup.classes.semantics[labels]


def drawn(recording: Recording, at: str, number: int, setup: Setup, shape: tuple[int, ...]) -> np.ndarray:
    """A recorded draw of these rows, (rows, ...)."""
    unseen, count = len(setup.classes.unseen), setup.final_classifier.n_syn
    return recording.shaped(f"{at}draw{number}", unseen, count, *shape).reshape(unseen * count, *shape)


def compare_schedule(recording: Recording, out: Comparison) -> None:
    """The tables of the diffusion."""
    steps = int(recording.option("n_T"))
    diffusion = Diffusion(steps, float(recording.option("ddpmbeta1")), float(recording.option("ddpmbeta2")))
    of_clean, of_noised, log_variance = diffusion.posterior_tables
    tables = {
        "sqrt_alphas_bar": diffusion.signal, "sigmas_bar": diffusion.noise, "sqrt_alphas": diffusion.kept,
        "sigmas": diffusion.added, "posterior_mean_coef1": of_clean, "posterior_mean_coef2": of_noised,
        "posterior_log_variance_clipped": log_variance,
        "time_embedding": time_embedding(steps, int(recording.option("dim_t"))),
    }  # fmt: skip
    for name, table in tables.items():
        out.add("schedule", f"schedule/{name}", table, recording[f"schedule/{name}"], EXACT)


def replay(recording: Recording, out: Comparison) -> None:
    """The whole recording."""
    compare_schedule(recording, out)
    raw = {key: recording[f"mat/{key}"] for key in ("ce_ce", "con_paco")}  # a row a sample, unlike mat/features
    stages = (
        ("drg", ZeroDiffRepresentation, "zerodiff_representation", FirstStage, raw["con_paco"], "contrastive"),
        ("dfg", ZeroDiff, "zerodiff", SecondStage, raw["ce_ce"], "feature"),
    )
    for prefix, method, name, stage, features, called in stages:
        part, found = recording.stage(prefix, method), StageComparison(out, prefix)
        data = read_data(part, normalized=True, features=features, semantics="original_att")
        if method.takes_representations:
            data = dataclasses.replace(data, representations=raw["con_paco"])
        replay_preprocessing(part, data, found, called)
        stage(part, build(part, data, name, fields_of(part, name)), found).steps()
