"""Flax Linen modules of the generators with a variational autoencoder: sizes in, arrays out; no losses and no configuration here.

Of f-VAEGAN-D2 (Xian et al. 2019, arXiv 1903.10132), TF-VAEGAN (Narayan et al. 2020, arXiv 2003.07833) and FREE (Chen et al. 2021,
arXiv 2107.13807): encoder, generator, semantic decoder, feedback and refiner, LReLU with slope 0.2, weights N(0, 0.02^2), biases 0;
their critic is `networks.Critic`. Of CADA-VAE
(Schönfeld et al. 2019, arXiv 1812.01784): encoders and decoders of one latent space, ReLU, weights U(-b, b) with
b = 0.5 sqrt(6 / (inputs + outputs)), biases 0.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from d3gzsl_jax.frameworks.networks import NEGATIVE_SLOPE, XAVIER, Generator, activated, dense
from d3gzsl_jax.precision import product


def _leaky(x: jax.Array) -> jax.Array:
    return nn.leaky_relu(x, NEGATIVE_SLOPE)


class FeatureEncoder(nn.Module):
    """E(x, a) = Linear(h), Linear(h) with h = LReLU(Linear(LReLU(Linear([x, a])))): a row's latent, given features and semantics.

    Features (n, dx) and semantics (n, da) to the mean and the log-variance, both (n, latent). The second hidden layer is twice as
    wide as the latent.
    """

    width: int
    latent: int

    def setup(self) -> None:
        self.hidden = dense(self.width)
        self.latent_hidden = dense(2 * self.latent)
        self.mean = dense(self.latent)
        self.log_variance = dense(self.latent)

    def __call__(self, features: jax.Array, semantics: jax.Array) -> tuple[jax.Array, jax.Array]:
        hidden = _leaky(self.hidden(jnp.concatenate([features, semantics], axis=-1)))
        hidden = _leaky(self.latent_hidden(hidden))
        return self.mean(hidden), self.log_variance(hidden)


class SigmoidGenerator(Generator):
    """G(z, a, f) = sigmoid(Linear(LReLU(Linear([z, a])) + f)): noise (n, dz) and semantics (n, da) to features (n, dx) in [0, 1].

    The feedback f (n, width) is added to the hidden layer after its LReLU; without one it is 0. The parameters are those of
    `Generator`, and rows of one class share what `condition` makes.
    """

    def __call__(self, noise: jax.Array, semantics: jax.Array, feedback: jax.Array | None = None) -> jax.Array:
        return self.generate(self.condition(semantics), noise, feedback)

    def generate(self, conditioned: jax.Array, noise: jax.Array, feedback: jax.Array | None = None) -> jax.Array:
        """Features (..., dx) from what `condition` made of the semantics, (..., width), noise (..., dz) and feedback (..., width)
        or none."""
        hidden = self.hidden_layer(conditioned, noise)
        return self.output_layer(hidden if feedback is None else hidden + feedback)

    def hidden_layer(self, conditioned: jax.Array, noise: jax.Array) -> jax.Array:
        """LReLU(Linear([z, a])), (..., width): kept, it need not be computed again for a second pass with feedback."""
        return _leaky(product(noise, self.hidden.kernel[: self.noise]) + conditioned)

    def output_layer(self, hidden: jax.Array) -> jax.Array:
        """Features (..., dx) from the hidden layer (..., width), to which feedback is added already or not."""
        return nn.sigmoid(self.output(hidden))


class SemanticDecoder(nn.Module):
    """S(x): features (n, dx) to the hidden layer s = LReLU(Linear(x)), (n, width), and Linear(s) as unit rows, (n, semantics).

    Returns the unit rows, then s. They are divided by their norm without a floor; a row whose norm is zero in float32, as that of
    features that are all 0 at first, is 0 with gradient 0.
    """

    width: int
    semantics: int

    def setup(self) -> None:
        self.hidden = dense(self.width)
        self.output = dense(self.semantics)

    def __call__(self, features: jax.Array) -> tuple[jax.Array, jax.Array]:
        hidden = _leaky(self.hidden(features))
        return _unit_or_zero_rows(self.output(hidden)), hidden


def _unit_or_zero_rows(x: jax.Array) -> jax.Array:
    """(losses.pairwise.unit_rows has a floor instead, whose inverse the gradient at 0 is multiplied by: here it would be 1e12.)"""
    squares = jnp.sum(jnp.square(x), axis=-1, keepdims=True)
    zero = squares < jnp.finfo(jnp.float32).tiny
    return jnp.where(zero, 0.0, x / jnp.sqrt(jnp.where(zero, 1.0, squares)))


class Feedback(nn.Module):
    """F(s) = LReLU(Linear(LReLU(Linear(s)))): the decoder's hidden layer to what is added to the generator's, (n, width) both."""

    width: int

    def setup(self) -> None:
        self.hidden = dense(self.width)
        self.output = dense(self.width)

    def __call__(self, hidden: jax.Array) -> jax.Array:
        return _leaky(self.output(_leaky(self.hidden(hidden))))


class Refined(NamedTuple):
    """What `Refiner` makes of rows: mean and deviation (n, da) of their semantics before the sigmoid, and its hidden layer s
    (n, width)."""

    mean: jax.Array
    deviation: jax.Array
    hidden: jax.Array

    def semantics(self, noise: jax.Array | float) -> jax.Array:
        """q = sigmoid(mean + noise * deviation), (n, da) in [0, 1], for noise (n, da) or 0."""
        return nn.sigmoid(self.mean + noise * self.deviation)


class Refiner(nn.Module):
    """FR(x): features (n, dx) to s = LReLU(Linear(x)), (n, width), and [mu, u] = Linear(s), deviation sigmoid(u)."""

    width: int
    semantics: int

    def setup(self) -> None:
        self.hidden = dense(self.width)
        self.output = dense(2 * self.semantics)

    def __call__(self, features: jax.Array) -> Refined:
        hidden = _leaky(self.hidden(features))
        mean, raw = jnp.split(self.output(hidden), 2, axis=-1)
        return Refined(mean=mean, deviation=nn.sigmoid(raw), hidden=hidden)


class Centers(nn.Module):
    """A point for each class, (classes, width), N(0, I) at first."""

    classes: int
    width: int

    def setup(self) -> None:
        self.centers = self.param("centers", nn.initializers.normal(1.0), (self.classes, self.width))

    def __call__(self) -> jax.Array:
        return self.centers


class LatentEncoder(nn.Module):
    """E(x) = Linear(h), Linear(h) with h = ReLU(Linear(x)) of CADA-VAE: a row's latent, given its features or its semantics.

    Features or semantics (n, d) to the mean and the log-variance, both (n, latent).
    """

    width: int
    latent: int

    def setup(self) -> None:
        self.hidden = dense(self.width, kernel_init=XAVIER)
        self.mean = dense(self.latent, kernel_init=XAVIER)
        self.log_variance = dense(self.latent, kernel_init=XAVIER)

    def __call__(self, inputs: jax.Array) -> tuple[jax.Array, jax.Array]:
        hidden = nn.relu(self.hidden(inputs))
        return self.mean(hidden), self.log_variance(hidden)


class LatentDecoder(nn.Module):
    """D(z) = Linear(ReLU(Linear(z))) of CADA-VAE: a latent (n, k) to features or semantics (n, outputs). With another `ends_in`
    than 'linear', one of `networks.OUTPUTS`, that follows."""

    width: int
    outputs: int
    ends_in: str = "linear"

    def setup(self) -> None:
        self.hidden = dense(self.width, kernel_init=XAVIER)
        self.output = dense(self.outputs, kernel_init=XAVIER)

    def __call__(self, latent: jax.Array) -> jax.Array:
        return activated(self.output(nn.relu(self.hidden(latent))), self.ends_in)
