"""Replays a recording of CADA-VAE's loop: its steps, and its final classifier in the latent space."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from d3gzsl_jax.frameworks.final_classifier import first_rows
from tools.parity_parts.comparison import EXACT, LOSS, RATE, Comparison
from tools.parity_parts.recording import Recording
from tools.parity_parts.replay_model import build
from tools.parity_parts.replay_phases import Phases
from tools.parity_parts.replay_preprocessing import read_data, replay_preprocessing
from tools.parity_parts.replay_softmax import replay_softmax
from tools.parity_parts.replay_steps import compiled

WARM_UPS = {"kl": "beta", "cross": "cross_reconstruction", "distance": "distance"}
"""Our name of a warm-up -> that of its recorded options."""
FACTORS = {"kl": "kl", "cross": "cross_reconstruction", "distance": "distance"}
TERMS = {"reconstruction": 1, "cross_reconstruction": 1, "kl_prior": -1, "distance": 1}
"""Our terms, and their sign in the recording."""


def fields_of(recording: Recording) -> dict[str, Any]:
    """The recorded options, and the widths of the recorded networks, as fields of the configuration."""
    option = recording.option
    size = lambda of: int(option(of))  # noqa: E731
    width = lambda network: recording[f"init/{network}/fc1.weight"].shape[0]  # noqa: E731
    warm_ups = {
        f"{ours}_{field}": kind(option(f"warmup/{theirs}/{name}"))
        for ours, theirs in WARM_UPS.items()
        for field, name, kind in (("factor", "factor", float), ("start", "start_epoch", int), ("end", "end_epoch", int))
    }
    seen_rows = int(recording["classifier/samples_per_class"][0])
    own = {
        "latent": size("latent_size"), "feature_encoder_hidden": width("encoder_features"),
        "semantic_encoder_hidden": width("encoder_semantics"), "feature_decoder_hidden": width("decoder_features"),
        "semantic_decoder_hidden": width("decoder_semantics"), "reconstruction": str(recording["config/loss"]),
        "seen_rows": seen_rows, **warm_ups,
    }  # fmt: skip
    return {
        "train.batch_size": size("batch_size"), "train.learning_rate": option("lr_gen_model"), "train.epochs": size("epochs"),
        "classifier.n_syn": int(recording["classifier/samples_per_class"][2]), "classifier.epochs": size("cls_train_steps"),
        "classifier.batch_size": int(recording["classifier/batch_size"]), "classifier.learning_rate": option("lr_cls"),
        **{f"cadavae.{field}": value for field, value in own.items()},
    }  # fmt: skip


class Replay(Phases):
    """The updates of a recording."""

    def steps(self) -> None:
        """Every update, then the final classifier."""
        recording, setup, out = self.recording, self.setup, self.out
        framework, names = setup.objective.framework, recording.steps()
        out.add("counts", "updates", setup.epochs * setup.optimization.steps_per_epoch, len(names), EXACT)
        (phase,) = framework.phases(0)
        for name in names:
            out.add("counts", f"{name}/epoch", self.epoch, recording[f"{name}/epoch"], EXACT)
            for ours, theirs in FACTORS.items():
                key = f"{name}/factor/{theirs}"
                out.add("warm-up", key, framework.factor(ours, self.epoch), recording[key], RATE)
            done = self.go_through(name, phase, {draw: draw for draw in phase.draws})
            for term, sign in TERMS.items():
                key = f"{name}/term/{'negative_kl' if term == 'kl_prior' else term}"
                out.add(f"term {term}", key, sign * done.terms[term], recording[key], LOSS)
            self.end_step({phase.name: done.terms})
        self.replay_classifier()

    def replay_classifier(self) -> None:
        """The final classifier, fitted to latents of real rows and of semantics."""
        recording, setup, params, at = self.recording, self.setup, self.state.params, "classifier/"
        framework, final, classes = setup.objective.framework, setup.final_classifier, setup.classes
        made = lambda name, *inputs: compiled(setup, name, getattr(framework, name))(params, *inputs)  # noqa: E731
        noise = lambda key, rows: {  # noqa: E731
            "noise": jnp.asarray(recording.shaped(f"{at}noise/{key}", rows, *framework.real_draws()["noise"].shape))
        }
        first = first_rows(jnp.asarray(recording["data/train_label"]), classes.seen, framework.real_rows_per_class)
        real = made("represent_real", recording["data/train_feature"][np.asarray(first)], noise("seen_features", len(first)))
        unseen = np.repeat(np.asarray(classes.unseen), final.n_syn)
        drawn = made("represent_synthesized", classes.semantics[unseen], noise("unseen_semantics", len(unseen)))
        labels = np.concatenate([recording["data/train_label"][np.asarray(first)], unseen])
        test = {split: made("represent", recording[f"data/test_{split}_feature"]) for split in ("seen", "unseen")}
        self.out.add("classifier rate", f"{at}lr", final.softmax.learning_rate, recording[f"{at}lr"], RATE)
        replay_softmax(
            recording, at, final.softmax, jnp.concatenate([real, drawn]), labels, test, np.arange(len(classes.semantics)), self.out
        )


def replay(recording: Recording, out: Comparison) -> None:
    """The whole recording."""
    data = read_data(recording)
    replay_preprocessing(recording, data, out)
    Replay(recording, build(recording, data, "cadavae", fields_of(recording)), out).steps()
