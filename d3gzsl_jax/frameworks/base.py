"""What a generative base method offers to the training step (docs/frameworks.md shows how to add one)."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from d3gzsl_jax.frameworks.schedule import AdamRule, Draw, Draws, Phase
from d3gzsl_jax.frameworks.softmax import SoftmaxTraining
from d3gzsl_jax.frameworks.structures import Batch, Classes, Params, Terms, UpdateInputs
from d3gzsl_jax.frameworks.torch_layout import Layout


@dataclasses.dataclass(frozen=True)
class Sizes:
    """Sizes of data and networks. features dx, semantics da, seen |S| and representation dr, of the further array per row that some
    methods take (0 for others), are the data's; noise dz and the widths are settings."""

    features: int
    semantics: int
    noise: int
    seen: int
    generator_hidden: int = 4096
    critic_hidden: int = 4096
    embedding: int = 2048
    representation: int = 0


@dataclasses.dataclass(frozen=True)
class Framework:
    """A generative base method: its networks, the updates of an outer step, its losses. It knows nothing of D3, which asks it for
    one thing: `unseen`, differentiable features of unseen classes.

    `params` maps parameter groups to their trees; each trained group has an optimiser of its own. In an update only the groups
    named for it are differentiated, so a loss needs no stop_gradient for the others.

    A method gives `phases`, `init`, `unseen`, `synthesize`, mostly `fakes`, and, for each update called NAME,
    `NAME_loss(params, inputs)` -> (scalar, terms). The rest has defaults. Terms of a phase must not be named as D3's are ('cls',
    'od', 'be', 'kl', 'distillation') nor 'loss'. A class is made as `Class(sizes, gradient_penalty_weight=..., **options)`, the
    options being those of config.<name>, which config/framework_fields.py lists with their ranges.
    """

    sizes: Sizes
    gradient_penalty_weight: float = 10.0
    output: str = dataclasses.field(default="published", kw_only=True)
    """What its synthesized rows come out of: one of `outputs`, or 'published', the first of these."""

    outputs: ClassVar[tuple[str, ...]] = ("relu", "sigmoid", "linear")
    """What the method's losses allow there, of `networks.OUTPUTS`, the published one first."""
    unit_range: ClassVar[bool] = False
    """Whether its losses take scaled features for numbers in [0, 1], as binary cross-entropy does."""
    unit_semantics: ClassVar[bool] = False
    """Whether the method takes semantics for unit vectors, as config.data.normalize_semantics makes them."""
    unread_fields: ClassVar[tuple[str, ...]] = ()
    """Fields of the configuration, dotted, of those all methods share ('networks.noise'), that mean nothing to the method: to set
    one by hand is told."""
    embedding_groups: ClassVar[tuple[str, ...]] = ()
    """The groups of `embed`, where that is a network of the method, sizes.embedding wide like the teacher's: D3's student then
    shares it. What `fakes` returns must then be features (..., B, dx)."""

    takes_representations: ClassVar[bool] = False
    """Whether real rows are given as `representations.split_rows` takes them: features and a representation (ZeroDiff)."""
    first_stage: ClassVar[str] = ""
    """The name of the method that is trained before this one, on the representations of rows in the place of their features."""
    first_stage_groups: ClassVar[Mapping[str, str]] = {}
    """What is taken from it and frozen: a group of this method -> the group of the first stage that it is."""

    first_stage_options: ClassVar[tuple[str, ...]] = ()
    """Options that both have and that must be equal."""

    @property
    def ends_in(self) -> str:
        """`output`, with the method's own in the place of 'published'."""
        return self.outputs[0] if self.output == "published" else self.output

    @property
    def problem(self) -> str:
        """What is wrong with options that are each in their range, as in 'beta_max=300: why; what to give'; '' if nothing is."""
        return ""

    # What is trained, and how.

    @property
    def passes(self) -> int:
        """Passes over the data in an epoch; those of a method may differ in their phases."""
        return 1

    def phases(self, number: int) -> tuple[Phase, ...]:
        """The phases of an outer step in pass `number` (from 0) of an epoch. Phases and terms have the same names, and phases
        as many repeats, in all passes."""
        raise NotImplementedError

    @functools.cached_property
    def phases_by_pass(self) -> tuple[tuple[Phase, ...], ...]:
        """`phases` of every pass of an epoch."""
        return tuple(self.phases(number) for number in range(self.passes))

    def init(self, key: jax.Array) -> Params:
        """Fresh parameters of every trained group of the method."""
        raise NotImplementedError

    def adam(self, group: str) -> AdamRule:
        """How a group of the method is stepped where the run's settings are not followed."""
        return AdamRule()

    @classmethod
    def torch_layout(cls) -> Layout:
        """How the groups of the method are named in PyTorch's layout, by group; {}: its weights cannot be converted."""
        return {}

    def pretrain(self, key: jax.Array, features: Any, seen_index: Any) -> Params:
        """Further groups, fitted to the real rows (N, dx), which may be HostRows, and their seen indices (N,), then frozen; {} for
        most."""
        return {}

    def pretrain_words(self, rows: int) -> int:
        """Four-byte words that `pretrain` certainly needs at once for so many real rows."""
        return 0

    def initial_state(self) -> Any:
        """What the method keeps besides parameters, a pytree; {} for most."""
        return {}

    def next_state(self, state: Any, terms: dict[str, Terms]) -> Any:
        """That after an outer step, from the terms of its phases; those of repeated phases have a leading axis over the repeats."""
        return state

    def loss(self, name: str, params: Params, inputs: UpdateInputs) -> tuple[jax.Array, Terms]:
        """The scalar loss and the terms of the update called `name`."""
        return getattr(self, f"{name}_loss")(params, inputs)

    # What is synthesized in training.

    @property
    def hidden_per_row(self) -> int:
        """Numbers in the hidden layers that a synthesized row goes through, at the least: what memory is planned by."""
        return self.sizes.generator_hidden

    def unseen_draws(self) -> Draws:
        """The draws that `unseen` needs for a row."""
        return {"unseen_noise": Draw("normal", (self.sizes.noise,))}

    def fakes(self, phase: Phase, params: Params, classes: Classes, batch: Batch, draws: dict[str, jax.Array], state: Any) -> Any:
        """What the losses of a phase compare with the real rows of its batch: features (B, dx) of the same classes, or any pytree;
        () for a method whose losses make that themselves."""
        return ()

    def unseen(self, phase: Phase, params: Params, semantics: jax.Array, n_syn: int, draws: dict[str, jax.Array]) -> jax.Array:
        """Features (M, dx) of unseen classes, M = n_syn u, class-major: all rows of the first class, then the next. Differentiable.

        Args:
            phase: in which they are used.
            params: all groups.
            semantics: (u, da).
            n_syn: rows per class.
            draws: as `unseen_draws` names them, (M, ...), among others.
        """
        raise NotImplementedError

    def make(
        self, phase: Phase, params: Params, classes: Classes, batch: Batch, draws: dict[str, jax.Array], state: Any, n_syn: int
    ) -> tuple[Any, jax.Array]:
        """`fakes` and `unseen` for the unseen classes ((..., 0, dx) where n_syn is 0), which a method may make in one product
        instead of two. Batch, draws and what is returned may have a leading axis over the repeats of a phase that is
        `made_ahead`."""

        def once(batch: Batch, draws: dict[str, jax.Array]) -> tuple[Any, jax.Array]:
            fakes = self.fakes(phase, params, classes, batch, draws, state)
            semantics = classes.semantics[classes.unseen]
            unseen = self.unseen(phase, params, semantics, n_syn, draws) if n_syn else jnp.zeros((0, self.sizes.features))
            return fakes, unseen

        return (jax.vmap(once) if batch.labels.ndim > 1 else once)(batch, draws)

    def embed(self, params: Params, features: jax.Array) -> jax.Array:
        """The method's embedding (n, width) of features (n, dx), where `embedding_groups` names one."""
        raise NotImplementedError

    # What is synthesized after training, and what the final classifier sees.

    def synthesis_draws(self) -> Draws:
        """The draws, all normal, that `synthesize` needs for a row."""
        return {"noise": Draw("normal", (self.sizes.noise,))}

    def synthesize(self, params: Params, semantics: jax.Array, draws: dict[str, jax.Array]) -> jax.Array:
        """Features (n, dx) for semantics (n, da), or (1, da) for rows of one class, and draws (n, ...)."""
        raise NotImplementedError

    def represent(self, params: Params, features: jax.Array) -> jax.Array:
        """What the final classifier sees of features (n, dx): (n, width). The method's embedding, or the features themselves."""
        return self.embed(params, features) if self.embedding_groups else features

    def softmax(self, training: SoftmaxTraining) -> SoftmaxTraining:
        """How the final classifier is fitted, by what the configuration makes of it."""
        return training

    @property
    def real_rows_per_class(self) -> int:
        """Rows of each seen class the final classifier is fitted to: the first ones, from the start again where there are fewer;
        0: every row, once."""
        return 0

    def real_draws(self) -> Draws:
        """The draws that `represent_real` needs for a row."""
        return {}

    def represent_real(self, params: Params, features: jax.Array, draws: dict[str, jax.Array]) -> jax.Array:
        """What the final classifier is fitted to of real rows, if not what `represent` makes of them."""
        return self.represent(params, features)

    def represent_synthesized(self, params: Params, semantics: jax.Array, draws: dict[str, jax.Array]) -> jax.Array:
        """What the final classifier is fitted to of unseen classes, arguments as of `synthesize`: (n, width)."""
        return self.represent(params, self.synthesize(params, semantics, draws))
