"""Replays a recording of TF-VAEGAN's loop: its steps, what it synthesizes, its final classifiers.

One recorded without feedback, decoder and their weights is f-VAEGAN-D2 and is replayed by that method; only its final classifiers
see the decoder, which there never changes.
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.evaluation.metrics import harmonic_mean
from d3gzsl_jax.frameworks import networks
from d3gzsl_jax.frameworks.schedule import Phase
from d3gzsl_jax.frameworks.structures import Batch, Params, Terms
from d3gzsl_jax.losses.penalty_weight import penalty_weight
from tools.parity_parts.comparison import EXACT, LOSS, RATE, Comparison, Tolerance
from tools.parity_parts.recording import Recording
from tools.parity_parts.replay_model import build
from tools.parity_parts.replay_phases import Done, Phases
from tools.parity_parts.replay_preprocessing import read_data, replay_preprocessing
from tools.parity_parts.replay_softmax import replay_softmax
from tools.parity_parts.replay_steps import Setup, compiled

KL = Tolerance(5e-8, 1e-5, "1e-5 rel + 5e-8 abs")  # it starts near 1e-7
CRITIC_DRAWS = {"interpolation": "interp"}
GENERATOR_DRAWS = {"latent": "latent", "prior": "prior"}
FIRST_UPDATE = ("semantic_real", "center")
"""Terms of the update before the critic's, called as recorded."""
TERMS = {"reconstruction": "reconstruction", "kl_prior": "kl", "adversarial": "adversarial", "semantic_fake": "semantic_fake"}


def is_plain(recording: Recording) -> bool:
    """Whether it is a recording of f-VAEGAN-D2: one pass, and no weight on what TF-VAEGAN adds."""
    return recording.option("feedback_loop") == 1 and not any(map(recording.option, ("a1", "a2", "recons_weight")))


def fields_of(recording: Recording, name: str) -> dict[str, Any]:
    """The recorded options as fields of the configuration of the method `name`."""
    option = recording.option
    size = lambda of: int(option(of))  # noqa: E731
    own: dict[str, Any] = {
        "critic_latents": "encoded" if option("encoded_noise") else "prior", "weight_critic": float(option("gammaD")),
        "weight_adversarial": float(option("gammaG")),
    }  # fmt: skip
    if name == "tfvaegan":
        own |= {
            "feedback_loop": size("feedback_loop"), "weight_semantic": option("recons_weight"), "feedback_training": option("a1"),
            "feedback_synthesis": option("a2"), "feedback_learning_rate": option("feed_lr"),
            "decoder_learning_rate": option("dec_lr"), "freeze_decoder": bool(option("freeze_dec")),
        }  # fmt: skip
    return {
        "networks.noise": size("nz"), "networks.generator_hidden": size("ngh"), "networks.critic_hidden": size("ndh"),
        "train.batch_size": size("batch_size"), "train.n_critic": size("critic_iter"), "train.learning_rate": option("lr"),
        "train.beta1": option("beta1"), "train.gradient_penalty_weight": float(option("lambda1")), "train.epochs": size("nepoch"),
        "classifier.n_syn": size("syn_num"), "classifier.batch_size": int(recording["classifier0_gzsl/batch_size"]),
        "classifier.epochs": int(recording["classifier0_gzsl/nepoch"]),
        "classifier.learning_rate": float(recording["classifier0_gzsl/lr"]), "classifier.zsl": "own",
        **{f"{name}.{field}": value for field, value in own.items()},
    }  # fmt: skip


def _scores(setup: Setup, params: Params, classes: Any, batch: Batch, fakes: jax.Array) -> tuple[jax.Array, jax.Array]:
    """mean D(x, a) and mean D(x~, a)."""
    framework, semantics = setup.objective.framework, classes.semantics[batch.labels]
    mean = lambda rows: networks.apply(framework.critic, params["critic"], rows, semantics).mean()  # noqa: E731
    return mean(batch.features), mean(fakes)


