"""Replays the updates of a stage of ZeroDiff: both stages have the same phases, draws and critics."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.frameworks.denoising_gan import DenoisingGAN
from d3gzsl_jax.frameworks.schedule import Phase
from d3gzsl_jax.frameworks.structures import Batch, Params, Terms, UpdateInputs
from d3gzsl_jax.losses.penalty_weight import penalty_weight
from tools.parity_parts.comparison import EXACT, LOSS, RATE, Comparison, Tolerance
from tools.parity_parts.recording import Recording
from tools.parity_parts.replay_phases import NETWORK, Done, Phases
from tools.parity_parts.replay_steps import Setup, compiled, read_labels
from tools.parity_parts.replay_vaegan import KL

DRAWS = {name: name for name in ("latent", "timestep", "step", "diffuse", "posterior")} | {
    f"interpolation_{name}": f"interp_{name}" for name in ("x0", "xt", "xc")
}
"""Our name of a draw -> the recorded one."""
LEFT_TO_ROUNDING = ("drg/", "critic_xt", "fc1")
"""A layer some of whose derivatives cancel: here they are 0, in PyTorch at times rounding, which Adam makes a step of."""
ROUNDING = Tolerance(0.05, 0.0, "0.05 lr")
GENERATOR_TERMS = {
    "reconstruction": "reconstruction", "kl_prior": "kl", "semantic_fake": "semantic", "adversarial_x0": "x0",
    "adversarial_xt": "xt", "adversarial_xc": "xc",
}  # fmt: skip


class StageComparison(Comparison):
    """A comparison of which one stage is a part: quantities and keys are named with it."""

    def __init__(self, whole: Comparison, stage: str) -> None:
        super().__init__()
        self.rows, self._whole, self._stage = whole.rows, whole, stage

    def add(
        self, quantity: str, where: str, ours: object, theirs: object, tolerance: Tolerance, unit: float | None = None
    ) -> None:
        """Compares one array, as `Comparison.add`."""
        self._whole.add(f"{self._stage} {quantity}", f"{self._stage}/{where}", ours, theirs, tolerance, unit)


def _scores(setup: Setup, params: Params, inputs: UpdateInputs) -> tuple[jax.Array, jax.Array]:
    """The weighted sums over critics of mean D of real rows, and of synthesized ones."""
    framework, made = setup.objective.framework, inputs.fakes
    assert isinstance(framework, DenoisingGAN)
    real = inputs.replace(fakes=made._replace(fake=made.rows, fake_noised=made.noised))
    return -framework.weighted(framework.verdicts(params, real)), -framework.weighted(framework.verdicts(params, inputs))


class Stage(Phases):
    """The updates of a stage, and what the two stages share.

    Args:
        recording: of the stage.
        setup: our objects of it.
        out: where its deviations go.
    """

    def __init__(self, recording: Recording, setup: Setup, out: Comparison) -> None:
        super().__init__(recording, setup, out)
        for name in recording.steps():
            recording.arrays[f"{name}/noise/timestep"] = recording[f"{name}/timestep"].astype(np.int32)
            if str(recording[f"{name}/kind"]) == "critic":  # the loss that was differentiated is recorded as its terms alone
                terms = ("semantic", "real", "fake", "penalty", *(["mutual"] if f"{name}/term/mutual" in recording else []))
                recording.arrays[f"{name}/loss"] = np.sum([np.float64(recording[f"{name}/term/{term}"]) for term in terms])

    def steps(self) -> None:
        """Every outer step, then what is synthesized and fitted at the end."""
        recording, setup, out = self.recording, self.setup, self.out
        names, updates = recording.steps(), setup.n_critic + 1
        out.add("counts", "updates", setup.epochs * setup.optimization.steps_per_epoch * updates, len(names), EXACT)
        out.add("counts", "nsteps", len(names), recording["nsteps"], EXACT)
        if out.rows[f"{recording.at.rstrip('/')} counts"].first_failure:
            return  # nothing after this could be lined up
        critic, generator = setup.objective.framework.phases(0)
        for first in range(0, len(names), updates):
            self.outer_step(names[first : first + updates], critic, generator)
        self.replay_end()

    def outer_step(self, names: list[str], critic: Phase, generator: Phase) -> None:
        """One outer step."""
        recording, out = self.recording, self.out
        found: list[Terms] = []
        for name in names:
            kind = str(recording[f"{name}/kind"])
            if kind not in ("critic", "generator"):
                raise UserError(f"{recording.path}: {recording.at}{name}/kind is {kind!r}, expected 'critic' or 'generator'")
            is_critic = name != names[-1]
            out.add("order of updates", f"{name}/kind (1: {kind})", is_critic == (kind == "critic"), True, EXACT)
            if is_critic:
                params = self.state.params
                done = self.go_through(name, critic, DRAWS)
                self.compare_critic(name, critic, params, done)
                found.append(done.terms)
                continue
            for key in ("features", "contrastive", "att", "label"):
                key = f"batch/{key}"
                out.add("batch rows", f"{name}/{key}", recording[f"{names[-2]}/{key}"], recording[f"{name}/{key}"], EXACT)
            done = self.go_through(name, generator, DRAWS)
            for ours, theirs in GENERATOR_TERMS.items():
                if ours in done.terms:
                    key = f"{name}/term/{theirs}"
                    out.add(f"term {theirs}", key, done.terms[ours], recording[key], KL if theirs == "kl" else LOSS)
            stacked = {term: jnp.stack([terms[term] for terms in found]) for term in found[0]}
            self.end_step({"critic": stacked, "generator": done.terms})
            self.compare_weight(name)

    def compare_critic(self, name: str, phase: Phase, params: Params, done: Done) -> None:
        """The terms of a critic update; `params` are those before it."""
        recording, out, terms, framework = self.recording, self.out, done.terms, self.setup.objective.framework
        draws = {ours: jnp.asarray(recording[f"{name}/noise/{DRAWS[ours]}"]) for ours in phase.draws}
        inputs = UpdateInputs(
            classes=self.setup.classes, batch=self.batch_of(name), fakes=done.fakes, draws=draws, state={}, epoch=jnp.int32(0)
        )
        real, fake = compiled(self.setup, "scores", lambda *given: _scores(self.setup, *given))(params, inputs)
        gamma, weight = getattr(framework, "weight_adversarial", 1.0), self.weight
        ours = {
            "semantic": terms["semantic_real"], "real": -gamma * real, "fake": gamma * fake,
            "penalty": gamma * terms["gradient_penalty"],
            **{key: weight * value for key, value in terms.items() if key.startswith("penalty_x")},
            **{key: value for key, value in terms.items() if key == "mutual"},
        }  # fmt: skip
        for key, value in ours.items():
            out.add(f"term {key}", f"{name}/term/{key}", value, recording[f"{name}/term/{key}"], LOSS)
        self.compare_weight(name)

    @property
    def weight(self) -> Any:
        """The weight of the gradient penalty now."""
        start = self.setup.objective.framework.gradient_penalty_weight
        return penalty_weight(start, self.state.method["penalty_exponent"]) if self.state.method else start

    def compare_weight(self, name: str) -> None:
        """Of the gradient penalty, in use or next."""
        key = f"{name}/penalty_weight"
        self.out.add("penalty weight", key, self.weight, self.recording[key], RATE)

    def compare_parameters(self, prefix: str, after: Params, rates: dict[str, float]) -> None:
        """As for other methods, with the exception of LEFT_TO_ROUNDING."""
        stage, group, layer = LEFT_TO_ROUNDING
        for of, tree in after.items():
            for key, ours, theirs in self.recording.pairs(of, prefix, tree):
                excepted = self.recording.at == stage and key.startswith(f"{prefix}{group}/{layer}.")
                quantity, tolerance = (f"{of}, {layer}", ROUNDING) if excepted else (of, NETWORK)
                self.out.add(f"parameters {quantity}", key, ours, theirs, tolerance, rates[of])

    def read_batch(self, name: str) -> Batch:
        """The recorded batch of a step."""
        recording, out, classes = self.recording, self.out, self.setup.classes
        batch = self.batch_of(name)
        out.add("batch semantics", f"{name}/batch/att", classes.semantics[batch.labels], recording[f"{name}/batch/att"], EXACT)
        if f"{name}/batch/index" in recording:
            index = recording.shaped(f"{name}/batch/index", self.setup.batch_size)
            for of, key in (("feature", "features"), ("contrastive", "contrastive")):
                rows = recording[f"data/train_{of}"][index]
                out.add("batch rows", f"{name}/batch/{key}", rows, recording[f"{name}/batch/{key}"], EXACT)
        return batch

    def batch_of(self, name: str) -> Batch:
        """The recorded batch of a step, nothing compared."""
        labels = read_labels(self.recording, f"{name}/batch/label", self.setup.batch_size, self.setup.classes)
        rows = self.rows(f"{name}/batch/features", f"{name}/batch/contrastive")
        return Batch(features=jnp.asarray(rows), labels=labels, teacher=None)

    def rows(self, features: str, representations: str) -> np.ndarray:
        """Recorded rows as the method takes them, by the keys of both arrays."""
        raise NotImplementedError

    def replay_end(self) -> None:
        """What is synthesized and fitted at the end."""
        raise NotImplementedError
