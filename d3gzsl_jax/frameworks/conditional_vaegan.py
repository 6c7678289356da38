"""An encoder, a generator and a critic, all conditioned on class semantics: what f-VAEGAN-D2 and the methods after it build on."""

import dataclasses
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from d3gzsl_jax.frameworks import adaptive_penalty, networks, vae_networks, wgan_gp
from d3gzsl_jax.frameworks.base import Framework
from d3gzsl_jax.frameworks.class_rows import once_per_class
from d3gzsl_jax.frameworks.schedule import AdamRule, Draw, Draws, Phase
from d3gzsl_jax.frameworks.structures import Batch, Classes, Params, Terms, UpdateInputs
from d3gzsl_jax.frameworks.torch_layout import Layout, linear, split
from d3gzsl_jax.keys import stream
from d3gzsl_jax.losses.reconstruction import binary_cross_entropy
from d3gzsl_jax.losses.variational import gaussian_kl, sample_latent


class Reconstructed(NamedTuple):
    """What the generator phase makes of its batch: features (B, dx), the mean and log-variance (B, dz) of the latents they come
    from, and the features `fake` (B, dx) that critic and decoder look at."""

    features: jax.Array
    mean: jax.Array
    log_variance: jax.Array
    fake: jax.Array


@dataclasses.dataclass(frozen=True)
class ConditionalVAEGAN(Framework):
    """Options, networks, rows and losses of a VAE-GAN; what builds on it gives the phases, and may add networks and terms.

    Attributes:
        critic_latents: what the critic's synthesized rows are made of: 'encoded', latents of the batch's rows, or 'prior', N(0, I).
        weight_critic: gamma_D, of all the critic minimises.
        weight_adversarial: gamma_G, of - mean D(x~, a) beside reconstruction error and KL.
        penalty_rule: 'released', the weight of the gradient penalty is 1.1 times larger or smaller after each outer step, by the
            mean penalty of its critic updates (see losses/penalty_weight.py); 'described', it stays what it was.
    """

    unit_semantics: ClassVar[bool] = True
    outputs: ClassVar[tuple[str, ...]] = ("sigmoid",)
    unit_range: ClassVar[bool] = True

    critic_latents: str = "encoded"
    weight_critic: float = 10.0
    weight_adversarial: float = 10.0
    penalty_rule: str = "released"

    @property
    def encoder(self) -> vae_networks.FeatureEncoder:
        """E at the sizes of this method."""
        return vae_networks.FeatureEncoder(width=self.sizes.generator_hidden, latent=self.sizes.noise)

    @property
    def generator(self) -> vae_networks.SigmoidGenerator:
        """G at the sizes of this method."""
        sizes = self.sizes
        return vae_networks.SigmoidGenerator(
            noise=sizes.noise, semantics=sizes.semantics, width=sizes.generator_hidden, features=sizes.features
        )

    @property
    def critic(self) -> networks.Critic:
        """D at the sizes of this method."""
        return networks.Critic(hidden=self.sizes.critic_hidden)

    def init(self, key: jax.Array) -> Params:
        """Fresh parameters of 'encoder', 'generator' and 'critic'."""
        z, a, x = (jnp.zeros((1, n)) for n in (self.sizes.noise, self.sizes.semantics, self.sizes.features))
        return {
            "encoder": self.encoder.init(stream(key, "encoder"), x, a),
            "generator": self.generator.init(stream(key, "generator"), z, a),
            "critic": self.critic.init(stream(key, "critic"), x, a),
        }

    @classmethod
    def torch_layout(cls) -> Layout:
        """Encoder, generator and critic; the layers are named as in the published TF-VAEGAN."""
        encoder = linear(
            hidden="encoder/fc1", latent_hidden="encoder/fc3", mean="encoder/linear_means", log_variance="encoder/linear_log_var"
        )
        return {"encoder": encoder, "generator": linear(hidden="generator/fc1", output="generator/fc3"), "critic": split("critic")}

    def adam(self, group: str) -> AdamRule:
        """The encoder's first moment decays at 0.9, whatever the others' does."""
        return AdamRule(beta1=0.9) if group == "encoder" else AdamRule()

    def initial_state(self) -> dict[str, jax.Array]:
        """'penalty_exponent' () int32, k: the penalty's weight is gradient_penalty_weight 1.1^k."""
        return adaptive_penalty.initial_state()

    def next_state(self, state: Any, terms: dict[str, Terms]) -> Any:
        """k, adapted to the mean penalty of the critic updates."""
        return adaptive_penalty.next_state(state, terms, self.penalty_rule)

    @property
    def critic_draws(self) -> Draws:
        """Latents z, or the noise they are encoded with, and shares of real rows in interpolates."""
        return {"latent": Draw("normal", (self.sizes.noise,)), "interpolation": Draw("uniform", (1,))}

    @property
    def generator_draws(self) -> Draws:
        """Noise to encode with and, where the critic's latents are the prior's, such a latent."""
        normal = Draw("normal", (self.sizes.noise,))
        return {"latent": normal} if self.critic_latents == "encoded" else {"latent": normal, "prior": normal}

    def encode(self, params: Params, classes: Classes, batch: Batch) -> tuple[jax.Array, jax.Array]:
        """Mean and log-variance (..., dz) of the latents of the rows of a batch."""
        with jax.named_scope("encoder"):
            return networks.apply(self.encoder, params["encoder"], batch.features, classes.semantics[batch.labels])

    def critic_latent(self, params: Params, classes: Classes, batch: Batch, noise: jax.Array) -> jax.Array:
        """The latents (..., dz) the critic's synthesized rows are made of."""
        return noise if self.critic_latents == "prior" else sample_latent(*self.encode(params, classes, batch), noise)

    def condition(self, params: Params, semantics: jax.Array) -> jax.Array:
        """The generator's first layer on semantics (n, da) alone: (n, hidden)."""
        with jax.named_scope("generator"):
            return networks.apply(self.generator, params["generator"], semantics, method="condition")

    def condition_rows(self, params: Params, classes: Classes, labels: jax.Array) -> jax.Array:
        """`condition` of rows of seen classes: (..., n, hidden) for labels (..., n)."""
        return once_per_class(lambda semantics: self.condition(params, semantics), classes, labels)

    def generate(
        self, params: Params, conditioned: jax.Array, latent: jax.Array, number: int, source: jax.Array | None = None
    ) -> jax.Array:
        """Features (..., dx) as training makes them in pass `number`: G(z, a).

        Args:
            params: all groups.
            conditioned: (..., hidden) of `condition`.
            latent: (..., dz).
            number: of the pass.
            source: features (..., dx) that a method with feedback has it from.
        """
        with jax.named_scope("generator"):
            return networks.apply(self.generator, params["generator"], conditioned, latent, method="generate")

    def fakes(self, phase: Phase, params: Params, classes: Classes, batch: Batch, draws: dict[str, jax.Array], state: Any) -> Any:
        """Features of the classes of the batch for the critic; `Reconstructed` in the generator phase."""
        conditioned, number = self.condition_rows(params, classes, batch.labels), phase.number
        if phase.name == "critic":
            return self.generate(params, conditioned, self.critic_latent(params, classes, batch, draws["latent"]), number)
        mean, log_variance = self.encode(params, classes, batch)
        features = self.generate(params, conditioned, sample_latent(mean, log_variance, draws["latent"]), number)
        if self.critic_latents == "encoded":
            return Reconstructed(features, mean, log_variance, features)
        return Reconstructed(features, mean, log_variance, self.generate(params, conditioned, draws["prior"], number, features))

    def unseen(self, phase: Phase, params: Params, semantics: jax.Array, n_syn: int, draws: dict[str, jax.Array]) -> jax.Array:
        """Made as the rows of the phase are, of latents of the prior whatever the critic's are made of."""
        conditioned = jnp.repeat(self.condition(params, semantics), n_syn, axis=0)
        return self.generate(params, conditioned, draws["unseen_noise"], phase.number)

    def synthesize(self, params: Params, semantics: jax.Array, draws: dict[str, jax.Array]) -> jax.Array:
        """G(z, a), z ~ N(0, I)."""
        return self.generate(params, self.condition(params, semantics), draws["noise"], 0)

    def critic_loss(self, params: Params, inputs: UpdateInputs) -> tuple[jax.Array, Terms]:
        """gamma_D (mean D(x~, a) - mean D(x, a) + weight * penalty) with the terms 'wasserstein', 'gradient_penalty' (weighted;
        both without gamma_D), 'penalty' (unweighted) and 'penalty_weight'."""
        batch = inputs.batch
        condition = wgan_gp.condition_rows(self.critic, params["critic"], inputs.classes, batch.labels)
        loss, penalty = wgan_gp.critic_loss(
            params["critic"], condition, batch.features, inputs.fakes, inputs.draws["interpolation"]
        )
        weight = adaptive_penalty.weight(self.gradient_penalty_weight, inputs.state)
        terms = {"wasserstein": -loss, "gradient_penalty": weight * penalty, "penalty": penalty, "penalty_weight": weight}
        return self.weight_critic * (loss + weight * penalty), terms

    def generator_loss(self, params: Params, inputs: UpdateInputs) -> tuple[jax.Array, Terms]:
        """BCE(x-, x) + KL - gamma_G mean D(x~, a) with the terms 'reconstruction', 'kl_prior' and 'adversarial' (unweighted)."""
        made, batch = inputs.fakes, inputs.batch
        reconstruction = binary_cross_entropy(made.features, batch.features)
        divergence = gaussian_kl(made.mean, made.log_variance)
        condition = wgan_gp.condition_rows(self.critic, params["critic"], inputs.classes, batch.labels)
        adversarial = wgan_gp.generator_loss(self.critic, params["critic"], condition, made.fake)
        terms = {"reconstruction": reconstruction, "kl_prior": divergence, "adversarial": adversarial}
        return reconstruction + divergence + self.weight_adversarial * adversarial, terms
