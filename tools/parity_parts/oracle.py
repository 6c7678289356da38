"""Training in lockstep with the PyTorch oracle: the same random data, initial parameters, batches and draws into both.

`tools/parity.py --oracle` runs it. Our side is what a run executes: `update` one by one, and `train_step` beside it. Compared are
every term of every update's loss, what each parameter's Adam is given, every parameter after every update, and learning rates.

Adam divides a gradient by its size. Where one is zero but for rounding (of a hidden unit that as many real as synthesized rows
activate, say) it makes a visible step of nothing, in each framework another. Such an entry, whose two gradients differ by at most
1e-5 of the tensor's largest and by more than 1e-3 of itself, is set to ours in the oracle, Adam's moments too, and counted.

At larger sizes a hidden unit's input comes so close to 0, sooner or later, that rounding decides the side of a ReLU's kink,
which changes a gradient for good. --double compares the same code in float64, where that does not happen, to a tighter tolerance.
"""

import dataclasses
import functools
import os
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from d3gzsl_jax.distillation.objective import Objective
from d3gzsl_jax.distillation.teacher import Teacher
from d3gzsl_jax.distillation.terms import Distillation
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.frameworks import base as frameworks
from d3gzsl_jax.frameworks.registry import FRAMEWORKS
from d3gzsl_jax.frameworks.structures import Batch, Classes, Params, Terms, TrainState
from d3gzsl_jax.runs import torch_layout
from d3gzsl_jax.training.optimizers import Optimization
from d3gzsl_jax.training.step import train_step, update
from tools.parity_parts.comparison import GRADIENT, LOSS, PARAMETER, RATE, Comparison, Tolerance

# Beside JAX's threads, OpenMP threads that spin while they wait cost far more than they save. Read when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
try:
    import torch
except ImportError:
    raise UserError("the PyTorch oracle needs torch: pip install -e '.[parity]'") from None

from tools.parity_parts import torch_oracle
from tools.parity_parts.oracle_case import Case
from tools.parity_parts.torch_oracle_networks import Sizes, array_names
from tools.parity_parts.torch_oracle_options import Options

# Ours -> the oracle's optimiser.
OPTIMIZERS = {
    "generator": "generator", "critic": "critic", "embedding": "critic", "projection": "critic", "comparator": "critic",
    "student_embedding": "student_embed", "student_head": "student_head", "confidence": "confidence",
}  # fmt: skip
# The losses do not see these: ours stay where they are, PyTorch's Adam steps them by the rounding noise of a zero gradient.
FREE = ("comparator/fc2.bias", "critic/fc2.bias")


# As the oracle names a group's factor; large ones, so that a schedule that differs is seen at once.
FACTORS = {"generator": 1.09, "critic": 1.07, "student": 0.98, "confidence": 0.99}
FRAMEWORK_WEIGHTS = {"weight_instance": 0.3, "weight_class": 0.2}
# `train_step` is not set right where rounding decides, within one outer step.
FUSED = Tolerance(1e-4, 1e-4, "1e-4 rel + 1e-4 abs")
SHARE = Tolerance(0.02, 0.0, "0.02")
# Learning rates of ours are float32 in double precision too: 6e-8 of one, which small gradients make more of.
DOUBLE = Tolerance(1e-3, 0.0, "0.001 lr")


class OurSide(NamedTuple):
    """What a run of ours is made of at the sizes and options of a case, compiled.

    Attributes:
        one: (phase, state, teacher, classes, batch, draws) -> (state, terms, gradients) of one update.
        terms: (state, teacher, classes, batches, draws) -> the terms of one outer step, by `train_step`.
        shapes, teacher_shapes: of the parameters.
    """

    objective: Objective
    optimization: Optimization
    one: Callable[..., Any]
    terms: Callable[..., Any]
    shapes: Params
    teacher_shapes: Params


