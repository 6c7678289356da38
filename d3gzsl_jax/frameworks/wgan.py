"""WGAN-GP on visual features, conditioned on class semantics: the generator of f-CLSWGAN without its classification loss."""

import dataclasses

import jax
import jax.numpy as jnp

from d3gzsl_jax import networks
from d3gzsl_jax.losses import adversarial
from d3gzsl_jax.training.randomness import stream
from d3gzsl_jax.training.structures import Batch, Draws, Params, Terms


@dataclasses.dataclass(frozen=True)
class WGAN:
    """L_D = mean D(x~, a) - mean D(x, a) + weight * GP and L_G = - mean D(x~, a) (Xian et al. 2018, arXiv 1712.00981)."""

    feature_size: int
    semantic_size: int
    noise_size: int
    generator_hidden: int = 4096
    critic_hidden: int = 4096
    gradient_penalty_weight: float = 10.0

    critic_groups = ("critic",)
    generator_groups = ("generator",)

    @property
    def generator(self) -> networks.Generator:
        """G at the sizes of this method."""
        return networks.Generator(hidden=self.generator_hidden, features=self.feature_size)

    @property
    def critic(self) -> networks.Critic:
        """D at the sizes of this method."""
        return networks.Critic(hidden=self.critic_hidden)

    def init(self, key: jax.Array) -> Params:
        """Fresh parameters of 'generator' and 'critic'."""
        z, a, x = (jnp.zeros((1, n)) for n in (self.noise_size, self.semantic_size, self.feature_size))
        return {
            "generator": self.generator.init(stream(key, "generator"), z, a),
            "critic": self.critic.init(stream(key, "critic"), x, a),
        }

    def synthesize(self, params: Params, semantics: jax.Array, noise: jax.Array) -> jax.Array:
        """G(z, a): features (n, dx) for semantics (n, da) and noise (n, dz)."""
        with jax.named_scope("generator"):
            return self.generator.apply(params["generator"], noise, semantics)

    def critic_loss(
        self, params: Params, batch: Batch, semantics: jax.Array, fake: jax.Array, draws: Draws
    ) -> tuple[jax.Array, Terms]:
        """L_D with terms 'wasserstein' (mean D(x) - mean D(x~), the estimated distance) and 'gradient_penalty' (weighted)."""
        critic, real = self.critic, batch.features
        rows = real.shape[0]

        def apply(method: str, *inputs: jax.Array) -> jax.Array:
            return critic.apply(params["critic"], *inputs, method=method)

        with jax.named_scope("critic"):
            # Exact algebra: one pass over real and synthesized rows together (one weight gradient instead of two), the part of
            # the semantics once, and the interpolates' first layer by interpolation instead of a third product.
            both = apply("project_features", jnp.concatenate([real, fake]))
            conditioned = apply("project_semantics", semantics)
            real_hidden, fake_hidden = both[:rows] + conditioned, both[rows:] + conditioned
            loss = adversarial.wasserstein_loss(apply("score", real_hidden), apply("score", fake_hidden))
            hidden = adversarial.interpolate(real_hidden, fake_hidden, draws.interpolation)
            slope = jax.grad(lambda h: apply("score", h).sum())(hidden)
            # The transpose of a linear map does not depend on where it is taken; only its shape is read off `real`.
            (gradients,) = jax.vjp(lambda x: apply("project_features", x), real)[1](slope)
        penalty = self.gradient_penalty_weight * adversarial.gradient_penalty(gradients)
        return loss + penalty, {"wasserstein": -loss, "gradient_penalty": penalty}

    def generator_loss(
        self, params: Params, batch: Batch, semantics: jax.Array, fake: jax.Array, draws: Draws
    ) -> tuple[jax.Array, Terms]:
        """L_G with the term 'adversarial'."""
        with jax.named_scope("critic"):
            loss = adversarial.generator_adversarial_loss(self.critic.apply(params["critic"], fake, semantics))
        return loss, {"adversarial": loss}

    def embed(self, params: Params, features: jax.Array) -> jax.Array:
        """The features themselves: this base has no embedding of its own."""
        return features
