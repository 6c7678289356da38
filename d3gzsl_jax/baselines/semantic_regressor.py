"""Semantics mapped to class prototypes in feature space, which classify by scaled cosine; fitted to real seen rows alone.

One linear layer, or the network of class normalization (Skorokhodov and Elhoseiny, "Class Normalization for (Continual)?
Generalized Zero-Shot Learning", ICLR 2021, arXiv 2006.11328).
"""

import dataclasses
import functools
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import linen as nn

from d3gzsl_jax.baselines.base import Training
from d3gzsl_jax.evaluation.class_scores import ClassScores, parameters
from d3gzsl_jax.frameworks.softmax import SoftmaxTraining
from d3gzsl_jax.frameworks.structures import Params
from d3gzsl_jax.keys import root_key, stream


def unit(x: jax.Array) -> jax.Array:
    """Rows (..., d) divided by their L2 norm; zero rows stay zero, with a gradient that is finite."""
    return x * jax.lax.rsqrt(jnp.sum(x * x, axis=-1, keepdims=True) + 1e-12)


def class_norm(hidden: jax.Array, seen: jax.Array) -> jax.Array:
    """Class normalization (eq. 9): (h - mean) / standard deviation, both over the seen classes, with no parameters.

    The statistics are those of all seen classes at once, in training and in prediction: so no running averages are needed, and
    what a seen class becomes does not depend on which classes are unseen. (The released code divides by the variance.)

    Args:
        hidden: (m, width) of m classes.
        seen: (S,) which of them are seen.
    """
    of_seen = hidden[seen]
    return (hidden - of_seen.mean(axis=0, keepdims=True)) * jax.lax.rsqrt(of_seen.var(axis=0, keepdims=True) + 1e-5)


class Linear(nn.Module):
    """Semantics (m, da) to prototypes (m, dx): one linear layer, and a ReLU where features are not negative."""

    features: int
    positive: bool

    @nn.compact
    def __call__(self, semantics: jax.Array, seen: jax.Array) -> jax.Array:
        """`seen` is not needed."""
        prototypes = nn.Dense(self.features, name="output")(semantics)
        return nn.relu(prototypes) if self.positive else prototypes


class ClassNormalized(nn.Module):
    """Semantics (m, da) to prototypes (m, dx): three linear layers, the second one's output normalized over classes before and
    after its ReLU, and output weights of variance 1 / (hidden dx) (eq. 10), which gives prototypes a unit norm at the start."""

    hidden: int
    features: int
    positive: bool

    @nn.compact
    def __call__(self, semantics: jax.Array, seen: jax.Array) -> jax.Array:
        """`seen` (S,) says which of the m classes the statistics are taken over."""
        h = nn.relu(nn.Dense(self.hidden, name="first")(semantics))
        h = nn.relu(class_norm(nn.Dense(self.hidden, name="second")(h), seen))
        bound = math.sqrt(3.0 / (self.hidden * self.features))
        proper = lambda key, shape, dtype: jax.random.uniform(key, shape, dtype, -bound, bound)  # noqa: E731
        prototypes = nn.Dense(self.features, kernel_init=proper, name="output")(class_norm(h, seen))
        return nn.relu(prototypes) if self.positive else prototypes


