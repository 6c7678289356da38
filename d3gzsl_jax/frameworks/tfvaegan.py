"""TF-VAEGAN (Narayan et al. 2020, arXiv 2003.07833): f-VAEGAN-D2, a decoder of semantics, and its feedback to the generator."""

import dataclasses

import jax
import jax.numpy as jnp

from d3gzsl_jax.frameworks import networks, vae_networks
from d3gzsl_jax.frameworks.conditional_vaegan import ConditionalVAEGAN
from d3gzsl_jax.frameworks.schedule import AdamRule, Phase, Update
from d3gzsl_jax.frameworks.structures import Params, Terms, UpdateInputs
from d3gzsl_jax.frameworks.torch_layout import Layout, linear
from d3gzsl_jax.keys import stream
from d3gzsl_jax.losses.reconstruction import semantic_reconstruction


@dataclasses.dataclass(frozen=True)
class TFVAEGAN(ConditionalVAEGAN):
    """As f-VAEGAN-D2, with weight_semantic * WL1(S(x~), a) added to L_EG and a step of the decoder S before each of the critic's.
    Passes 1, 3, ... of an epoch refine rows by feedback: R(z, a; w) = G(z, a, w F(s(G(z, a)))), s the decoder's hidden layer,
    through which nothing is learned.

    Attributes:
        feedback_loop: passes over the data in an epoch; the published code has two, the second with feedback.
        weight_semantic: w_rec.
        feedback_training, feedback_synthesis: a_1 and a_2, the weight w of the feedback in training and in synthesis.
        feedback_learning_rate, decoder_learning_rate: of F and of S.
        freeze_decoder: whether the decoder rests in the generator phase.
        prior_feedback: where the feedback to rows from the prior comes from in the generator phase: 'released', the refined
            reconstruction; 'described', a first pass on the same latent.
        semantic_loss: see `losses.reconstruction.semantic_reconstruction`.
    """

    feedback_loop: int = 2
    weight_semantic: float = 0.01
    feedback_training: float = 1.0
    feedback_synthesis: float = 1.0
    feedback_learning_rate: float = 1e-5
    decoder_learning_rate: float = 1e-4
    freeze_decoder: bool = False
    prior_feedback: str = "released"
    semantic_loss: str = "released"

    @property
    def passes(self) -> int:
        """As many as config.tfvaegan.feedback_loop says."""
        return self.feedback_loop

    @property
    def decoder(self) -> vae_networks.SemanticDecoder:
        """S at the sizes of this method; its hidden layer is as wide as the generator's."""
        return vae_networks.SemanticDecoder(width=self.sizes.generator_hidden, semantics=self.sizes.semantics)

    @property
    def feedback(self) -> vae_networks.Feedback:
        """F at the sizes of this method."""
        return vae_networks.Feedback(width=self.sizes.generator_hidden)

    def phases(self, number: int) -> tuple[Phase, ...]:
        """'critic', n_critic times, decoder before critic; then 'generator'. F is trained in the passes that use it."""
        refines = number % 2 == 1
        groups = ("generator", "encoder") + ("feedback",) * refines + ("decoder",) * (not self.freeze_decoder)
        updates = (Update("decoder", ("decoder",), distilled=False), Update("critic", ("critic",)))
        return (
            # With feedback what is synthesized hangs on the decoder, which is trained in between.
            Phase("critic", updates, self.critic_draws, made_ahead=not refines, number=number % 2),
            Phase("generator", (Update("generator", groups),), self.generator_draws, new_batch=False, number=number % 2),
        )

    def init(self, key: jax.Array) -> Params:
        """Fresh parameters of 'encoder', 'generator', 'critic', 'decoder' and 'feedback'."""
        return super().init(key) | {
            "decoder": self.decoder.init(stream(key, "decoder"), jnp.zeros((1, self.sizes.features))),
            "feedback": self.feedback.init(stream(key, "feedback"), jnp.zeros((1, self.sizes.generator_hidden))),
        }

    @classmethod
    def torch_layout(cls) -> Layout:
        """Decoder and feedback besides."""
        own = {
            "decoder": linear(hidden="decoder/fc1", output="decoder/fc3"),
            "feedback": linear(hidden="feedback/fc1", output="feedback/fc2"),
        }
        return {**super().torch_layout(), **own}

    def adam(self, group: str) -> AdamRule:
        """Decoder and feedback have learning rates of their own."""
        rates = {"decoder": self.decoder_learning_rate, "feedback": self.feedback_learning_rate}
        return AdamRule(learning_rate=rates[group]) if group in rates else super().adam(group)

    def decode(self, params: Params, features: jax.Array) -> tuple[jax.Array, jax.Array]:
        """S(x) and s(x): unit rows (n, da) and the hidden layer (n, hidden)."""
        with jax.named_scope("decoder"):
            return networks.apply(self.decoder, params["decoder"], features)

    def generate(
        self, params: Params, conditioned: jax.Array, latent: jax.Array, number: int, source: jax.Array | None = None
    ) -> jax.Array:
        """G(z, a), in a pass with feedback R(z, a; a_1). What `source` is for: the feedback to rows of the prior in the generator
        phase is the refined reconstruction's ('released') or their own first pass's ('described')."""
        if number != 1:
            return super().generate(params, conditioned, latent, number)
        return self.refine(
            params, conditioned, latent, self.feedback_training, source if self.prior_feedback == "released" else None
        )

    def refine(
        self, params: Params, conditioned: jax.Array, latent: jax.Array, weight: float, source: jax.Array | None = None
    ) -> jax.Array:
        """R(z, a; weight): features (..., dx), the feedback coming from `source` (..., dx) in the place of G(z, a)."""
        apply = lambda method, *inputs: networks.apply(self.generator, params["generator"], *inputs, method=method)  # noqa: E731
        with jax.named_scope("generator"):
            hidden = apply("hidden_layer", conditioned, latent)
            source = apply("output_layer", hidden) if source is None else source
            # Neither the decoder nor the first pass learns through the feedback.
            fed = jax.lax.stop_gradient(self.decode(params, jax.lax.stop_gradient(source))[1])
            with jax.named_scope("feedback"):
                feedback = networks.apply(self.feedback, params["feedback"], fed)
            return apply("output_layer", hidden + weight * feedback)

    def synthesize(self, params: Params, semantics: jax.Array, draws: dict[str, jax.Array]) -> jax.Array:
        """R(z, a; a_2), z ~ N(0, I): always with feedback."""
        return self.refine(params, self.condition(params, semantics), draws["noise"], self.feedback_synthesis)

    def decoder_loss(self, params: Params, inputs: UpdateInputs) -> tuple[jax.Array, Terms]:
        """w_rec WL1(S(x), a) of the real rows, with the term 'semantic_real' (weighted)."""
        loss = self.weight_semantic * self._semantic_loss(params, inputs, inputs.batch.features)
        return loss, {"semantic_real": loss}

    def generator_loss(self, params: Params, inputs: UpdateInputs) -> tuple[jax.Array, Terms]:
        """L_EG with the term 'semantic_fake' (unweighted) besides f-VAEGAN-D2's."""
        loss, terms = super().generator_loss(params, inputs)
        semantic = self._semantic_loss(params, inputs, inputs.fakes.fake)
        return loss + self.weight_semantic * semantic, terms | {"semantic_fake": semantic}

    def _semantic_loss(self, params: Params, inputs: UpdateInputs, features: jax.Array) -> jax.Array:
        predicted = self.decode(params, features)[0]
        return semantic_reconstruction(predicted, inputs.classes.semantics[inputs.batch.labels], self.semantic_loss)

    def represent(self, params: Params, features: jax.Array) -> jax.Array:
        """[x, S(x), s(x)]: (n, dx + da + hidden)."""
        return jnp.concatenate([features, *self.decode(params, features)], axis=-1)
