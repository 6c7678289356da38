"""What a generative base method offers to the training step."""

from typing import Protocol

import jax

from d3gzsl_jax.training.structures import Batch, Draws, Params, Terms


class Framework(Protocol):
    """A generative base method: its networks, which of them each phase updates, and its losses. It knows nothing of D3.

    `params` maps parameter groups to their trees; each group has an Adam and a learning rate of its own. In either phase only
    the groups named for it are differentiated, so a loss needs no stop_gradient for the others.
    """

    critic_groups: tuple[str, ...]
    generator_groups: tuple[str, ...]
    noise_size: int

    def init(self, key: jax.Array) -> Params:
        """Fresh parameters of every group of the method."""

    def synthesize(self, params: Params, semantics: jax.Array, noise: jax.Array) -> jax.Array:
        """Features (n, dx) for semantics (n, da) and noise (n, dz)."""

    def critic_loss(
        self, params: Params, batch: Batch, semantics: jax.Array, fake: jax.Array, draws: Draws
    ) -> tuple[jax.Array, Terms]:
        """The critic phase's scalar loss and its terms. semantics (B, da) are those of batch.labels; fake (B, dx) is
        `synthesize(params, semantics, draws.noise)`, made once by the caller together with the rows D3 needs."""

    def generator_loss(
        self, params: Params, batch: Batch, semantics: jax.Array, fake: jax.Array, draws: Draws
    ) -> tuple[jax.Array, Terms]:
        """The generator phase's scalar loss and its terms; arguments as in `critic_loss`."""

    def embed(self, params: Params, features: jax.Array) -> jax.Array:
        """The representation the method's own classifier works on; the features themselves where it has none."""
