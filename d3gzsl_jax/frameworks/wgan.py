"""WGAN-GP on visual features, conditioned on class semantics: the generator of f-CLSWGAN without its classification loss."""

import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from d3gzsl_jax.frameworks import networks
from d3gzsl_jax.frameworks.base import Sizes
from d3gzsl_jax.frameworks.class_rows import once_per_class
from d3gzsl_jax.frameworks.structures import Classes, Params, Rows, Terms
from d3gzsl_jax.keys import stream
from d3gzsl_jax.losses import adversarial


@dataclasses.dataclass(frozen=True)
class WGAN:
    """L_D = mean D(x~, a) - mean D(x, a) + weight * GP and L_G = - mean D(x~, a) (Xian et al. 2018, arXiv 1712.00981)."""

    sizes: Sizes
    gradient_penalty_weight: float = 10.0

    critic_groups: ClassVar[tuple[str, ...]] = ("critic",)
    generator_groups: ClassVar[tuple[str, ...]] = ("generator",)
    learns_embedding: ClassVar[bool] = False

    @property
    def summed_groups(self) -> tuple[str, ...]:
        """None."""
        return ()

    @property
    def generator(self) -> networks.Generator:
        """G at the sizes of this method."""
        sizes = self.sizes
        return networks.Generator(
            noise=sizes.noise, semantics=sizes.semantics, width=sizes.generator_hidden, features=sizes.features
        )

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

    def condition(self, params: Params, semantics: jax.Array) -> jax.Array:
        """The generator's first layer on semantics (n, da) alone: (n, hidden), shared by all rows of a class."""
        with jax.named_scope("generator"):
            return networks.apply(self.generator, params["generator"], semantics, method="condition")

    def generate(self, params: Params, conditioned: jax.Array, noise: jax.Array) -> jax.Array:
        """G(z, a): features (..., dx) from `condition` of the semantics (..., hidden), and noise (..., dz)."""
        with jax.named_scope("generator"):
            return networks.apply(self.generator, params["generator"], conditioned, noise, method="generate")

    def synthesize(self, params: Params, semantics: jax.Array, noise: jax.Array) -> jax.Array:
        """G(z, a): features (n, dx) for semantics (n, da) and noise (n, dz)."""
        return self.generate(params, self.condition(params, semantics), noise)

    def embed(self, params: Params, features: jax.Array) -> jax.Array:
        """The features themselves: this base has no embedding of its own."""
        return features

    def critic_loss(self, params: Params, classes: Classes, rows: Rows) -> tuple[jax.Array, Terms]:
        """L_D with terms 'wasserstein' (mean D(x) - mean D(x~), the estimated distance) and 'gradient_penalty' (weighted)."""
        of = params["critic"]["params"]
        with jax.named_scope("critic"):
            conditioned = self._critic_condition(params, classes, rows)
            # The output's bias shifts all scores alike: the loss is a difference of means and does not see it.
            loss, penalty = adversarial.two_layer_critic_loss(
                networks.NEGATIVE_SLOPE, of["hidden_features"]["kernel"], conditioned, of["hidden_bias"],
                of["output"]["kernel"][:, 0], jnp.stack([rows.real, rows.fake]), rows.interpolation,
            )
        penalty = self.gradient_penalty_weight * penalty
        return loss + penalty, {"wasserstein": -loss, "gradient_penalty": penalty}

    def generator_loss(self, params: Params, classes: Classes, rows: Rows) -> tuple[jax.Array, Terms]:
        """L_G with the term 'adversarial'."""
        apply = lambda method, *inputs: networks.apply(self.critic, params["critic"], *inputs, method=method)  # noqa: E731
        with jax.named_scope("critic"):
            hidden = apply("project_features", rows.fake) + self._critic_condition(params, classes, rows)
            scores = apply("score", hidden)
        loss = adversarial.generator_adversarial_loss(scores)
        return loss, {"adversarial": loss}

    def _critic_condition(self, params: Params, classes: Classes, rows: Rows) -> jax.Array:
        """The part (B, hidden) of the critic's first layer that belongs to the semantics."""
        project = lambda semantics: networks.apply(self.critic, params["critic"], semantics, method="project_semantics")  # noqa: E731
        return once_per_class(project, classes, rows.labels)
