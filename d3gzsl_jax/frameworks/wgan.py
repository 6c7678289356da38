"""WGAN-GP on visual features, conditioned on class semantics: the generator of f-CLSWGAN without its classification loss."""

import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from d3gzsl_jax import networks
from d3gzsl_jax.frameworks.base import Sizes
from d3gzsl_jax.losses import adversarial
from d3gzsl_jax.training.randomness import stream
from d3gzsl_jax.training.structures import Classes, Params, Rows, Terms


@dataclasses.dataclass(frozen=True)
class WGAN:
    """L_D = mean D(x~, a) - mean D(x, a) + weight * GP and L_G = - mean D(x~, a) (Xian et al. 2018, arXiv 1712.00981)."""

    RANGES: ClassVar[dict[str, tuple[float, float, bool]]] = {}
    CHOICES: ClassVar[dict[str, tuple[str, ...]]] = {}

    sizes: Sizes
    gradient_penalty_weight: float = 10.0

    critic_groups = ("critic",)
    generator_groups = ("generator",)
    summed_groups: ClassVar[tuple[str, ...]] = ()
    learns_embedding: ClassVar[bool] = False

    @property
    def generator(self) -> networks.Generator:
        """G at the sizes of this method."""
        return networks.Generator(hidden=self.sizes.generator_hidden, features=self.sizes.features)

    @property
    def critic(self) -> networks.Critic:
        """D at the sizes of this method."""
        return networks.Critic(hidden=self.sizes.critic_hidden)

    def init(self, key: jax.Array) -> Params:
        """Fresh parameters of 'generator' and 'critic'."""
        z, a, x = (jnp.zeros((1, n)) for n in (self.sizes.noise, self.sizes.semantics, self.sizes.features))
        return {
            "generator": self.generator.init(stream(key, "generator"), z, a),
            "critic": self.critic.init(stream(key, "critic"), x, a),
        }

    def pretrain(self, key: jax.Array, features: Any, seen_index: Any) -> Params:
        """Nothing: {}."""
        return {}

    def synthesize(self, params: Params, semantics: jax.Array, noise: jax.Array) -> jax.Array:
        """G(z, a): features (n, dx) for semantics (n, da) and noise (n, dz)."""
        with jax.named_scope("generator"):
            return self.generator.apply(params["generator"], noise, semantics)

    def embed(self, params: Params, features: jax.Array) -> jax.Array:
        """The features themselves: this base has no embedding of its own."""
        return features

    def critic_loss(self, params: Params, classes: Classes, rows: Rows) -> tuple[jax.Array, Terms]:
        """L_D with terms 'wasserstein' (mean D(x) - mean D(x~), the estimated distance) and 'gradient_penalty' (weighted)."""
        critic, count = self.critic, rows.real.shape[0]

        def apply(method: str, *inputs: jax.Array) -> jax.Array:
            return critic.apply(params["critic"], *inputs, method=method)

        with jax.named_scope("critic"):
            # Exact algebra: one pass over real and synthesized rows together (one weight gradient instead of two), the part of
            # the semantics once, and the interpolates' first layer by interpolation instead of a third product.
            both = apply("project_features", jnp.concatenate([rows.real, rows.fake]))
            conditioned = apply("project_semantics", rows.semantics)
            real_hidden, fake_hidden = both[:count] + conditioned, both[count:] + conditioned
            loss = adversarial.wasserstein_loss(apply("score", real_hidden), apply("score", fake_hidden))
            hidden = adversarial.interpolate(real_hidden, fake_hidden, rows.interpolation)
            slope = jax.grad(lambda h: apply("score", h).sum())(hidden)
            # The transpose of a linear map does not depend on where it is taken; only its shape is read off the real rows.
            (gradients,) = jax.vjp(lambda x: apply("project_features", x), rows.real)[1](slope)
        penalty = self.gradient_penalty_weight * adversarial.gradient_penalty(gradients)
        return loss + penalty, {"wasserstein": -loss, "gradient_penalty": penalty}

    def generator_loss(self, params: Params, classes: Classes, rows: Rows) -> tuple[jax.Array, Terms]:
        """L_G with the term 'adversarial'."""
        with jax.named_scope("critic"):
            scores = self.critic.apply(params["critic"], rows.fake, rows.semantics)
        loss = adversarial.generator_adversarial_loss(scores)
        return loss, {"adversarial": loss}
