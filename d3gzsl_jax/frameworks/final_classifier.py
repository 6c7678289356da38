"""The final classifier of generative zero-shot learning: one softmax over real seen rows and synthesized unseen rows, and, where T1
is not read off that, a second one over synthesized unseen rows alone."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp

from d3gzsl_jax.frameworks.base import Framework
from d3gzsl_jax.frameworks.host_rows import HostRows
from d3gzsl_jax.frameworks.softmax import SoftmaxTraining
from d3gzsl_jax.frameworks.structures import Classes, Params
from d3gzsl_jax.frameworks.synthesis import synthesize_classes, synthesize_rows
from d3gzsl_jax.keys import stream

AHEAD_BYTES = 4 * 2**30
"""Of synthesized rows that are made ahead of the fit, at most, where that is chosen by size: a constant, so that a run has the same
bits whatever memory is free."""

ZSL = "zsl"
"""Where T1's own softmax is among the parameters of a final classifier that has one."""


@dataclasses.dataclass(frozen=True)
class FinalClassifier:
    """Fitted from scratch to what the base method represents rows by: the features themselves, for some (Xian et al. 2018).

    Attributes:
        framework: synthesizes, and says what of a row is looked at, and of which real rows.
        softmax: how the linear classifier over all C classes is fitted.
        n_syn: rows synthesized per unseen class.
        logit_adjustment: tau of the logit-adjusted loss (Menon et al. 2021, arXiv 2007.07314): tau log(share of a class among the
            rows) is added to its logit in the loss, and not in prediction. 0: none; 1: the balanced error is what is minimised.
        zsl: what T1, the accuracy among unseen classes alone, is by: 'restricted', this classifier's logits of the unseen classes;
            'own', a softmax of its own over the unseen classes, fitted to the synthesized rows alone, none of which it ever drops.
        zsl_epochs: of T1's own softmax; 0: as many as of the other.
        zsl_n_syn: rows of each class that T1's own softmax is fitted to, the first of those synthesized; 0: all of them.
        synthesis: 'ahead', all rows before the fit; 'batches', those of a batch as it is due, again in every epoch; 'auto', ahead
            where they take at most `AHEAD_BYTES`.
    """

    framework: Framework
    softmax: SoftmaxTraining
    n_syn: int
    logit_adjustment: float = 0.0
    zsl: str = "restricted"
    zsl_epochs: int = 0
    zsl_n_syn: int = 0
    synthesis: str = "ahead"

    def is_ahead(self, unseen: int, width: int) -> bool:
        """Whether the synthesized rows of so many unseen classes, of this width, are all made before the fit."""
        size = 4 * unseen * self.n_syn * width
        return size == 0 or self.synthesis == "ahead" or (self.synthesis == "auto" and size <= AHEAD_BYTES)

    def synthesize(self, params: Params, key: jax.Array, classes: Classes) -> jax.Array:
        """Synthesized rows as they are represented, (|U| n_syn, width), class-major."""
        return synthesize_classes(self.framework, params, key, classes.semantics, classes.unseen, self.n_syn, represented=True)

    def rows(
        self, params: Params, key: jax.Array, classes: Classes, features: jax.Array, labels: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """What it is fitted to, as it is represented (n, width), and the labels (n,): real rows, then the |U| n_syn synthesized
        ones. Arguments as of `fit`."""
        real, labels = self._real_rows(params, key, classes, features, labels)
        inputs = jnp.concatenate([real, self.synthesize(params, stream(key, "noise"), classes)])
        return inputs, jnp.concatenate([labels, jnp.repeat(classes.unseen, self.n_syn)])

    def _real_rows(
        self, params: Params, key: jax.Array, classes: Classes, features: jax.Array | HostRows, labels: jax.Array
    ) -> tuple[jax.Array, jax.Array]:
        """The real ones of `rows`."""
        if count := self.framework.real_rows_per_class:
            first = first_rows(labels, classes.seen, count)
            features, labels = features[first], labels[first]
        of = stream(key, "real")
        draws = {name: draw.sample(stream(of, name), len(features)) for name, draw in self.framework.real_draws().items()}
        if isinstance(features, HostRows):  # each has draws of its own: all at once
            features = features[jnp.arange(len(features))]
        return self.framework.represent_real(params, features, draws), labels

    def asks_for(self, features: jax.Array | HostRows) -> bool:
        """Whether real rows come from the host batch by batch: those that lie there, unless but few of them are fitted to, or
        each has draws of its own."""
        whole = self.framework.real_rows_per_class or self.framework.real_draws()
        return isinstance(features, HostRows) and not whole

    def init(self, key: jax.Array, params: Params, features: int) -> Params:
        """Fresh parameters for features of this size, without T1's own softmax."""
        return self.softmax.init(key, self._width(params, features))

    def init_zsl(self, key: jax.Array, params: Params, features: int, unseen: int) -> Params:
        """Those of T1's own softmax, of so many unseen classes."""
        return self._zsl_softmax(unseen).init(key, self._width(params, features))

    def _width(self, params: Params, features: int) -> int:
        return jax.eval_shape(self.framework.represent, params, jax.ShapeDtypeStruct((1, features), jnp.float32)).shape[1]

    def fit(self, params: Params, key: jax.Array, classes: Classes, features: jax.Array | HostRows, labels: jax.Array) -> Params:
        """The fitted classifier.

        Args:
            params: of the base method.
            key: noise, initial weights and shuffles follow from it.
            classes: all classes.
            features, labels: real seen rows (N, dx) and their original ids (N,). Rows that are on the host stay there, and are
                asked for as a batch is due: the same rows in the same order, up to the last digits of what `represent_real` makes
                of fewer at a time.
        """
        return self.fits(params, key, classes, features, labels, (self.softmax.epochs,))[0]

    @functools.partial(jax.jit, static_argnums=(0, 6))
    def fits(
        self, params: Params, key: jax.Array, classes: Classes, features: jax.Array | HostRows, labels: jax.Array,
        after: tuple[int, ...],
    ) -> list[Params]:
        """The classifier after each of the ascending numbers of epochs `after`, see `SoftmaxTraining.fits`. Compiled. T1's own
        softmax is fitted once, for all its epochs, and is the same in all of them."""
        unseen, width = len(classes.unseen), self._width(params, features.shape[1])
        is_ahead, asks = self.is_ahead(unseen, width), self.asks_for(features)
        given: Any = (params, key, classes, features, labels)
        if is_ahead and not asks:
            inputs, labels = self.rows(*given)
            real = len(inputs) - unseen * self.n_syn
            made = lambda index, place: inputs[real + index * self.n_syn + place]  # noqa: E731
            take = lambda rows: inputs[rows]  # noqa: E731
        else:
            if not asks:
                inputs, labels = self._real_rows(*given)
            real, labels = len(labels), jnp.concatenate([labels, jnp.repeat(classes.unseen, self.n_syn)])
            asked = lambda rows: self.framework.represent_real(params, features[rows], {})  # noqa: E731
            of_real = asked if asks else lambda rows: inputs[rows]
            if is_ahead:
                synthesized = self.synthesize(params, stream(key, "noise"), classes)
                made = lambda index, place: synthesized[index * self.n_syn + place]  # noqa: E731
            else:
                made = lambda index, place: synthesize_rows(  # noqa: E731
                    self.framework, params, stream(key, "noise"), classes.semantics, classes.unseen[index], place
                )

            def take(rows: jax.Array) -> jax.Array:
                chosen = of_real(jnp.minimum(rows, real - 1))
                if not unseen * self.n_syn:
                    return chosen
                index = jnp.maximum(rows - real, 0)
                return jnp.where((rows < real)[:, None], chosen, made(index // self.n_syn, index % self.n_syn))

        offset: jax.Array | float = 0.0
        if self.logit_adjustment:
            rows = jnp.bincount(labels, length=self.softmax.classes).astype(jnp.float32)
            # A class without a row (no synthesis) keeps a finite offset, that of half a row.
            offset = self.logit_adjustment * jnp.log(jnp.maximum(rows, 0.5) / len(labels))[None]
        found = self.softmax.fits_by(key, len(labels), width, lambda rows: (take(rows), labels[rows]), after, offset)
        if self.zsl == "restricted":
            return found
        # All classes of T1's own softmax have equally many rows: its logits are not adjusted.
        softmax, count = self._zsl_softmax(unseen), self.zsl_n_syn or self.n_syn
        of_unseen = lambda rows: (made(rows // count, rows % count), rows // count)  # noqa: E731
        (own,) = softmax.fits_by(stream(key, ZSL), unseen * count, width, of_unseen, (softmax.epochs,))
        return [one | {ZSL: own} for one in found]

    def _zsl_softmax(self, unseen: int) -> SoftmaxTraining:
        return dataclasses.replace(self.softmax, classes=unseen, epochs=self.zsl_epochs or self.softmax.epochs, drops_last=False)

    def logits(self, params: Params, classifier: Params, features: jax.Array) -> jax.Array:
        """Logits (n, C) by original id for features (n, dx)."""
        classifier = {name: part for name, part in classifier.items() if name != ZSL}
        return self.softmax.logits(classifier, self.framework.represent(params, features))

    def zsl_logits(self, params: Params, classifier: Params, features: jax.Array) -> jax.Array:
        """Logits (n, |U|), in the order of the unseen classes, of T1's own softmax."""
        own = classifier[ZSL]
        return self._zsl_softmax(own["params"]["linear"]["bias"].shape[0]).logits(own, self.framework.represent(params, features))


def first_rows(labels: jax.Array, classes: jax.Array, count: int) -> jax.Array:
    """Row numbers (k count,) of the first `count` rows of each of `classes` (k,), class-major; those of a class with fewer are gone
    through again from the start.

    Args:
        labels: (N,) class ids.
        classes: each with at least one row.
        count: rows per class.
    """
    order = jnp.argsort(labels, stable=True)
    starts, ends = (jnp.searchsorted(labels[order], classes, side=side) for side in ("left", "right"))
    places = jnp.arange(count)[None] % jnp.maximum(ends - starts, 1)[:, None]
    return order[starts[:, None] + places].reshape(-1)
