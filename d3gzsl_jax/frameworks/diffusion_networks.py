"""Flax Linen modules of ZeroDiff (Ye et al. 2025, arXiv 2406.02929): sizes in, arrays out; no losses and no configuration here.

Networks of two layers over several inputs: features or representations, the same with noise, semantics, a representation and a
noise level. LReLU with slope 0.2, weights N(0, 0.02^2), biases 0. Representations and noise levels are embedded first, in every
network by layers of its own. Encoder and semantic decoder are those of `vae_networks`.
"""

import jax
from flax import linen as nn

from d3gzsl_jax.frameworks.networks import NEGATIVE_SLOPE, NORMAL, dense
from d3gzsl_jax.precision import EXACT

EMBEDDED = ("representation", "level")
"""The inputs that are embedded first."""


class InputEmbedding(nn.Module):
    """Linear(SiLU(Linear(x))): (n, d) to (n, width)."""

    width: int

    def setup(self) -> None:
        self.hidden = dense(self.width)
        self.output = dense(self.width)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.output(nn.silu(self.hidden(x)))


class _SeveralInputs(nn.Module):
    """A first layer over several inputs, as the sum of a term for each and a bias, which is the same map as one matrix over all of
    them: a term that rows share, as that of the semantics of a class or of a noise level, is computed once.

    Attributes:
        hidden: width of the layer.
        inputs: their names, in the order they have in the published networks.
        embedding: width of the embedded inputs.
    """

    hidden: int
    inputs: tuple[str, ...]
    embedding: int = 0

    def setup(self) -> None:
        for name in self.inputs:
            setattr(self, f"hidden_{name}", dense(self.hidden, use_bias=False))
            if name in EMBEDDED:
                setattr(self, f"{name}_embedding", InputEmbedding(self.embedding))
        self.hidden_bias = self.param("hidden_bias", nn.initializers.zeros, (self.hidden,))

    def term(self, name: str, x: jax.Array) -> jax.Array:
        """What the first layer has of one input: (..., d) to (..., hidden)."""
        if name in EMBEDDED:
            x = getattr(self, f"{name}_embedding")(x)
        return getattr(self, f"hidden_{name}")(x)

    def output_of(self, terms: jax.Array) -> jax.Array:
        """What the network makes of the sum of the terms of its inputs, (..., hidden)."""
        raise NotImplementedError

    def activated(self, terms: jax.Array) -> jax.Array:
        """LReLU of the first layer."""
        return nn.leaky_relu(terms + self.hidden_bias.reshape((1,) * (terms.ndim - 1) + (-1,)), NEGATIVE_SLOPE)

    def __call__(self, *inputs: jax.Array) -> jax.Array:
        terms = [self.term(name, x) for name, x in zip(self.inputs, inputs, strict=True)]
        return self.output_of(sum(terms[1:], terms[0]))


class ConditionedGenerator(_SeveralInputs):
    """sigmoid(Linear(LReLU(Linear([inputs])))): (n, d) each, to features or representations (n, features) in [0, 1]."""

    features: int = 0

    def setup(self) -> None:
        super().setup()
        self.output = dense(self.features)

    def output_of(self, terms: jax.Array) -> jax.Array:
        return nn.sigmoid(self.output(self.activated(terms)))


class ConditionedCritic(_SeveralInputs):
    """Linear(LReLU(Linear([inputs]))): (n, d) each, the rows that are judged first, to scores (n,). As `networks.Critic` is."""

    def setup(self) -> None:
        super().setup()
        self.output = nn.Dense(1, kernel_init=NORMAL, precision=EXACT)  # a product with one vector: always float32

    def output_of(self, terms: jax.Array) -> jax.Array:
        return self.output(self.activated(terms))[..., 0]
