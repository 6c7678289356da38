"""CADA-VAE (Schönfeld et al. 2019, arXiv 1812.01784): two variational autoencoders with one latent space, and no adversary."""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp

from d3gzsl_jax.frameworks import networks, vae_networks
from d3gzsl_jax.frameworks.base import Framework
from d3gzsl_jax.frameworks.schedule import AdamRule, Draw, Draws, Phase, Update
from d3gzsl_jax.frameworks.softmax import SoftmaxTraining
from d3gzsl_jax.frameworks.structures import Params, Terms, UpdateInputs
from d3gzsl_jax.frameworks.torch_layout import Layout, linear
from d3gzsl_jax.keys import stream
from d3gzsl_jax.losses.reconstruction import summed_absolute, summed_square
from d3gzsl_jax.losses.variational import distribution_alignment, sample_latent, summed_gaussian_kl, warm_up

GROUPS = ("feature_encoder", "semantic_encoder", "feature_decoder", "semantic_decoder")


@dataclasses.dataclass(frozen=True)
class CADAVAE(Framework):
    """L = R + f_c Rc + f_kl KL + f_d A, sums over batch and dimensions: each input from its own latent (R), each from the other's
    (Rc), both latents against N(0, I), and against each other (A). One update an outer step trains all four networks.

    Attributes:
        latent: k, size of the latents.
        feature_encoder_hidden, semantic_encoder_hidden, feature_decoder_hidden, semantic_decoder_hidden: widths.
        kl_factor, kl_start, kl_end: f_kl rises from 0 at epoch `start` to the factor at epoch `end`; and so on.
        sampler: 'released', z = mu + eps exp(v) with one eps a row; 'described', z = mu + eps exp(v / 2) with eps ~ N(0, I).
        reconstruction: 'l1', sums of absolute differences, or 'l2', of squares.
        seen_rows: real rows of each seen class the final classifier is fitted to.
    """

    outputs: ClassVar[tuple[str, ...]] = ("linear", "relu", "sigmoid")
    unread_fields: ClassVar[tuple[str, ...]] = (
        "networks.noise", "networks.generator_hidden", "networks.critic_hidden", "train.n_critic",
        "train.gradient_penalty_weight", "train.critic_factor",
    )  # fmt: skip

    latent: int = 64
    feature_encoder_hidden: int = 1560
    semantic_encoder_hidden: int = 1450
    feature_decoder_hidden: int = 1660
    semantic_decoder_hidden: int = 665
    kl_factor: float = 0.25
    kl_start: int = 0
    kl_end: int = 93
    cross_factor: float = 2.37
    cross_start: int = 21
    cross_end: int = 75
    distance_factor: float = 8.13
    distance_start: int = 6
    distance_end: int = 22
    sampler: str = "released"
    reconstruction: str = "l1"
    seen_rows: int = 200

    @property
    def encoders(self) -> dict[str, vae_networks.LatentEncoder]:
        """E_x and E_a, by group."""
        widths = {"feature_encoder": self.feature_encoder_hidden, "semantic_encoder": self.semantic_encoder_hidden}
        return {group: vae_networks.LatentEncoder(width=width, latent=self.latent) for group, width in widths.items()}

    @property
    def decoders(self) -> dict[str, vae_networks.LatentDecoder]:
        """D_x and D_a, by group."""
        return {
            "feature_decoder": vae_networks.LatentDecoder(
                width=self.feature_decoder_hidden, outputs=self.sizes.features, ends_in=self.ends_in
            ),
            "semantic_decoder": vae_networks.LatentDecoder(width=self.semantic_decoder_hidden, outputs=self.sizes.semantics),
        }

    @property
    def _noise(self) -> Draw:
        """eps of a row."""
        return Draw("normal", (1,) if self.sampler == "released" else (self.latent,))

    def phases(self, number: int) -> tuple[Phase, ...]:
        """'autoencoders', once, each time on a new batch."""
        draws = {"features": self._noise, "semantics": self._noise}
        return (Phase("autoencoders", (Update("autoencoders", GROUPS),), draws, repeats=1),)

    def init(self, key: jax.Array) -> Params:
        """Fresh parameters of both encoders and both decoders."""
        x, a, z = (jnp.zeros((1, n)) for n in (self.sizes.features, self.sizes.semantics, self.latent))
        inputs = dict(zip(GROUPS, (x, a, z, z), strict=True))
        return {group: net.init(stream(key, group), inputs[group]) for group, net in (self.encoders | self.decoders).items()}

    @classmethod
    def torch_layout(cls) -> Layout:
        """Encoders and decoders, their kind before what they are of."""
        encoder = lambda of: linear(hidden=f"{of}/fc1", mean=f"{of}/mu", log_variance=f"{of}/logvar")  # noqa: E731
        decoder = lambda of: linear(hidden=f"{of}/fc1", output=f"{of}/fc2")  # noqa: E731
        return {
            "feature_encoder": encoder("encoder_features"), "semantic_encoder": encoder("encoder_semantics"),
            "feature_decoder": decoder("decoder_features"), "semantic_decoder": decoder("decoder_semantics"),
        }  # fmt: skip

    def adam(self, group: str) -> AdamRule:
        """AMSGrad, with first moments that decay at 0.9."""
        return AdamRule(beta1=0.9, amsgrad=True)

    def encode(self, params: Params, group: str, inputs: jax.Array) -> tuple[jax.Array, jax.Array]:
        """Mean and log-variance (n, k) of the latents of features (n, dx) or semantics (n, da)."""
        with jax.named_scope(group):
            return networks.apply(self.encoders[group], params[group], inputs)

    def decode(self, params: Params, group: str, latent: jax.Array) -> jax.Array:
        """Features or semantics of latents (n, k)."""
        with jax.named_scope(group):
            return networks.apply(self.decoders[group], params[group], latent)

    def sample(self, mean: jax.Array, log_variance: jax.Array, noise: jax.Array) -> jax.Array:
        """Latents (n, k), as `sampler` says."""
        return sample_latent(mean, log_variance, noise, "variance" if self.sampler == "released" else "deviation")

    def autoencoders_loss(self, params: Params, inputs: UpdateInputs) -> tuple[jax.Array, Terms]:
        """L with the terms 'reconstruction', 'cross_reconstruction', 'kl_prior' and 'distance', unweighted."""
        batch = inputs.batch
        given = batch.features, inputs.classes.semantics[batch.labels]
        of_x = self.encode(params, "feature_encoder", given[0])
        of_a = self.encode(params, "semantic_encoder", given[1])
        z_x, z_a = self.sample(*of_x, inputs.draws["features"]), self.sample(*of_a, inputs.draws["semantics"])
        # Each decoder sees both latents in one product: its own input's, then the other's.
        pairs = (("feature_decoder", z_x, z_a), ("semantic_decoder", z_a, z_x))
        error = summed_absolute if self.reconstruction == "l1" else summed_square
        own, cross = [], []
        for (group, first, second), target in zip(pairs, given, strict=True):
            decoded = self.decode(params, group, jnp.concatenate([first, second]))
            own.append(error(decoded[: len(target)], target))
            cross.append(error(decoded[len(target) :], target))
        terms = {
            "reconstruction": own[0] + own[1], "cross_reconstruction": cross[0] + cross[1],
            "kl_prior": summed_gaussian_kl(*of_x) + summed_gaussian_kl(*of_a), "distance": distribution_alignment(*of_x, *of_a),
        }  # fmt: skip
        loss = terms["reconstruction"]
        for name, start in (("kl_prior", "kl"), ("cross_reconstruction", "cross"), ("distance", "distance")):
            loss = loss + self.factor(start, inputs.epoch) * terms[name]
        return loss, terms

    def factor(self, name: str, epoch: jax.Array | int) -> jax.Array:
        """f of 'kl', 'cross' or 'distance' in an epoch, () float32."""
        factor, start, end = (getattr(self, f"{name}_{part}") for part in ("factor", "start", "end"))
        return warm_up(epoch, factor, start, end)

    @property
    def hidden_per_row(self) -> int:
        """D_x's hidden layer."""
        return self.feature_decoder_hidden

    def unseen_draws(self) -> Draws:
        """eps."""
        return {"unseen_noise": self._noise}

    def unseen(self, phase: Phase, params: Params, semantics: jax.Array, n_syn: int, draws: dict[str, jax.Array]) -> jax.Array:
        """D_x(z), z drawn from E_a(a): the gradient reaches both."""
        mean, log_variance = (jnp.repeat(part, n_syn, axis=0) for part in self.encode(params, "semantic_encoder", semantics))
        return self.decode(params, "feature_decoder", self.sample(mean, log_variance, draws["unseen_noise"]))

    def synthesis_draws(self) -> Draws:
        """eps."""
        return {"noise": self._noise}

    def synthesize(self, params: Params, semantics: jax.Array, draws: dict[str, jax.Array]) -> jax.Array:
        """D_x(z), z drawn from E_a(a)."""
        return self.decode(params, "feature_decoder", self.represent_synthesized(params, semantics, draws))

    def represent(self, params: Params, features: jax.Array) -> jax.Array:
        """mu_x: (n, k)."""
        return self.encode(params, "feature_encoder", features)[0]

    def softmax(self, training: SoftmaxTraining) -> SoftmaxTraining:
        """Weights as those of the other networks; batches of whole shuffles, whose last rows are left out."""
        return dataclasses.replace(training, initial="xavier", drops_last=True)

    @property
    def real_rows_per_class(self) -> int:
        """`seen_rows`."""
        return self.seen_rows

    def real_draws(self) -> Draws:
        """eps."""
        return {"noise": self._noise}

    def represent_real(self, params: Params, features: jax.Array, draws: dict[str, jax.Array]) -> jax.Array:
        """z drawn from E_x(x)."""
        return self.sample(*self.encode(params, "feature_encoder", features), draws["noise"])

    def represent_synthesized(self, params: Params, semantics: jax.Array, draws: dict[str, jax.Array]) -> jax.Array:
        """z drawn from E_a(a)."""
        return self.sample(*self.encode(params, "semantic_encoder", semantics), draws["noise"])
