"""TF-VAEGAN in lockstep with the PyTorch oracle, as oracle.py has the other base methods: passes with feedback and without, two
updates on a batch, and a penalty weight that is adapted."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import torch

from d3gzsl_jax.distillation.objective import Objective
from d3gzsl_jax.distillation.teacher import Teacher
from d3gzsl_jax.distillation.terms import Distillation
from d3gzsl_jax.frameworks.base import Sizes
from d3gzsl_jax.frameworks.structures import Batch, Params, Terms, TrainState
from d3gzsl_jax.frameworks.tfvaegan import TFVAEGAN
from d3gzsl_jax.training.optimizers import Optimization
from d3gzsl_jax.training.step import train_step, update
from tools.parity_parts.comparison import Comparison
from tools.parity_parts.oracle import FACTORS, OPTIMIZERS, Lockstep, OurSide
from tools.parity_parts.oracle_case import Case
from tools.parity_parts.torch_oracle_vaegan import VAEGANOptions, VAEGANOracle

# Such that each shows, beside a cross-entropy summed over the features.
WEIGHTS = {"weight_critic": 2.0, "weight_adversarial": 3.0, "weight_semantic": 0.7, "feedback_training": 0.6}
RATES = {"feedback": 3e-4, "decoder": 2e-3}


@functools.cache  # compiled once for all runs of a case
def our_side(case: Case) -> OurSide:
    """The package's objects for a case; `one` and `terms` take the number of the pass first."""
    sizes = Sizes(
        features=case.features, semantics=case.semantics, noise=case.noise, seen=case.seen,
        generator_hidden=case.generator_hidden, critic_hidden=case.critic_hidden, embedding=case.embedding,
    )
    framework = TFVAEGAN(
        sizes, critic_latents=case.latents, feedback_learning_rate=RATES["feedback"], decoder_learning_rate=RATES["decoder"],
        **WEIGHTS,
    )
    teacher = Teacher(seen=case.seen, embedding_width=case.embedding)
    distillation = Distillation(
        teacher=teacher, classes=case.seen + case.unseen, embedding_width=case.embedding, n_syn=case.n_syn, variant=case.variant,
        score=case.score, target=case.target, temperature=case.temperature, **case.weights,
    )
    objective = Objective(framework, distillation)
    factor = lambda group: FACTORS.get(group, FACTORS["student" if group.startswith("student") else "generator"])  # noqa: E731
    optimization = Optimization(
        learning_rates={group: RATES.get(group, case.learning_rate) for group in objective.groups},
        factors={group: factor(group) for group in objective.groups}, decay_every=case.decay_every,
        steps_per_epoch=case.steps_per_epoch, rules=objective.rules,
    )

    def one(number: int, name: str, state: TrainState, *inputs: Any) -> tuple[TrainState, Terms, Params]:
        # One update at a time: what it synthesizes is made in it.
        phase = next(dataclasses.replace(phase, made_ahead=False) for phase in framework.phases(number) if phase.name == name)
        epoch, terms, gradients = optimization.epoch(state.step), {}, {}
        for of in phase.updates:
            at = state

            def loss(trained: Params, at: TrainState = at, of: Any = of) -> jax.Array:
                return objective.loss(phase, of, at.params | trained, *inputs, at.method, epoch)[0]

            gradients |= jax.grad(loss)({group: state.params[group] for group in objective.groups_of(of)})
            state, found = update(phase, of, objective, optimization, state, *inputs)
            terms |= found
        return state, terms, gradients

    def step(number: int, state: TrainState, *inputs: Any) -> tuple[TrainState, dict[str, Terms]]:
        return train_step(objective, optimization, framework.phases(number), state, *inputs)

    key = jax.random.key(0)
    shapes = jax.eval_shape(objective.init, key)
    teacher_shapes = jax.eval_shape(lambda key: teacher.init(key, case.features), key) if case.d3 else {}
    one, step = jax.jit(one, static_argnums=(0, 1)), jax.jit(step, static_argnums=0)
    return OurSide(objective, optimization, one, step, shapes, teacher_shapes)


class LockstepVAEGAN(Lockstep):
    """Both sides of a case of TF-VAEGAN. Its passes are half an epoch each."""

    oracle: VAEGANOracle
    oracle_class = VAEGANOracle
    our_side = staticmethod(our_side)
    optimizers = OPTIMIZERS | {group: group for group in ("encoder", "feedback", "decoder")}

    def _oracle_options(self) -> VAEGANOptions:
        rates = {f"learning_rate_{name}": rate for name, rate in RATES.items()}
        of_all = vars(super()._oracle_options()) | {"base": "wgan", "critic_latents": self.case.latents}
        return VAEGANOptions(**of_all, **WEIGHTS, **rates)

    def draw(self) -> dict[str, np.ndarray]:
        """The random numbers of one update, and a batch."""
        drawn = super().draw()
        drawn["latent"] = drawn.pop("noise")
        return drawn | {"prior": self._rng.standard_normal(drawn["latent"].shape, self._dtype)}

    def ask_oracle(self, phase: str, drawn: dict[str, np.ndarray]) -> Terms:
        """One update of the oracle; its terms."""
        batch = self.oracle.batch(drawn["features"], drawn["labels"])
        draws = {name: torch.from_numpy(value) for name, value in drawn.items() if name not in ("features", "labels")}
        terms = self.oracle.critic_update(batch, draws) if phase == "critic" else self.oracle.generator_update(batch, draws)
        return {name: value.numpy() for name, value in terms.items()}

    def _inputs(self, drawn: dict[str, np.ndarray]) -> tuple[Batch, dict[str, jax.Array]]:
        batch, _ = super()._inputs(drawn | {"noise": drawn["latent"]})
        return batch, {name: jnp.asarray(value) for name, value in drawn.items() if name not in ("features", "labels")}

    def _compare(self) -> Comparison:
        case, out, state = self.case, Comparison("the oracle's"), self.state
        framework, constants = self.ours.objective.framework, (self.teacher, self.classes)
        for step in range(case.steps):
            number = step // (case.steps_per_epoch // framework.passes) % framework.passes
            self.oracle.feedback = number == 1
            drawn = [self.draw() for _ in range(case.n_critic + 1)]
            drawn[-1] |= {name: drawn[-2][name] for name in ("features", "labels")}  # the last critic batch
            inputs = [self._inputs(each) for each in drawn]
            batches, critic_draws = jax.tree.map(lambda *leaves: jnp.stack(leaves), *inputs[:-1])
            after, fused = self.ours.terms(number, state, *constants, batches, (critic_draws, inputs[-1][1]))
            rates = self._rates(step // case.steps_per_epoch)
            for update_number, (each, given) in enumerate(zip(drawn, inputs, strict=True)):
                phase = "critic" if update_number < case.n_critic else "generator"
                at = f"step {step} update {update_number}"
                state, terms, gradients = self.ours.one(number, phase, state, *constants, *given)
                theirs = self.ask_oracle(phase, each)
                self._compare_terms(phase, at, terms, theirs, out)
                self._compare_fused(phase, at, update_number, fused, theirs, out)
                self._compare_parameters(at, gradients, state, rates, out)
            state = dataclasses.replace(state, step=after.step, method=after.method)
            self._end_step(step, out)
        self._compare_share(out)
        return out