@functools.cache  # compiled once for all runs of a case
def our_side(case: Case) -> OurSide:
    """The package's objects for a case."""
    sizes = frameworks.Sizes(
        features=case.features, semantics=case.semantics, noise=case.noise, seen=case.seen,
        generator_hidden=case.generator_hidden, critic_hidden=case.critic_hidden, embedding=case.embedding,
    )
    own = FRAMEWORK_WEIGHTS | {
        "projection": case.projection, "comparator_hidden": case.comparator_hidden, "comparator_gradient": case.comparator_gradient,
    }  # fmt: skip
    framework = FRAMEWORKS[case.base](sizes, **(own if case.base == "cegzsl" else {}))
    teacher = Teacher(seen=case.seen, embedding_width=case.embedding)
    distillation = Distillation(
        teacher=teacher, classes=case.seen + case.unseen, embedding_width=case.embedding, n_syn=case.n_syn, variant=case.variant,
        score=case.score, target=case.target, temperature=case.temperature, **case.weights,
    )
    objective = Objective(framework, distillation)
    factors = {group: FACTORS[OPTIMIZERS[group] if OPTIMIZERS[group] in FACTORS else "student"] for group in objective.groups}
    optimization = Optimization(
        learning_rates=dict.fromkeys(objective.groups, case.learning_rate), factors=factors, decay_every=case.decay_every,
        steps_per_epoch=case.steps_per_epoch, rules=objective.rules,
    )

    phases = framework.phases(0)

    def one(name: str, state: TrainState, *inputs: Any) -> tuple[TrainState, Terms, Params]:
        phase = next(phase for phase in phases if phase.name == name)
        (of,) = phase.updates
        trained, epoch = {group: state.params[group] for group in objective.groups_of(of)}, optimization.epoch(state.step)
        loss = lambda trained: objective.loss(phase, of, state.params | trained, *inputs, state.method, epoch)[0]  # noqa: E731
        return *update(phase, of, objective, optimization, state, *inputs), jax.grad(loss)(trained)

    def terms(state: TrainState, *inputs: Any) -> dict[str, Terms]:
        return train_step(objective, optimization, phases, state, *inputs)[1]

    key = jax.random.key(0)
    shapes = jax.eval_shape(objective.init, key)
    teacher_shapes = jax.eval_shape(lambda key: teacher.init(key, case.features), key) if case.d3 else {}
    return OurSide(objective, optimization, jax.jit(one, static_argnums=0), jax.jit(terms), shapes, teacher_shapes)