class Replay(Phases):
    """The updates of a recording."""

    def steps(self) -> None:
        """Every outer step, and at the end of an epoch what is synthesized and fitted."""
        recording, setup, out = self.recording, self.setup, self.out
        framework, optimization = setup.objective.framework, setup.optimization
        names, updates = recording.steps(), setup.n_critic + 1
        of_epoch = optimization.steps_per_epoch
        out.add("counts", "updates", setup.epochs * of_epoch * updates, len(names), EXACT)
        out.add("counts", "epochs", setup.epochs, len(recording.epochs("synthesis")), EXACT)
        if out.rows["counts"].first_failure:
            return  # nothing after this could be lined up
        for first in range(0, len(names), updates):
            number = int(self.state.step) // (of_epoch // framework.passes) % framework.passes
            self.outer_step(names[first : first + updates], framework.phases(number), number)
            if int(self.state.step) % of_epoch == 0:
                at = f"synthesis{self.epoch - 1}/"
                out.add("counts", f"{at}nsteps", first + updates, recording[f"{at}nsteps"], EXACT)
                self.replay_epoch(self.epoch - 1)

    def outer_step(self, names: list[str], phases: tuple[Phase, ...], number: int) -> None:
        """One outer step of a pass."""
        recording, out, framework = self.recording, self.out, self.setup.objective.framework
        critic, generator = phases
        latent = {"latent": "latent" if framework.critic_latents == "encoded" else "prior"}
        found: list[Terms] = []
        for name in names:
            kind = str(recording[f"{name}/kind"])
            if kind not in ("critic", "generator"):
                raise UserError(f"{recording.path}: {name}/kind is {kind!r}, expected 'critic' or 'generator'")
            is_critic = name != names[-1]
            out.add("order of updates", f"{name}/kind (1: {kind})", is_critic == (kind == "critic"), True, EXACT)
            self.compare_pass(name, number)
            if is_critic:
                params = self.state.params
                done = self.turn(name, critic, CRITIC_DRAWS | latent)
                self.compare_critic(name, params, done)
                found.append(done.terms)
                continue
            for key in ("features", "att", "label"):
                key = f"batch/{key}"
                out.add("batch rows", f"{name}/{key}", recording[f"{names[-2]}/{key}"], recording[f"{name}/{key}"], EXACT)
            done = self.turn(name, generator, GENERATOR_DRAWS)
            for ours, theirs in TERMS.items():
                if ours in done.terms:
                    key = f"{name}/term/{theirs}"
                    out.add(f"term {theirs}", key, done.terms[ours], recording[key], KL if theirs == "kl" else LOSS)
            stacked = {term: jnp.stack([terms[term] for terms in found]) for term in found[0]}
            self.end_step({"critic": stacked, "generator": done.terms})
            key = f"{name}/mean_penalty"
            out.add("mean penalty", key, stacked["penalty"].mean(), recording[key], LOSS)
            weight = penalty_weight(framework.gradient_penalty_weight, self.state.method["penalty_exponent"])
            out.add("penalty weight", f"{name}/penalty_weight", weight, recording[f"{name}/penalty_weight"], RATE)

    def compare_pass(self, name: str, number: int) -> None:
        """Whether a step is one of pass `number`."""
        self.out.add("order of updates", f"{name}/feedback", number % 2, self.recording[f"{name}/feedback"], EXACT)

    def turn(self, name: str, phase: Phase, draws: dict[str, str]) -> Done:
        """One step; `draws`: our name of a draw -> the recorded one."""
        return self.go_through(name, phase, draws)

    def compare_critic(self, name: str, params: Params, done: Done) -> None:
        """The terms of a critic update; `params` are those before it."""
        recording, out, terms = self.recording, self.out, done.terms
        gamma = self.setup.objective.framework.weight_critic
        labels = jnp.asarray(recording[f"{name}/batch/label"], jnp.int32)
        batch = Batch(features=jnp.asarray(recording[f"{name}/batch/features"]), labels=labels, teacher=None)
        scores = compiled(self.setup, "scores", lambda *inputs: _scores(self.setup, *inputs))
        real, fake = scores(params, self.setup.classes, batch, done.fakes)
        ours = {"critic_real": gamma * real, "critic_fake": gamma * fake, "gradient_penalty": gamma * terms["gradient_penalty"]}
        for key, value in (ours | {key: value for key, value in terms.items() if key in FIRST_UPDATE}).items():
            out.add(f"term {key}", f"{name}/term/{key}", value, recording[f"{name}/term/{key}"], LOSS)
        key = f"{name}/penalty_weight"
        out.add("penalty weight", key, terms["penalty_weight"], recording[key], RATE)

    def replay_epoch(self, epoch: int) -> None:
        """What is synthesized after an epoch, and both classifiers fitted to it."""
        recording, setup, out = self.recording, self.setup, self.out
        framework, final, classes = setup.objective.framework, setup.final_classifier, setup.classes
        at, unseen, params = f"synthesis{epoch}/", np.asarray(classes.unseen), self.state.params
        noise = recording.shaped(f"{at}noise", len(unseen), final.n_syn, framework.sizes.noise)
        labels = np.repeat(unseen, final.n_syn)
        inputs = classes.semantics[labels], {"noise": jnp.asarray(noise.reshape(len(labels), -1))}
        synthesized = compiled(setup, "synthesize", framework.synthesize)(params, *inputs)
        out.add("synthesis", f"{at}features", synthesized, recording[f"{at}features"], EXACT)
        out.add("synthesis", f"{at}label", labels, recording[f"{at}label"], EXACT)

        of, params = classified_by(recording, setup, params)
        represent = lambda key: compiled(of, "represent", of.objective.framework.represent)(params, recording[key])  # noqa: E731
        draws = compiled(of, "represent synthesized", of.objective.framework.represent_synthesized)(params, *inputs)
        test = {split: represent(f"data/test_{split}_feature") for split in ("seen", "unseen")}
        real = represent("data/train_feature")
        everything = np.concatenate([recording["data/train_label"], labels])
        found = replay_softmax(
            recording, f"classifier{epoch}_gzsl/", final.softmax, jnp.concatenate([real, draws]), everything, test,
            np.arange(len(classes.semantics)), out,
        )  # fmt: skip
        best = max(((*of, harmonic_mean(of[1], of[0])) for of in found), key=lambda of: of[2])
        out.add("accuracies", f"classifier{epoch}_gzsl/best", best, recording[f"classifier{epoch}_gzsl/best"], EXACT)
        found = replay_softmax(
            recording, f"classifier{epoch}_zsl/", dataclasses.replace(final.softmax, classes=len(unseen)), draws,
            np.repeat(np.arange(len(unseen)), final.n_syn), {"unseen": test["unseen"]}, unseen, out,
        )  # fmt: skip
        out.add("accuracies", f"classifier{epoch}_zsl/best", [found.max()], recording[f"classifier{epoch}_zsl/best"], EXACT)


def classified_by(recording: Recording, setup: Setup, params: Params) -> tuple[Setup, Params]:
    """The objects and parameters that the recorded final classifiers see rows by: always TF-VAEGAN's."""
    if not is_plain(recording):
        return setup, params
    of = build(recording, read_data(recording, normalized=True), "tfvaegan", fields_of(recording, "tfvaegan"))
    fresh = jax.eval_shape(of.objective.framework.init, jax.random.key(0))
    rest = {group: recording.load(group, "init/", fresh[group]) for group in ("decoder", "feedback")}
    return of, params | rest


def replay(recording: Recording, out: Comparison) -> None:
    """The whole recording."""
    data = read_data(recording, normalized=True)
    replay_preprocessing(recording, data, out)
    name = "fvaegan" if is_plain(recording) else "tfvaegan"
    Replay(recording, build(recording, data, name, fields_of(recording, name)), out).steps()