@dataclasses.dataclass(frozen=True)
class SemanticRegressor:
    """Logits scale^2 cos(x - c, p(a)) with prototypes p, by Adam on the mean negative log-likelihood over the seen classes.

    The learning rate falls to a tenth halfway, weights decay by L2, semantics are scaled to norm sqrt(da): as in the released code
    of class normalization. Its batch size, learning rate (5e-4), scale (5) and epochs (50) are among the defaults; its network is
    2048 wide.

    Attributes:
        hidden: width of the network with class normalization; 0: one linear layer.
        epochs: to choose from, ascending, each of ceil(n / batch_size) updates; the last is what the learning rate's fall follows.
        learning_rates: at the start, to choose from.
        scales: of each of the two unit vectors, to choose from.
        centered: whether c is the mean training row, which directions then are told apart from, or 0; to choose from.
        batch_size: rows of an update.
        weight_decay: times the weights, added to their gradient.
    """

    hidden: int = 512
    epochs: tuple[int, ...] = (10, 25, 50)
    learning_rates: tuple[float, ...] = (5e-4, 2e-3)
    scales: tuple[float, ...] = (5.0,)
    centered: tuple[bool, ...] = (False, True)
    batch_size: int = 256
    weight_decay: float = 1e-4

    @property
    def candidates(self) -> Sequence[Mapping[str, Any]]:
        """'learning_rate', 'scale', 'centered' and 'epochs'."""
        names = ("learning_rate", "scale", "centered", "epochs")
        axes = (self.learning_rates, self.scales, self.centered, self.epochs)
        return [dict(zip(names, values, strict=True)) for values in itertools.product(*axes)]

    def network(self, features: int, centered: bool) -> nn.Module:
        """The map from semantics to prototypes with so many features."""
        if self.hidden:
            return ClassNormalized(self.hidden, features, positive=not centered)
        return Linear(features, positive=not centered)

    def fits(self, training: Training, candidates: Sequence[Mapping[str, Any]], seed: int) -> Iterator[Params]:
        """{'prototypes': (C, dx) float32, scale^2 times unit rows, 'center': c (dx,)} of each candidate. Candidates that follow
        each other and differ in their epochs alone are one training."""
        features, labels = jnp.asarray(training.features), jnp.asarray(training.labels)
        semantics = unit(jnp.asarray(training.semantics)) * math.sqrt(training.semantics.shape[1])
        seen, key = jnp.asarray(training.seen), stream(root_key(seed), "baseline")
        for (rate, scale, centered), group in itertools.groupby(
            candidates, lambda one: (one["learning_rate"], one["scale"], one["centered"])
        ):
            center = features.mean(axis=0) if centered else jnp.zeros(features.shape[1])
            snapshots = _fit(
                self, bool(centered), tuple(one["epochs"] for one in group), key, unit(features - center[None]), labels, semantics,
                seen, rate, scale,
            )
            for prototypes in snapshots:
                yield {"prototypes": scale * scale * prototypes, "center": center}

    def logits(self, params: Params, features: jax.Array) -> jax.Array:
        """Logits (n, C) of features (n, dx)."""
        return unit(features - params["center"][None]) @ params["prototypes"].T

    def scores(self, params: Params) -> tuple[ClassScores, Params]:
        """The same, to be stored."""
        return ClassScores(normalized=True), parameters(params["prototypes"], offset=-params["center"])


def loss(
    network: nn.Module, params: Params, semantics: jax.Array, directions: jax.Array, labels: jax.Array, scale: jax.Array | float
) -> jax.Array:
    """Mean negative log-likelihood over the classes of `semantics`, all of them seen.

    Args:
        network, params: the map to prototypes.
        semantics: (S, da).
        directions: unit rows (b, dx).
        labels: (b,) positions in `semantics`.
        scale: of each of the two unit vectors.
    """
    prototypes = unit(jnp.asarray(network.apply(params, semantics, jnp.arange(len(semantics)))))
    logits = scale * scale * directions @ prototypes.T
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _fit(
    of: SemanticRegressor, centered: bool, after: tuple[int, ...], key: jax.Array, directions: jax.Array, labels: jax.Array,
    semantics: jax.Array, seen: jax.Array, learning_rate: jax.Array, scale: jax.Array,
) -> list[jax.Array]:
    """Unit prototypes (C, dx) of all classes after each of the ascending numbers of epochs `after`, at most the last of `of`'s."""
    network = of.network(directions.shape[1], centered)
    training = SoftmaxTraining(len(seen), max(of.epochs), of.batch_size)
    rows = training.rows(key, len(directions))
    schedule = optax.piecewise_constant_schedule(1.0, {len(rows) // 2: 0.1})
    adam = optax.chain(optax.add_decayed_weights(of.weight_decay), optax.scale_by_adam(), optax.scale_by_schedule(schedule))
    of_seen = semantics[seen]
    params = network.init(stream(key, "init"), of_seen, jnp.arange(len(seen)))

    def update(carry: tuple[Params, optax.OptState], chosen: jax.Array) -> tuple[tuple[Params, optax.OptState], None]:
        params, state = carry
        gradient = jax.grad(loss, argnums=1)(network, params, of_seen, directions[chosen], labels[chosen], scale)
        with jax.numpy_dtype_promotion("standard"):  # Optax raises a number to the power of a counter
            steps, state = adam.update(gradient, state, params)
        return (jax.tree.map(lambda p, step: p - learning_rate * step, params, steps), state), None

    found = training.snapshots(update, (params, adam.init(params)), rows, after)
    return [unit(jnp.asarray(network.apply(carry[0], semantics, seen))) for carry in found]