def compare(case: Case, lockstep: "type[Lockstep] | None" = None) -> Comparison:
    """Both sides of a case trained in lockstep (of this kind, where it is not `Lockstep`), in the case's precision."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64 if case.double else torch.float32)
    try:
        with jax.enable_x64(case.double):
            return (lockstep or Lockstep)(case).compare()
    finally:
        torch.set_default_dtype(before)


class Lockstep:
    """Both sides of a case, and their comparison. In double precision by `compare` only, which prepares both frameworks.

    Attributes:
        oracle: theirs; what is changed in it before `compare` must be caught.
        undetermined, steps_of_entries: how often rounding decided what Adam did to an entry, out of how often it did anything.
    """

    oracle_class: type[torch_oracle.Oracle] = torch_oracle.Oracle
    our_side = staticmethod(our_side)
    optimizers = OPTIMIZERS

    def __init__(self, case: Case) -> None:
        self.case, self._rng = case, np.random.default_rng(case.seed)
        self.undetermined = self.steps_of_entries = 0
        self._dtype = np.float64 if case.double else np.float32
        ids = self._rng.permutation(case.seen + case.unseen)
        self._seen, self._unseen = np.sort(ids[: case.seen]), np.sort(ids[case.seen :])
        semantics = 2.0 * self._rng.standard_normal((len(ids), case.semantics), self._dtype)
        sizes = Sizes(
            features=case.features, semantics=case.semantics, noise=case.noise, seen=case.seen, classes=len(ids),
            generator_hidden=case.generator_hidden, critic_hidden=case.critic_hidden, embedding=case.embedding,
            projection=case.projection, comparator_hidden=case.comparator_hidden,
        )
        self.init = self._random_arrays(sizes)
        self.oracle_classes = torch_oracle.Classes(semantics, self._seen, self._unseen)
        self.oracle = self.oracle_class(sizes, self._oracle_options(), self.oracle_classes, self.init)
        self._named = array_names(self.oracle.networks)
        self.classes = Classes(
            semantics=jnp.asarray(semantics), seen=jnp.asarray(self._seen, jnp.int32), unseen=jnp.asarray(self._unseen, jnp.int32)
        )
        self.ours = self.our_side(dataclasses.replace(case, seed=0, steps=1))  # neither is compiled in
        layout = self._layout = torch_layout.layout(self.ours.objective.framework)
        load = lambda group, fresh: torch_layout.load(layout[group], self.init, "", fresh, "oracle", "its sizes make")  # noqa: E731
        params = {group: load(group, fresh) for group, fresh in self.ours.shapes.items()}
        self.teacher: Params = {part: load(f"teacher.{part}", fresh) for part, fresh in self.ours.teacher_shapes.items()}
        self.state = TrainState(step=jnp.int32(0), params=params, opt_state=self.ours.optimization.init(params))
        self.state = self.state.replace(method=self.ours.objective.framework.initial_state())

    def _oracle_options(self) -> Options:
        case = self.case
        factors = {f"factor_{group}": factor for group, factor in FACTORS.items()}
        return Options(
            base=case.base, n_syn=case.n_syn, variant=case.variant, score=case.score, target=case.target,
            temperature=case.temperature, learning_rate=case.learning_rate, decay_every=case.decay_every,
            comparator_gradient=case.comparator_gradient, **case.weights, **factors, **FRAMEWORK_WEIGHTS,
        )

    def _random_arrays(self, sizes: Sizes) -> dict[str, np.ndarray]:
        """Initial parameters: weights N(0, 1 / inputs), so that activations are of size 1 at any width, biases N(0, 0.01)."""
        built = array_names(self.oracle_class.build(self.case.base, self.case.d3, sizes))
        shapes = {name: tuple(parameter.shape) for name, parameter in built.items()}
        scales = {name: shape[1] ** -0.5 if len(shape) == 2 else 0.1 for name, shape in shapes.items()}
        normal = lambda name: (scales[name] * self._rng.standard_normal(shapes[name])).astype(self._dtype)  # noqa: E731
        arrays = {name: normal(name) for name in sorted(shapes)}
        return arrays | ({"confidence/weight": self._dtype(1.1), "confidence/offset": self._dtype(0.3)} if self.case.d3 else {})

    def draw(self) -> dict[str, np.ndarray]:
        """The random numbers of one update, and a batch."""
        case, rng = self.case, self._rng
        return {
            "features": rng.random((case.batch, case.features), self._dtype),
            "labels": rng.choice(self._seen, case.batch),
            "noise": rng.standard_normal((case.batch, case.noise), self._dtype),
            "interpolation": rng.random((case.batch, 1), self._dtype),
            "unseen_noise": rng.standard_normal((self.ours.objective.unseen_rows(self.classes), case.noise), self._dtype),
        }

    def ask_oracle(self, phase: str, drawn: dict[str, np.ndarray]) -> Terms:
        """One update of the oracle; its terms."""
        batch = self.oracle.batch(drawn["features"], drawn["labels"])
        draws = torch_oracle.Draws(*(torch.from_numpy(drawn[name]) for name in ("noise", "interpolation", "unseen_noise")))
        terms = self.oracle.critic_update(batch, draws) if phase == "critic" else self.oracle.generator_update(batch, draws)
        return {name: value.numpy() for name, value in terms.items()}

    def _inputs(self, drawn: dict[str, np.ndarray]) -> tuple[Batch, dict[str, jax.Array]]:
        features = jnp.asarray(drawn["features"])
        teacher = self.ours.objective.distillation.teacher.outputs(self.teacher, features) if self.case.d3 else None
        batch = Batch(features=features, labels=jnp.asarray(drawn["labels"], jnp.int32), teacher=teacher)
        return batch, {name: jnp.asarray(drawn[name]) for name in ("noise", "interpolation", "unseen_noise")}

    def compare(self) -> Comparison:
        """Trains both for the case's outer steps, float32 with the highest matmul precision on our side."""
        with jax.default_matmul_precision("highest"):
            return self._compare()

    def _compare(self) -> Comparison:
        case, out, state = self.case, Comparison("the oracle's"), self.state
        optimization, constants = self.ours.optimization, (self.teacher, self.classes)
        for step in range(case.steps):
            drawn = [self.draw() for _ in range(case.n_critic + 1)]
            drawn[-1] |= {name: drawn[-2][name] for name in ("features", "labels")}  # the last critic batch
            inputs = [self._inputs(each) for each in drawn]
            batches, critic_draws = jax.tree.map(lambda *leaves: jnp.stack(leaves), *inputs[:-1])
            fused = self.ours.terms(state, *constants, batches, (critic_draws, inputs[-1][1]))
            rates = self._rates(step // case.steps_per_epoch)
            for number, (each, given) in enumerate(zip(drawn, inputs, strict=True)):
                phase = "critic" if number < case.n_critic else "generator"
                at = f"step {step} update {number}"
                state, terms, gradients = self.ours.one(phase, state, *constants, *given)
                gradients = {group: optimization.gradient_taken(group, of, state.opt_state) for group, of in gradients.items()}
                theirs = self.ask_oracle(phase, each)
                self._compare_terms(phase, at, terms, theirs, out)
                self._compare_fused(phase, at, number, fused, theirs, out)
                self._compare_parameters(at, gradients, state, rates, out)
            state = state.replace(step=state.step + 1)
            self._end_step(step, out)
        self._compare_share(out)
        return out

    def _compare_share(self, out: Comparison) -> None:
        share = self.undetermined / self.steps_of_entries
        out.add("share decided by rounding", "share of Adam's steps", share, 0.0, SHARE)

    def _end_step(self, step: int, out: Comparison) -> None:
        """What the end of an outer step, the last of an epoch or not, does to the oracle; learning rates are compared."""
        if (step + 1) % self.case.steps_per_epoch == 0:
            self.oracle.end_epoch()
            epoch, found = (step + 1) // self.case.steps_per_epoch, self.oracle.learning_rates()
            for group, ours in self._rates(epoch).items():
                out.add("learning rates", f"epoch {epoch} {group}", ours, found[self.optimizers[group]], RATE)

    def _compare_fused(
        self, phase: str, at: str, number: int, fused: dict[str, Terms], theirs: Terms, out: Comparison
    ) -> None:
        for name, values in fused[phase].items():
            out.add("train_step", f"{at} {name}", values[number] if phase == "critic" else values, theirs[name], FUSED)

    def _rates(self, epoch: int) -> dict[str, float]:
        return {group: float(self.ours.optimization.learning_rate(group, epoch)) for group in self.ours.objective.groups}

    def _compare_terms(self, phase: str, at: str, ours: Terms, theirs: Terms, out: Comparison) -> None:
        if set(ours) != set(theirs):
            raise UserError(f"{at}: our terms are {sorted(ours)}, the oracle's {sorted(theirs)}")
        for name in sorted(ours):
            out.add(f"{phase} loss" if name == "loss" else f"term {name}", f"{at} {name}", ours[name], theirs[name], LOSS)

    def _compare_parameters(self, at: str, gradients: Params, state: TrainState, rates: dict[str, float], out: Comparison) -> None:
        theirs = self.oracle.gradients()
        for group, ours in gradients.items():
            for key, mine, other in torch_layout.pairs(self._layout[group], theirs, "", ours):
                if not key.endswith(FREE):
                    out.add(f"gradient {group}", f"{at} {key}", mine, other, GRADIENT)
            self._set_right(group, torch_layout.dump(self._layout[group], ours), theirs, state)
        theirs, tolerance = self.oracle.parameters(), DOUBLE if self.case.double else PARAMETER
        for group, ours in state.params.items():
            for key, mine, other in torch_layout.pairs(self._layout[group], theirs, "", ours):
                if not key.endswith(FREE):
                    out.add(f"parameters {group}", f"{at} {key}", mine, other, tolerance, rates[group])

    def _set_right(self, group: str, ours: dict[str, np.ndarray], theirs: dict[str, np.ndarray], state: TrainState) -> None:
        """Gives the oracle our values, and Adam's moments, of the entries that rounding decided; arguments: gradients."""
        adam = self.ours.optimization.adam_state(group, state.opt_state)
        dumped = [torch_layout.dump(self._layout[group], tree) for tree in (state.params[group], adam.mu, adam.nu)]
        optimizer = self.oracle.optimizers[self.optimizers[group]]
        for key, gradient in ours.items():
            other = theirs[key].reshape(gradient.shape)
            difference = np.abs(gradient - other)
            loose = (difference > 1e-3 * np.abs(other)) & (difference <= 1e-5 * np.abs(other).max())
            self.undetermined, self.steps_of_entries = self.undetermined + int(loose.sum()), self.steps_of_entries + loose.size
            if loose.any():
                parameter = self._named[key]
                moments = optimizer.state[parameter]
                for tensor, values in zip((parameter.data, moments["exp_avg"], moments["exp_avg_sq"]), dumped, strict=True):
                    tensor.numpy()[loose] = values[key][loose]
