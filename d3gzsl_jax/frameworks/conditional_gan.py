"""A generator of features from noise and class semantics, and a critic of both: what WGAN-GP, f-CLSWGAN and CE-GZSL build on."""

import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from d3gzsl_jax.frameworks import networks, wgan_gp
from d3gzsl_jax.frameworks.base import Framework
from d3gzsl_jax.frameworks.class_rows import once_per_class
from d3gzsl_jax.frameworks.schedule import Draw, Phase, Update
from d3gzsl_jax.frameworks.structures import Batch, Classes, Params, Terms, UpdateInputs
from d3gzsl_jax.frameworks.torch_layout import Layout, linear, split
from d3gzsl_jax.keys import stream


@dataclasses.dataclass(frozen=True)
class ConditionalGAN(Framework):
    """config.train.n_critic updates of the critic, each on a new batch, then one of the generator on the last. What builds on it
    gives `critic_loss` and `generator_loss`."""

    critic_groups: ClassVar[tuple[str, ...]] = ("critic",)
    """What the critic phase trains."""

    @property
    def generator(self) -> networks.Generator:
        """G at the sizes of this method."""
        sizes = self.sizes
        return networks.Generator(
            noise=sizes.noise, semantics=sizes.semantics, width=sizes.generator_hidden, features=sizes.features,
            ends_in=self.ends_in,
        )

    @property
    def critic(self) -> networks.Critic:
        """D at the sizes of this method."""
        return networks.Critic(hidden=self.sizes.critic_hidden)

    def phases(self, number: int) -> tuple[Phase, ...]:
        """'critic', then 'generator'."""
        draws = {"noise": Draw("normal", (self.sizes.noise,)), "interpolation": Draw("uniform", (1,))}
        return (
            Phase("critic", (Update("critic", self.critic_groups),), draws, made_ahead=True),
            Phase("generator", (Update("generator", ("generator",)),), draws, new_batch=False),
        )

    def init(self, key: jax.Array) -> Params:
        """Fresh parameters of 'generator' and 'critic'."""
        z, a, x = (jnp.zeros((1, n)) for n in (self.sizes.noise, self.sizes.semantics, self.sizes.features))
        return {
            "generator": self.generator.init(stream(key, "generator"), z, a),
            "critic": self.critic.init(stream(key, "critic"), x, a),
        }

    @classmethod
    def torch_layout(cls) -> Layout:
        """Generator and critic, two layers each."""
        return {"generator": linear(hidden="generator/fc1", output="generator/fc2"), "critic": split("critic")}

    def condition(self, params: Params, semantics: jax.Array) -> jax.Array:
        """The generator's first layer on semantics (n, da) alone: (n, hidden), shared by all rows of a class."""
        with jax.named_scope("generator"):
            return networks.apply(self.generator, params["generator"], semantics, method="condition")

    def generate(self, params: Params, conditioned: jax.Array, noise: jax.Array) -> jax.Array:
        """G(z, a): features (..., dx) from `condition` of the semantics (..., hidden), and noise (..., dz)."""
        with jax.named_scope("generator"):
            return networks.apply(self.generator, params["generator"], conditioned, noise, method="generate")

    def synthesize(self, params: Params, semantics: jax.Array, draws: dict[str, jax.Array]) -> jax.Array:
        """G(z, a)."""
        return self.generate(params, self.condition(params, semantics), draws["noise"])

    def make(
        self, phase: Phase, params: Params, classes: Classes, batch: Batch, draws: dict[str, jax.Array], state: Any, n_syn: int
    ) -> tuple[jax.Array, jax.Array]:
        """Features (..., B, dx) of the classes of the batch and (..., M, dx) of unseen ones, in one pass: larger matrix products,
        and one weight gradient instead of two."""
        labels = batch.labels
        conditioned = once_per_class(lambda semantics: self.condition(params, semantics), classes, labels)
        if not n_syn:
            fakes = self.generate(params, conditioned, draws["noise"])
            return fakes, fakes[..., :0, :]
        unseen = self.condition(params, classes.semantics[classes.unseen])
        unseen = jnp.repeat(unseen, n_syn, axis=0)
        unseen = jnp.broadcast_to(unseen, (*labels.shape[:-1], *unseen.shape))
        noise = jnp.concatenate([draws["noise"], draws["unseen_noise"]], -2)
        rows = self.generate(params, jnp.concatenate([conditioned, unseen], -2), noise)
        return rows[..., : labels.shape[-1], :], rows[..., labels.shape[-1] :, :]

    def adversarial_critic_loss(self, params: Params, inputs: UpdateInputs) -> tuple[jax.Array, Terms]:
        """WGAN-GP's critic loss with terms 'wasserstein' (mean D(x) - mean D(x~), the estimated distance) and 'gradient_penalty'
        (weighted)."""
        condition = wgan_gp.condition_rows(self.critic, params["critic"], inputs.classes, inputs.batch.labels)
        loss, penalty = wgan_gp.critic_loss(
            params["critic"], condition, inputs.batch.features, inputs.fakes, inputs.draws["interpolation"]
        )
        penalty = self.gradient_penalty_weight * penalty
        return loss + penalty, {"wasserstein": -loss, "gradient_penalty": penalty}

    def adversarial_generator_loss(self, params: Params, inputs: UpdateInputs) -> tuple[jax.Array, Terms]:
        """WGAN-GP's generator loss with the term 'adversarial'."""
        condition = wgan_gp.condition_rows(self.critic, params["critic"], inputs.classes, inputs.batch.labels)
        loss = wgan_gp.generator_loss(self.critic, params["critic"], condition, inputs.fakes)
        return loss, {"adversarial": loss}
