"""f-VAEGAN-D2 (Xian et al. 2019, arXiv 1903.10132), its inductive part: a VAE whose decoder is the generator of a WGAN-GP."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from d3gzsl_jax.frameworks import networks
from d3gzsl_jax.frameworks.conditional_vaegan import ConditionalVAEGAN, Reconstructed
from d3gzsl_jax.frameworks.schedule import Phase, Update
from d3gzsl_jax.frameworks.structures import Batch, Classes, Params
from d3gzsl_jax.losses.variational import sample_latent


@dataclasses.dataclass(frozen=True)
class FVAEGAN(ConditionalVAEGAN):
    """L_D = gamma_D WGAN-GP; L_EG = BCE(x-, x) + KL(q(z | x, a) || N(0, I)) - gamma_G mean D(x~, a)."""

    critic_latents: str = "prior"

    def phases(self, number: int) -> tuple[Phase, ...]:
        """'critic', n_critic times, then 'generator', which trains the encoder too."""
        return (
            Phase("critic", (Update("critic", ("critic",)),), self.critic_draws, made_ahead=True),
            Phase("generator", (Update("generator", ("generator", "encoder")),), self.generator_draws, new_batch=False),
        )

    def generate(self, params: Params, conditioned: jax.Array, latent: jax.Array) -> jax.Array:
        """G(z, a): features (..., dx) from `condition` of the semantics (..., hidden), and latents (..., dz)."""
        with jax.named_scope("generator"):
            return networks.apply(self.generator, params["generator"], conditioned, latent, method="generate")

    def fakes(self, phase: Phase, params: Params, classes: Classes, batch: Batch, draws: dict[str, jax.Array], state: Any) -> Any:
        """Features of the classes of the batch for the critic; `Reconstructed` in the generator phase."""
        conditioned = self.condition_rows(params, classes, batch.labels)
        if phase.name == "critic":
            return self.generate(params, conditioned, self.critic_latent(params, classes, batch, draws["latent"]))
        mean, log_variance = self.encode(params, classes, batch)
        features = self.generate(params, conditioned, sample_latent(mean, log_variance, draws["latent"]))
        fake = features if self.critic_latents == "encoded" else self.generate(params, conditioned, draws["prior"])
        return Reconstructed(features, mean, log_variance, fake)

    def unseen(self, phase: Phase, params: Params, semantics: jax.Array, n_syn: int, draws: dict[str, jax.Array]) -> jax.Array:
        """G(z, a), z ~ N(0, I)."""
        return self.generate(params, jnp.repeat(self.condition(params, semantics), n_syn, axis=0), draws["unseen_noise"])

    def synthesize(self, params: Params, semantics: jax.Array, draws: dict[str, jax.Array]) -> jax.Array:
        """G(z, a), z ~ N(0, I)."""
        return self.generate(params, self.condition(params, semantics), draws["noise"])
