"""f-VAEGAN-D2 (Xian et al. 2019, arXiv 1903.10132), its inductive part: a VAE whose decoder is the generator of a WGAN-GP."""

import dataclasses

from d3gzsl_jax.frameworks.conditional_vaegan import ConditionalVAEGAN
from d3gzsl_jax.frameworks.schedule import Phase, Update


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
