"""WGAN-GP on visual features, conditioned on class semantics: the generator of f-CLSWGAN without its classification loss."""

import dataclasses

import jax

from d3gzsl_jax.frameworks.conditional_gan import ConditionalGAN
from d3gzsl_jax.frameworks.structures import Params, Terms, UpdateInputs


@dataclasses.dataclass(frozen=True)
class WGAN(ConditionalGAN):
    """L_D = mean D(x~, a) - mean D(x, a) + weight * GP and L_G = - mean D(x~, a) (Xian et al. 2018, arXiv 1712.00981)."""

    def critic_loss(self, params: Params, inputs: UpdateInputs) -> tuple[jax.Array, Terms]:
        """L_D with the terms 'wasserstein' and 'gradient_penalty'."""
        return self.adversarial_critic_loss(params, inputs)

    def generator_loss(self, params: Params, inputs: UpdateInputs) -> tuple[jax.Array, Terms]:
        """L_G with the term 'adversarial'."""
        return self.adversarial_generator_loss(params, inputs)
