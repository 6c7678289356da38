"""ZeroDiff (Ye et al. 2025, arXiv 2406.02929), its second stage, called DFG there: features from semantics and representations."""

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from d3gzsl_jax.frameworks import adaptive_penalty, vae_networks
from d3gzsl_jax.frameworks.denoising_gan import Denoised, DenoisingGAN, Input, repeated
from d3gzsl_jax.frameworks.networks import apply
from d3gzsl_jax.frameworks.representations import split_rows
from d3gzsl_jax.frameworks.schedule import AdamRule, Draw, Draws, Phase, Update
from d3gzsl_jax.frameworks.structures import Batch, Classes, Params, Terms, UpdateInputs
from d3gzsl_jax.frameworks.torch_layout import Leaves, linear
from d3gzsl_jax.frameworks.zerodiff_representation import ZeroDiffRepresentation, terms_of
from d3gzsl_jax.keys import stream
from d3gzsl_jax.losses.mutual_learning import mutual_learning
from d3gzsl_jax.losses.reconstruction import binary_cross_entropy, semantic_reconstruction
from d3gzsl_jax.losses.variational import gaussian_kl, sample_latent

FROZEN = "representation"
"""The frozen group: the generator R of the first stage."""


@dataclasses.dataclass(frozen=True)
class ZeroDiff(DenoisingGAN):
    """With x~ = G(z, a, r, x_{t+1}, t), z of the encoder E, and x~_t drawn of it:
    L_D = w_rec WL1(S(x), a) + gamma (the sum over the critics D_0(x, a), D_t(x_t, x_{t+1}, a, r, t) and D_c(x, r) of WGAN-GP, each
    with its weight) + w_mutual mutual learning of the three;
    L_G = w_VAE (BCE(x~, x) + KL) - gamma (mean D_0 + mean D_t + mean D_c, weighted) + w_rec WL1(S(x~), a).

    Attributes:
        weight_adversarial: gamma.
        weight_vae: w_VAE, of reconstruction error and KL.
        weight_semantic: w_rec.
        weight_mutual: w_mutual, of what the critics learn from one another.
        mutual_exponent: D_t counts there by A_t to this power, A_t what is left of a row at its noise level.
        penalty_rule: 'released', the weight of the gradient penalty is 1.1 times larger or smaller after each outer step, by the
            mean penalty of its critic updates (see losses/penalty_weight.py); 'described', it stays what it was.
        semantic_loss: see `losses.reconstruction.semantic_reconstruction`.
        freeze_decoder: whether the decoder rests in the generator phase.
        synthesis, unseen_sampling: how rows of unseen classes are made, for the final classifier and for D3: 'single', from pure
            noise in one evaluation of G; 'progressive', in T of them, a level each.
        classifier_inputs: what the final classifier sees: any of v, x; s, [S(x), s(x)]; c, r; in this order.
        representation_epochs: of the first stage; 0: as many as of this one.
        representation_run: folder of an earlier run whose first stage is used; '': it is trained.
    """

    takes_representations: ClassVar[bool] = True
    first_stage: ClassVar[str] = "zerodiff_representation"
    first_stage_groups: ClassVar[Mapping[str, str]] = {FROZEN: "generator"}
    first_stage_options: ClassVar[tuple[str, ...]] = ("timesteps", "embedding_width")
    judged: ClassVar[Mapping[str, tuple[str, str]]] = {**DenoisingGAN.judged, "xc": ("rows", "fake")}
    inputs: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "generator": ("noise", "semantics", "representation", "noised", "level"),
        "critic_x0": ("features", "semantics"),
        "critic_xt": ("features", "noised", "semantics", "representation", "level"),
        "critic_xc": ("features", "representation"),
    }

    weight_adversarial: float = 10.0
    weight_vae: float = 1.0
    weight_semantic: float = 1.0
    weight_mutual: float = 5.0
    mutual_exponent: float = 1.5
    penalty_rule: str = "released"
    semantic_loss: str = "released"
    freeze_decoder: bool = True
    synthesis: str = "single"
    unseen_sampling: str = "single"
    classifier_inputs: str = "vcs"
    representation_epochs: int = 0
    representation_run: str = ""

    @property
    def critic_weights(self) -> dict[str, float]:
        """By critic, how much it counts beside the others."""
        return {**super().critic_weights, "xc": 1.0}

    @property
    def encoder(self) -> vae_networks.FeatureEncoder:
        """E at the sizes of this method."""
        return vae_networks.FeatureEncoder(width=self.sizes.generator_hidden, latent=self.sizes.noise)

    @property
    def first(self) -> ZeroDiffRepresentation:
        """The first stage, whose generator makes representations."""
        sizes = dataclasses.replace(self.sizes, features=self.sizes.representation)
        return ZeroDiffRepresentation(sizes, timesteps=self.timesteps, embedding_width=self.embedding_width)

    def phases(self, number: int) -> tuple[Phase, ...]:
        """'critic', n_critic times, which trains all critics and the decoder, then 'generator', which trains the encoder too."""
        critics = Update("critic", ("critic_x0", "critic_xt", "critic_xc", "decoder"))
        generator = Update("generator", ("generator", "encoder") + ("decoder",) * (not self.freeze_decoder))
        return (
            Phase("critic", (critics,), self.draws_of(critics=True), made_ahead=True),
            Phase("generator", (generator,), self.draws_of(critics=False), new_batch=False),
        )

    def init(self, key: jax.Array) -> Params:
        """Fresh parameters of 'encoder', 'generator', 'critic_x0', 'critic_xt', 'critic_xc' and 'decoder'."""
        x, a = (jnp.zeros((1, n)) for n in (self.sizes.features, self.sizes.semantics))
        return super().init(key) | {"encoder": self.encoder.init(stream(key, "encoder"), x, a)}

    @classmethod
    def torch_layout(cls) -> dict[str, Leaves]:
        """The encoder and the frozen generator of representations besides."""
        encoder = linear(
            hidden="encoder/fc1", latent_hidden="encoder/fc2", mean="encoder/linear_means", log_variance="encoder/linear_log_var"
        )
        return super().torch_layout() | {"encoder": encoder, FROZEN: ZeroDiffRepresentation.layout_of("generator", FROZEN)}

    def adam(self, group: str) -> AdamRule:
        """The encoder's first moment decays at 0.9, whatever the others' does."""
        return AdamRule(beta1=0.9) if group == "encoder" else super().adam(group)

    def initial_state(self) -> dict[str, jax.Array]:
        """'penalty_exponent' () int32, k: the penalty's weight is gradient_penalty_weight 1.1^k."""
        return adaptive_penalty.initial_state()

    def next_state(self, state: Any, terms: dict[str, Terms]) -> Any:
        """k, adapted to the mean over the critic updates of the weighted sum of the three penalties."""
        return adaptive_penalty.next_state(state, terms, self.penalty_rule)

    def fakes(
        self, phase: Phase, params: Params, classes: Classes, batch: Batch, draws: dict[str, jax.Array], state: Any
    ) -> Denoised:
        """x~ = G(z, a, r, x_{t+1}, t), z of the encoder and r the rows' own, and x~_t."""
        rows, representation = split_rows(params, batch.features, self.sizes.features)
        with jax.named_scope("encoder"):
            mean, log_variance = apply(self.encoder, params["encoder"], rows, classes.semantics[batch.labels])
        latent = sample_latent(mean, log_variance, draws["latent"])
        made = self.denoise(params, classes, batch, rows, latent, draws, representation)
        return made if phase.name == "critic" else made._replace(mean=mean, log_variance=log_variance)

    def critic_loss(self, params: Params, inputs: UpdateInputs) -> tuple[jax.Array, Terms]:
        """L_D with the terms 'semantic_real' and 'mutual' (weighted), 'gradient_penalty' (weighted, but for gamma), 'penalty' (the
        sum over the critics without that weight), 'penalty_weight', and of each critic 'wasserstein_*' and 'penalty_*'."""
        found = self.judge(params, inputs)
        semantic = self.weight_semantic * self._semantic_loss(params, inputs, inputs.fakes.rows)
        certainty = self.diffusion.signal_at(inputs.draws["timestep"]) ** self.mutual_exponent
        mutual = self.weight_mutual * mutual_learning(found.rows["x0"], found.rows["xt"], found.rows["xc"], certainty)
        penalty, weight = self.weighted(found.penalty), adaptive_penalty.weight(self.gradient_penalty_weight, inputs.state)
        terms = {
            "semantic_real": semantic, "mutual": mutual, "gradient_penalty": weight * penalty, "penalty": penalty,
            "penalty_weight": weight,
        }  # fmt: skip
        loss = semantic + mutual + self.weight_adversarial * (weight * penalty - self.weighted(found.wasserstein))
        return loss, terms | terms_of(found.wasserstein, "wasserstein") | terms_of(found.penalty, "penalty")

    def generator_loss(self, params: Params, inputs: UpdateInputs) -> tuple[jax.Array, Terms]:
        """L_G with the terms 'reconstruction', 'kl_prior', 'semantic_fake' and 'adversarial_*' of each critic, all unweighted."""
        made = inputs.fakes
        reconstruction, divergence = binary_cross_entropy(made.fake, made.rows), gaussian_kl(made.mean, made.log_variance)
        found, semantic = self.verdicts(params, inputs), self._semantic_loss(params, inputs, made.fake)
        loss = self.weight_vae * (reconstruction + divergence) + self.weight_adversarial * self.weighted(found)
        terms = {"reconstruction": reconstruction, "kl_prior": divergence, "semantic_fake": semantic}
        return loss + self.weight_semantic * semantic, terms | terms_of(found, "adversarial")

    def _semantic_loss(self, params: Params, inputs: UpdateInputs, features: jax.Array) -> jax.Array:
        predicted = self.decode(params, features)[0]
        return semantic_reconstruction(predicted, inputs.classes.semantics[inputs.batch.labels], self.semantic_loss)

    # What is synthesized for unseen classes.

    def _row_draws(self, sampling: str) -> Draws:
        """z and x_T, z and n of the representation and, for rows made level by level, the noise of each, the last first."""
        sizes = self.sizes
        draws = {
            "noise": Draw("normal", (sizes.noise,)), "noised": Draw("normal", (sizes.features,)),
            "representation_noise": Draw("normal", (sizes.noise,)),
            "representation_noised": Draw("normal", (sizes.representation,)),
        }  # fmt: skip
        return draws if sampling == "single" else draws | {"posterior": Draw("normal", (self.timesteps, sizes.features))}

    def sample(
        self, params: Params, semantics: Input, draws: dict[str, jax.Array], sampling: str
    ) -> tuple[jax.Array, jax.Array]:
        """Features (n, dx) and the representations (n, dr) they are made with, which carry no gradient."""
        made = self.first.sample(
            {"generator": params[FROZEN]}, semantics, draws["representation_noise"], draws["representation_noised"]
        )
        representation = jax.lax.stop_gradient(made)
        given: dict[str, Input] = {"noise": draws["noise"], "semantics": semantics, "representation": representation}
        if sampling == "single":
            last = self.timesteps - 1
            return self.generate(params, given | {"noised": draws["noised"], "level": self.level(last)}), representation
        return self._progressive(params, given, draws), representation

    def _progressive(self, params: Params, given: dict[str, Input], draws: dict[str, jax.Array]) -> jax.Array:
        """From x_T down: x^ = G(z, a, r, x_{t+1}, t), x_t drawn of it; the last x^. What the levels share is computed once."""
        names = tuple(name for name in self.inputs["generator"] if name not in ("noised", "level"))
        shared = self.terms(params, "generator", given, names)
        levels = self.terms(params, "generator", {"level": self.every_level}, ("level",))
        start = draws["noised"]

        def evaluate(carry: tuple[jax.Array, jax.Array], of: tuple[jax.Array, ...]) -> tuple[tuple[jax.Array, jax.Array], None]:
            (noised, _), (number, level, noise) = carry, of
            own = self.terms(params, "generator", {"noised": noised}, ("noised",)) + level
            rows = apply(self.network("generator"), params["generator"], shared + own, method="output_of")
            return (self.diffusion.posterior(rows, noised, number, noise), rows), None

        down = jnp.arange(self.timesteps)[::-1], levels[::-1, None], jnp.moveaxis(draws["posterior"], -2, 0)
        (_, rows), _ = jax.lax.scan(evaluate, (start, start), down)
        return rows

    def unseen_draws(self) -> Draws:
        """As of synthesis, by `unseen_sampling`."""
        return {f"unseen_{name}": draw for name, draw in self._row_draws(self.unseen_sampling).items()}

    def unseen(self, phase: Phase, params: Params, semantics: jax.Array, n_syn: int, draws: dict[str, jax.Array]) -> jax.Array:
        """G(z, a, r, x_T, T - 1), r a constant."""
        own = {name: draws[f"unseen_{name}"] for name in self._row_draws(self.unseen_sampling)}
        return self.sample(params, repeated(semantics, n_syn), own, self.unseen_sampling)[0]

    def synthesis_draws(self) -> Draws:
        """z, x_T, z and n of the representation, and what `synthesis` takes besides."""
        return self._row_draws(self.synthesis)

    def synthesize(self, params: Params, semantics: jax.Array, draws: dict[str, jax.Array]) -> jax.Array:
        """G(z, a, r, x_T, T - 1), or the last of T evaluations."""
        return self.sample(params, semantics, draws, self.synthesis)[0]

    def represent(self, params: Params, features: jax.Array) -> jax.Array:
        """What `classifier_inputs` names of x, [S(x), s(x)] and r: (n, width)."""
        return self._classified(params, *split_rows(params, features, self.sizes.features))

    def represent_synthesized(self, params: Params, semantics: jax.Array, draws: dict[str, jax.Array]) -> jax.Array:
        """The same, r being the one that the features are made with."""
        return self._classified(params, *self.sample(params, semantics, draws, self.synthesis))

    def _classified(self, params: Params, features: jax.Array, representation: jax.Array) -> jax.Array:
        parts = [features] if "v" in self.classifier_inputs else []
        parts += self.decode(params, features) if "s" in self.classifier_inputs else ()
        parts += [representation] if "c" in self.classifier_inputs else []
        return jnp.concatenate(parts, axis=-1)
