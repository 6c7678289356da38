"""A generator that takes the noise off rows of a diffusion, and critics on both sides of it: what both stages of ZeroDiff share."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from d3gzsl_jax.frameworks import vae_networks, wgan_gp
from d3gzsl_jax.frameworks.base import Framework
from d3gzsl_jax.frameworks.class_rows import once_per_class, take_rows
from d3gzsl_jax.frameworks.diffusion import Diffusion, time_embedding
from d3gzsl_jax.frameworks.diffusion_networks import ConditionedCritic, ConditionedGenerator
from d3gzsl_jax.frameworks.networks import apply
from d3gzsl_jax.frameworks.schedule import AdamRule, Draw, Draws, Phase
from d3gzsl_jax.frameworks.structures import Batch, Classes, Params, UpdateInputs
from d3gzsl_jax.frameworks.torch_layout import Leaves, linear, split
from d3gzsl_jax.keys import stream
from d3gzsl_jax.losses.adversarial import generator_adversarial_loss

Input: TypeAlias = jax.Array | Callable[[Callable[[jax.Array], jax.Array]], jax.Array]
"""An input of a network, (..., d); or, where rows share it, a function that is given what the network's first layer does to an
input and returns the term (..., hidden) of every row."""


class Denoised(NamedTuple):
    """What a phase compares: rows x (..., B, d), x_t and x_{t+1} of them, the generator's x~, and x~_t drawn of it;
    representations, and mean and log-variance of the latents, where there are any."""

    rows: jax.Array
    noised: jax.Array
    further: jax.Array
    fake: jax.Array
    fake_noised: jax.Array
    representation: jax.Array | None = None
    mean: jax.Array | None = None
    log_variance: jax.Array | None = None


class Judged(NamedTuple):
    """What critics say of a batch, by name: D(x) - D(x~) of each row (B,), its mean, and the gradient penalty ()."""

    rows: dict[str, jax.Array]
    wasserstein: dict[str, jax.Array]
    penalty: dict[str, jax.Array]


@dataclasses.dataclass(frozen=True)
class DenoisingGAN(Framework):
    """Networks, draws and verdicts; what builds on it gives phases, rows and losses. A critic called NAME is the group critic_NAME.

    Attributes:
        timesteps: T, levels of noise.
        beta_min, beta_max: rate of the noise in the beginning and in the end.
        weight_x0, weight_xt: gamma_0 and gamma_t, of the critic of rows and of the critic of rows at a noise level.
        decoder_learning_rate: of the semantic decoder.
        embedding_width: of the embeddings of levels and representations in every network; 0: as wide as semantics.
    """

    unit_semantics: ClassVar[bool] = True
    outputs: ClassVar[tuple[str, ...]] = ("sigmoid",)
    unit_range: ClassVar[bool] = True
    judged: ClassVar[Mapping[str, tuple[str, str]]] = {"x0": ("rows", "fake"), "xt": ("noised", "fake_noised")}
    """By critic, the real and the synthesized rows it tells apart, as `Denoised` names them."""
    inputs: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """By group of the generator and the critics, the inputs of the network in the order of the published code."""

    timesteps: int = 4
    beta_min: float = 0.1
    beta_max: float = 20.0
    weight_x0: float = 1.0
    weight_xt: float = 1.0
    decoder_learning_rate: float = 1e-4
    embedding_width: int = 0

    @property
    def diffusion(self) -> Diffusion:
        """The noise of each level."""
        return Diffusion(self.timesteps, self.beta_min, self.beta_max)

    @property
    def problem(self) -> str:
        """What is wrong with the diffusion."""
        return self.diffusion.problem()

    @property
    def embedded(self) -> int:
        """Width of the embedded inputs."""
        return self.embedding_width or self.sizes.semantics

    @property
    def critic_weights(self) -> dict[str, float]:
        """By critic, how much it counts."""
        return {"x0": self.weight_x0, "xt": self.weight_xt}

    # Networks.

    @property
    def decoder(self) -> vae_networks.SemanticDecoder:
        """S at the sizes of this method."""
        return vae_networks.SemanticDecoder(width=self.sizes.generator_hidden, semantics=self.sizes.semantics)

    def network(self, group: str) -> ConditionedGenerator | ConditionedCritic:
        """The network of a group of `inputs` at the sizes of this method."""
        sizes, inputs = self.sizes, self.inputs[group]
        if group == "generator":
            return ConditionedGenerator(
                hidden=sizes.generator_hidden, inputs=inputs, embedding=self.embedded, features=sizes.features
            )
        return ConditionedCritic(hidden=sizes.critic_hidden, inputs=inputs, embedding=self.embedded)

    def init(self, key: jax.Array) -> Params:
        """Fresh parameters of generator, critics and 'decoder'."""
        sizes = self.sizes
        widths = {
            "features": sizes.features, "noised": sizes.features, "semantics": sizes.semantics, "level": self.embedded,
            "noise": sizes.noise, "representation": sizes.representation,
        }  # fmt: skip
        zeros = {name: jnp.zeros((1, width)) for name, width in widths.items()}
        made = {
            group: self.network(group).init(stream(key, group), *(zeros[name] for name in inputs))
            for group, inputs in self.inputs.items()
        }
        return made | {"decoder": self.decoder.init(stream(key, "decoder"), zeros["features"])}

    @classmethod
    def layout_of(cls, group: str, network: str) -> Leaves:
        """A group of `inputs` in PyTorch's layout, where it is called `network`."""
        layers = {"level": "time_embed", "representation": "con_emb_layers"}
        embedded = {
            f"{name}_embedding__{ours}": f"{network}/{layers[name]}.model.{theirs}"
            for name in cls.inputs[group] if name in layers for ours, theirs in (("hidden", 0), ("output", 2))
        }  # fmt: skip
        return *linear(**embedded), *split(network, cls.inputs[group])

    @classmethod
    def torch_layout(cls) -> dict[str, Leaves]:
        """Generator, critics and decoder; the layers are named as in the published ZeroDiff."""
        own = {group: cls.layout_of(group, group) for group in cls.inputs}
        return own | {"decoder": linear(hidden="decoder/fc1", output="decoder/fc3")}

    def adam(self, group: str) -> AdamRule:
        """The decoder has a learning rate of its own."""
        return AdamRule(learning_rate=self.decoder_learning_rate) if group == "decoder" else AdamRule()

    def decode(self, params: Params, features: jax.Array) -> tuple[jax.Array, jax.Array]:
        """S(x) and s(x): unit rows (n, da) and the hidden layer (n, hidden)."""
        with jax.named_scope("decoder"):
            return apply(self.decoder, params["decoder"], features)

    def terms(self, params: Params, group: str, given: Mapping[str, Input], names: tuple[str, ...]) -> jax.Array:
        """The sum (..., hidden) of the terms of these inputs in the first layer of a group's network."""

        def term(name: str) -> jax.Array:
            of = lambda x: apply(self.network(group), params[group], name, x, method="term")  # noqa: E731
            value = given[name]
            return value(of) if callable(value) else of(value)

        first, *rest = (term(name) for name in names)
        return sum(rest, first)

    def level(self, of: jax.Array | int) -> Input:
        """The level input of rows (...), t in 0..T-1, or of all rows alike: a network sees each level once."""
        if isinstance(of, int):
            return lambda term: term(jnp.asarray(self._levels[of : of + 1]))
        return lambda term: take_rows(self.every_level(term), of.reshape(-1)).reshape(*of.shape, -1)

    def every_level(self, term: Callable[[jax.Array], jax.Array]) -> jax.Array:
        """The level input of levels 0..T-1 once each: (T, hidden)."""
        return term(jnp.asarray(self._levels))

    @property
    def _levels(self) -> np.ndarray:
        return time_embedding(self.timesteps, self.embedded)

    def generate(self, params: Params, given: Mapping[str, Input]) -> jax.Array:
        """The generator on its inputs: (..., d)."""
        with jax.named_scope("generator"):
            terms = self.terms(params, "generator", given, self.inputs["generator"])
            return apply(self.network("generator"), params["generator"], terms, method="output_of")

    # Rows.

    def draws_of(self, critics: bool) -> Draws:
        """Of both phases: what latents, levels and noised rows are made of; with `critics`, shares of real rows in interpolates."""
        row = Draw("normal", (self.sizes.features,))
        draws = {
            "latent": Draw("normal", (self.sizes.noise,)), "timestep": Draw("integers", high=self.timesteps), "step": row,
            "diffuse": row, "posterior": row,
        }  # fmt: skip
        return draws | ({f"interpolation_{name}": Draw("uniform", (1,)) for name in self.judged} if critics else {})

    def denoise(
        self, params: Params, classes: Classes, batch: Batch, rows: jax.Array, latent: jax.Array, draws: dict[str, jax.Array],
        representation: jax.Array | None = None,
    ) -> Denoised:
        """Rows (..., B, d) of a batch at a level and one above, and what the generator makes of that with latents (..., B, dz)."""
        level = draws["timestep"]
        noised, further = self.diffusion.pair(rows, level, draws["diffuse"], draws["step"])
        given = {
            "noise": latent, "semantics": of_classes(classes, batch.labels), "level": self.level(level),
            "noised": self.generator_sees(noised, further),
        }  # fmt: skip
        fake = self.generate(params, given if representation is None else given | {"representation": representation})
        fake_noised = self.diffusion.posterior(fake, further, level, draws["posterior"])
        return Denoised(rows, noised, further, fake, fake_noised, representation)

    def generator_sees(self, noised: jax.Array, further: jax.Array) -> jax.Array:
        """Which of x_t and x_{t+1} the generator is given."""
        return further

    def make(
        self, phase: Phase, params: Params, classes: Classes, batch: Batch, draws: dict[str, jax.Array], state: Any, n_syn: int
    ) -> tuple[Any, jax.Array]:
        """As the default; what the rows of all repeats share is computed once."""
        fakes = self.fakes(phase, params, classes, batch, draws, state)
        if not n_syn:
            return fakes, jnp.zeros((*batch.labels.shape[:-1], 0, self.sizes.features))
        unseen = lambda draws: self.unseen(phase, params, classes.semantics[classes.unseen], n_syn, draws)  # noqa: E731
        return fakes, (jax.vmap(unseen) if batch.labels.ndim > 1 else unseen)({name: draws[name] for name in self.unseen_draws()})

    # Verdicts.

    def condition(self, params: Params, name: str, inputs: UpdateInputs) -> jax.Array:
        """What the first layer of a critic has of all but the rows it judges, (B, hidden): real and synthesized ones share it."""
        made, group = inputs.fakes, f"critic_{name}"
        given = {
            "semantics": of_classes(inputs.classes, inputs.batch.labels), "level": self.level(inputs.draws["timestep"]),
            "noised": made.further, "representation": made.representation,
        }  # fmt: skip
        return self.terms(params, group, given, self.inputs[group][1:])

    def judge(self, params: Params, inputs: UpdateInputs) -> Judged:
        """All critics on real rows, synthesized ones and interpolates between them."""
        found = Judged({}, {}, {})
        for name, (real, fake) in self.judged.items():
            with jax.named_scope(f"critic_{name}"):
                rows = getattr(inputs.fakes, real), getattr(inputs.fakes, fake)
                found.rows[name], found.penalty[name] = wgan_gp.critic_differences(
                    params[f"critic_{name}"], self.condition(params, name, inputs), *rows, inputs.draws[f"interpolation_{name}"]
                )
            found.wasserstein[name] = jnp.mean(found.rows[name])
        return found

    def verdicts(self, params: Params, inputs: UpdateInputs) -> dict[str, jax.Array]:
        """By critic, - mean D of the synthesized rows, which the generator minimises."""
        found = {}
        for name, (_, fake) in self.judged.items():
            group = f"critic_{name}"
            with jax.named_scope(group):
                terms = self.terms(params, group, {"features": getattr(inputs.fakes, fake)}, ("features",))
                terms = terms + self.condition(params, name, inputs)
                found[name] = generator_adversarial_loss(apply(self.network(group), params[group], terms, method="output_of"))
        return found

    def weighted(self, by_critic: dict[str, jax.Array]) -> jax.Array:
        """The sum over critics, each with its weight."""
        return jnp.sum(jnp.stack([weight * by_critic[name] for name, weight in self.critic_weights.items()]))


def of_classes(classes: Classes, labels: jax.Array) -> Input:
    """The semantics of rows of seen classes, by their ids (...)."""
    return lambda term: once_per_class(term, classes, labels)


def repeated(semantics: jax.Array, count: int) -> Input:
    """Semantics (u, da), each for so many rows after one another."""
    return lambda term: jnp.repeat(term(semantics), count, axis=0)
