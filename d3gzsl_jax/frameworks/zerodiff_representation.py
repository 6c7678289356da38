"""The first stage of ZeroDiff (Ye et al. 2025, arXiv 2406.02929), DRG there: a generator of representations from semantics."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import jax

from d3gzsl_jax.frameworks.denoising_gan import Denoised, DenoisingGAN, Input, repeated
from d3gzsl_jax.frameworks.schedule import Draw, Draws, Phase, Update
from d3gzsl_jax.frameworks.structures import Batch, Classes, Params, Terms, UpdateInputs
from d3gzsl_jax.losses.reconstruction import mean_squared


@dataclasses.dataclass(frozen=True)
class ZeroDiffRepresentation(DenoisingGAN):
    """L_D = MSE(S(r), a) + gamma_0 WGAN-GP of D_0(r, a) + gamma_t WGAN-GP of D_t(r_t, r_{t+1}, a, t), S learning from its own term
    alone; L_R = - gamma_0 mean D_0 - gamma_t mean D_t. Its features ARE the representations r: what rows are given as such.

    Attributes:
        conditioned_on: what the generator takes the noise off: 'released', the less noisy r_t, as the published code has it;
            'described', r_{t+1}.
    """

    inputs: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "generator": ("noise", "semantics", "noised", "level"),
        "critic_x0": ("features", "semantics"),
        "critic_xt": ("features", "noised", "semantics", "level"),
    }

    conditioned_on: str = "released"

    def phases(self, number: int) -> tuple[Phase, ...]:
        """'critic', n_critic times, which trains the decoder too, then 'generator'."""
        critics = Update("critic", ("critic_x0", "critic_xt", "decoder"))
        return (
            Phase("critic", (critics,), self.draws_of(critics=True), made_ahead=True),
            Phase("generator", (Update("generator", ("generator",)),), self.draws_of(critics=False), new_batch=False),
        )

    def generator_sees(self, noised: jax.Array, further: jax.Array) -> jax.Array:
        """r_t, or r_{t+1}: as `conditioned_on` says."""
        return noised if self.conditioned_on == "released" else further

    def fakes(
        self, phase: Phase, params: Params, classes: Classes, batch: Batch, draws: dict[str, jax.Array], state: Any
    ) -> Denoised:
        """r~ = R(z, a, r_t, t), and r~_t."""
        return self.denoise(params, classes, batch, batch.features, draws["latent"], draws)

    def critic_loss(self, params: Params, inputs: UpdateInputs) -> tuple[jax.Array, Terms]:
        """L_D with the terms 'semantic_real', 'gradient_penalty' (weighted, of both critics), and of each critic 'wasserstein_*'
        and 'penalty_*' (unweighted)."""
        labels, found = inputs.batch.labels, self.judge(params, inputs)
        semantic = mean_squared(self.decode(params, inputs.batch.features)[0], inputs.classes.semantics[labels])
        penalty = self.gradient_penalty_weight * self.weighted(found.penalty)
        terms = {"semantic_real": semantic, "gradient_penalty": penalty} | terms_of(found.wasserstein, "wasserstein")
        loss = semantic - self.weighted(found.wasserstein) + penalty
        return loss, terms | terms_of(found.penalty, "penalty")

    def generator_loss(self, params: Params, inputs: UpdateInputs) -> tuple[jax.Array, Terms]:
        """L_R with the terms 'adversarial_*' of each critic (unweighted)."""
        found = self.verdicts(params, inputs)
        return self.weighted(found), terms_of(found, "adversarial")

    def sample(self, params: Params, semantics: Input, noise: jax.Array, noised: jax.Array) -> jax.Array:
        """R(z, a, n, T - 1): representations (n, dr) from pure noise n, in one evaluation."""
        given = {"noise": noise, "semantics": semantics, "noised": noised, "level": self.level(self.timesteps - 1)}
        return self.generate(params, given)

    def unseen_draws(self) -> Draws:
        """z and n."""
        return {f"unseen_{name}": draw for name, draw in self.synthesis_draws().items()}

    def unseen(self, phase: Phase, params: Params, semantics: jax.Array, n_syn: int, draws: dict[str, jax.Array]) -> jax.Array:
        """R(z, a, n, T - 1)."""
        return self.sample(params, repeated(semantics, n_syn), draws["unseen_noise"], draws["unseen_noised"])

    def synthesis_draws(self) -> Draws:
        """z and n."""
        return {"noise": Draw("normal", (self.sizes.noise,)), "noised": Draw("normal", (self.sizes.features,))}

    def synthesize(self, params: Params, semantics: jax.Array, draws: dict[str, jax.Array]) -> jax.Array:
        """R(z, a, n, T - 1)."""
        return self.sample(params, semantics, draws["noise"], draws["noised"])


def terms_of(by_critic: dict[str, jax.Array], name: str) -> Terms:
    """As terms of a loss, one a critic."""
    return {f"{name}_{critic}": value for critic, value in by_critic.items()}
