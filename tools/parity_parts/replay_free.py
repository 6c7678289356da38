"""Replays a recording of FREE's loop: its steps, what it synthesizes, its final classifiers."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.evaluation.metrics import harmonic_mean
from d3gzsl_jax.frameworks.schedule import Phase
from tools.parity_parts import replay_vaegan
from tools.parity_parts.comparison import EXACT, Comparison
from tools.parity_parts.recording import Recording
from tools.parity_parts.replay_model import build
from tools.parity_parts.replay_phases import Done
from tools.parity_parts.replay_preprocessing import read_data, replay_preprocessing
from tools.parity_parts.replay_softmax import replay_softmax
from tools.parity_parts.replay_steps import compiled

OTHER = {"CUB": "random", "FLO": "random", "SUN": "random", "AWA1": "nearest", "AWA2": "nearest", "APY": "nearest"}
"""By recorded dataset, which other centre its loss has."""


def fields_of(recording: Recording) -> dict[str, Any]:
    """The recorded options as fields of the configuration.

    Raises:
        UserError: the published loop knows no such dataset.
    """
    option, dataset = recording.option, str(recording["config/dataset"])
    size = lambda of: int(option(of))  # noqa: E731
    if dataset not in OTHER:
        raise UserError(f"{recording.path}: config/dataset is {dataset!r}, expected one of {', '.join(OTHER)}")
    own: dict[str, Any] = {
        "critic_latents": "encoded" if option("encoded_noise") else "prior", "weight_critic": float(option("gammaD")),
        "weight_adversarial": float(option("gammaG")), "passes": size("loop"), "weight_semantic": option("recons_weight"),
        "weight_center": option("center_weight"), "center_margin": float(option("center_margin")),
        "center_own_share": option("incenter_weight"), "center_other": OTHER[dataset],
        "refiner_learning_rate": option("dec_lr"), "freeze_refiner": bool(option("freeze_dec")),
    }  # fmt: skip
    return {
        "networks.noise": size("nz"), "networks.generator_hidden": size("ngh"), "networks.critic_hidden": size("ndh"),
        "train.batch_size": size("batch_size"), "train.n_critic": size("critic_iter"), "train.learning_rate": option("lr"),
        "train.beta1": option("beta1"), "train.gradient_penalty_weight": float(option("lambda1")), "train.epochs": size("nepoch"),
        "classifier.n_syn": size("syn_num"), "classifier.batch_size": int(recording["classifier0/batch_size"]),
        "classifier.epochs": int(recording["classifier0/nepoch"]), "classifier.learning_rate": float(recording["classifier0/lr"]),
        **{f"free.{field}": value for field, value in own.items()},
    }  # fmt: skip


class Replay(replay_vaegan.Replay):
    """The updates of a recording."""

    def compare_pass(self, name: str, number: int) -> None:
        """Nothing: the passes are all alike."""

    def turn(self, name: str, phase: Phase, draws: dict[str, str]) -> Done:
        """One step. The other classes were recorded themselves, and are drawn as distances from the rows' own."""
        recording, classes, further = self.recording, self.setup.classes, {}
        if "other" in phase.draws:
            rows, seen = self.setup.batch_size, len(classes.seen)
            own = np.searchsorted(np.asarray(classes.seen), recording.shaped(f"{name}/batch/label", rows))
            self.out.add("batch rows", f"{name}/batch/seen_label", own, recording[f"{name}/batch/seen_label"], EXACT)
            other = recording.shaped(f"{name}/other", rows)
            further["other"] = jnp.asarray((other - own) % seen, jnp.int32)
        return self.go_through(name, phase, draws | {"refiner_noise": "refiner"}, further)

    def replay_epoch(self, epoch: int) -> None:
        """What is synthesized after an epoch, and the classifier fitted to it."""
        recording, setup, out, params = self.recording, self.setup, self.out, self.state.params
        framework, final, classes = setup.objective.framework, setup.final_classifier, setup.classes
        at, of = f"synthesis{epoch}/", f"classifier{epoch}/"
        unseen = np.asarray(classes.unseen)
        noise = recording.shaped(f"{at}noise", len(unseen), final.n_syn, framework.sizes.noise)
        labels = np.repeat(unseen, final.n_syn)
        draws = {"noise": jnp.asarray(noise.reshape(len(labels), -1))}
        synthesized = compiled(setup, "synthesize", framework.synthesize)(params, classes.semantics[labels], draws)
        out.add("synthesis", f"{at}features", synthesized, recording[f"{at}features"], EXACT)
        out.add("synthesis", f"{at}label", labels, recording[f"{at}label"], EXACT)

        def represented(features: jax.Array, split: str) -> jax.Array:
            noise = recording.shaped(f"{of}noise/{split}", len(features), framework.sizes.semantics)
            return compiled(setup, "represent", framework.represent_with)(params, features, jnp.asarray(noise))

        rows = represented(jnp.concatenate([jnp.asarray(recording["data/train_feature"]), synthesized]), "train")
        everything = np.concatenate([recording["data/train_label"], labels])
        given = {split: jnp.asarray(recording[f"data/test_{split}_feature"]) for split in ("seen", "unseen")}
        test = {split: represented(features, f"test_{split}") for split, features in given.items()}
        found = replay_softmax(recording, of, final.softmax, rows, everything, test, np.arange(len(classes.semantics)), out)
        best = max(((*each, harmonic_mean(each[1], each[0])) for each in found), key=lambda each: each[2])
        out.add("accuracies", f"{of}best", best, recording[f"{of}best"], EXACT)


def replay(recording: Recording, out: Comparison) -> None:
    """The whole recording."""
    data = read_data(recording, normalized=True)
    replay_preprocessing(recording, data, out)
    Replay(recording, build(recording, data, "free", fields_of(recording)), out).steps()
