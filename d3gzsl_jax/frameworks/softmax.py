"""A linear softmax classifier fitted from scratch in one compiled scan: the final classifier, and f-CLSWGAN's frozen one."""

import dataclasses
import functools
import math
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import optax

from d3gzsl_jax.frameworks import networks
from d3gzsl_jax.frameworks.adam import descend, scale_by_adam
from d3gzsl_jax.frameworks.structures import Params
from d3gzsl_jax.keys import stream
from d3gzsl_jax.losses.classification import classification_loss

Carry = TypeVar("Carry")

_INITIAL = {"normal": networks.NORMAL, "xavier": networks.XAVIER}


@dataclasses.dataclass(frozen=True)
class SoftmaxTraining:
    """Adam on the mean negative log-likelihood, as the published f-CLSWGAN and CE-GZSL code fits its classifiers.

    Attributes:
        classes: outputs.
        epochs: each of ceil(n / batch_size) updates, floor(n / batch_size) where the last rows are dropped.
        batch_size: rows of an update.
        learning_rate, beta1, beta2: of Adam.
        initial: weights; 'normal', N(0, 0.02^2), or 'xavier', U(-b, b) with b = 0.5 sqrt(6 / (inputs + classes)). Biases are 0.
        drops_last: whether each epoch is one shuffle, of which the rows that fill no batch are left out; see `rows`.
    """

    classes: int
    epochs: int
    batch_size: int
    learning_rate: float = 1e-3
    beta1: float = 0.5
    beta2: float = 0.999
    initial: str = "normal"
    drops_last: bool = False

    @property
    def network(self) -> networks.LinearClassifier:
        """The linear layer."""
        return networks.LinearClassifier(classes=self.classes, kernel_init=_INITIAL[self.initial])

    @property
    def adam(self) -> optax.GradientTransformation:
        """Adam with the decays of this classifier."""
        return scale_by_adam(self.beta1, self.beta2)

    def init(self, key: jax.Array, width: int) -> Params:
        """Fresh parameters for inputs of this width."""
        return dict(self.network.init(stream(key, "classifier"), jnp.zeros((1, width))))

    def logits(self, params: Params, inputs: jax.Array) -> jax.Array:
        """Logits (n, classes) of inputs (n, width)."""
        return networks.apply(self.network, params, inputs)

    def update(
        self, params: Params, opt_state: optax.OptState, inputs: jax.Array, labels: jax.Array, offset: jax.Array | float = 0.0
    ) -> tuple[Params, optax.OptState, jax.Array]:
        """One update on inputs (b, width) and labels (b,), `offset` added to the logits in the loss; returns the loss before it as
        well."""
        loss = lambda p: classification_loss(self.logits(p, inputs) + offset, labels)  # noqa: E731
        return descend(self.adam, self.learning_rate, loss, params, opt_state)

    def rows(self, key: jax.Array, count: int) -> jax.Array:
        """Row numbers (updates, batch_size) int32 in [0, count): one shuffle of all rows after another, cut into batches, so that
        a batch may hold the end of one shuffle and the start of the next, and no row is left out of any.

        With `drops_last` each epoch has a shuffle of its own, and its last count % batch_size rows are in no batch. Fewer rows than
        a batch has are not dropped, or there would be no update at all.
        """
        drops = self.drops_last and count >= self.batch_size
        per_epoch = count // self.batch_size if drops else math.ceil(count / self.batch_size)
        updates = self.epochs * per_epoch
        shuffles = self.epochs if drops else math.ceil(updates * self.batch_size / count)
        keys = jax.vmap(lambda i: jax.random.fold_in(stream(key, "rows"), i))(jnp.arange(shuffles))
        order = jax.vmap(lambda k: jax.random.permutation(k, count))(keys)
        order = order[:, : per_epoch * self.batch_size].reshape(-1) if drops else order.reshape(-1)
        return order[: updates * self.batch_size].reshape(updates, self.batch_size).astype(jnp.int32)

    @functools.partial(jax.jit, static_argnums=0)
    def fit(self, key: jax.Array, inputs: jax.Array, labels: jax.Array, offset: jax.Array | float = 0.0) -> Params:
        """The fitted parameters; compiled.

        Args:
            key: initial weights and shuffles follow from it.
            inputs, labels: (n, width) float32, or HostRows, and (n,) int32 in [0, classes).
            offset: (1, classes) what the loss adds to the logits, or a number.
        """
        return self.fits(key, inputs, labels, (self.epochs,), offset)[0]

    def fits(
        self, key: jax.Array, inputs: jax.Array, labels: jax.Array, after: tuple[int, ...], offset: jax.Array | float = 0.0
    ) -> list[Params]:
        """The parameters after each of the ascending numbers of epochs `after`, at most `epochs`: what `fit` with so many epochs
        gives, for the price of the last. Not compiled."""
        count, width = inputs.shape
        return self.fits_by(key, count, width, lambda rows: (inputs[rows], labels[rows]), after, offset)

    def fits_by(
        self, key: jax.Array, count: int, width: int, take: Callable[[jax.Array], tuple[jax.Array, jax.Array]],
        after: tuple[int, ...], offset: jax.Array | float = 0.0,
    ) -> list[Params]:
        """`fits` to `count` inputs of a width that need not be there together: `take` of row numbers (b,) gives inputs (b, width)
        and labels (b,)."""
        params = self.init(key, width)

        def body(carry: tuple[Params, optax.OptState], rows: jax.Array) -> tuple[tuple[Params, optax.OptState], None]:
            return self.update(*carry, *take(rows), offset)[:2], None

        begin = (params, self.adam.init(params))
        return [carry[0] for carry in self.snapshots(body, begin, self.rows(key, count), after)]

    def snapshots(self, update: Callable[..., Any], carry: Carry, rows: jax.Array, after: tuple[int, ...]) -> Iterator[Carry]:
        """Scans `update` over batches of rows, and yields the carry after each of the ascending numbers of epochs.

        Args:
            update: (carry, (batch_size,)) -> (carry, None).
            carry: to begin with.
            rows: of `rows`, all epochs.
            after: numbers of epochs, at most `epochs`.
        """
        per_epoch, done = len(rows) // max(self.epochs, 1), 0  # no epochs: no rows
        for epochs in after:
            carry, _ = jax.lax.scan(update, carry, rows[done * per_epoch : epochs * per_epoch])
            done = epochs
            yield carry
