"""What a generative base method offers to the training step (docs/frameworks.md shows how to add one)."""

import dataclasses
from typing import Any, Protocol

import jax

from d3gzsl_jax.frameworks.structures import Classes, Params, Rows, Terms


@dataclasses.dataclass(frozen=True)
class Sizes:
    """Sizes of data and networks. features dx, semantics da and seen |S| are the data's; noise dz and the widths are settings."""

    features: int
    semantics: int
    noise: int
    seen: int
    generator_hidden: int = 4096
    critic_hidden: int = 4096
    embedding: int = 2048


class Framework(Protocol):
    """A generative base method: its networks, which of them each phase updates, and its losses. It knows nothing of D3.

    `params` maps parameter groups to their trees; each trained group has an Adam and a learning rate of its own. In either phase
    only the groups named for it are differentiated, so a loss needs no stop_gradient for the others.

    A class is made as `Class(sizes, gradient_penalty_weight=..., **options)`, the options being those of config.<name>, which
    config/framework_fields.py lists with their ranges.
    """

    def __init__(self, sizes: Sizes, gradient_penalty_weight: float = 10.0, **options: Any) -> None: ...

    @property
    def sizes(self) -> Sizes:
        """Of data and networks."""

    @property
    def critic_groups(self) -> tuple[str, ...]:
        """Parameter groups the critic phase updates."""

    @property
    def generator_groups(self) -> tuple[str, ...]:
        """Parameter groups the generator phase updates."""

    @property
    def learns_embedding(self) -> bool:
        """Whether `embed` is a network of the method, sizes.embedding wide like the teacher's: D3's student then shares it."""

    @property
    def summed_groups(self) -> tuple[str, ...]:
        """Groups whose Adam is given the running sum of the gradients since the epoch began instead of the gradient."""

    def init(self, key: jax.Array) -> Params:
        """Fresh parameters of every trained group of the method."""

    def pretrain(self, key: jax.Array, features: Any, seen_index: Any) -> Params:
        """Further groups, fitted to the real rows (N, dx) and their seen indices (N,) and then frozen; {} for most."""

    def condition(self, params: Params, semantics: jax.Array) -> jax.Array:
        """What the generator makes of semantics (n, da) before it sees noise: (n, d), made once for all rows of a class. A method
        whose generator has no such part returns the semantics."""

    def generate(self, params: Params, conditioned: jax.Array, noise: jax.Array) -> jax.Array:
        """Features (..., dx) for what `condition` returned, (..., d), and noise (..., dz)."""

    def embed(self, params: Params, features: jax.Array) -> jax.Array:
        """The representation the final classifier works on; the features themselves for a method without an embedding."""

    def critic_loss(self, params: Params, classes: Classes, rows: Rows) -> tuple[jax.Array, Terms]:
        """The critic phase's scalar loss and its terms. rows.fake was generated for rows.labels by the caller,
        together with the rows D3 needs, as the embeddings were. Terms must not be named as D3's are ('cls', 'od', 'be',
        'kl', 'distillation') nor 'loss'."""

    def generator_loss(self, params: Params, classes: Classes, rows: Rows) -> tuple[jax.Array, Terms]:
        """The generator phase's scalar loss and its terms; arguments as in `critic_loss`."""
