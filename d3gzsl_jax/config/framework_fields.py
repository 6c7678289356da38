"""The generative frameworks D3 plugs into, by name, each with its options: a new one is one block here."""

from typing import NamedTuple

from d3gzsl_jax.config.field_type import Field

_PASSES = 100  # of an epoch, at most: each has phases of its own, and published ones have two


class FrameworkFields(NamedTuple):
    """What the configuration knows of a framework.

    Attributes:
        called: its name for people.
        title: that, with its paper.
        fields: its options, called <name>.<option>; the framework's class has each as a field with the same default.
        first_stage: the framework whose options it reads as well, for it is trained first; "" where there is none.
    """

    called: str
    title: str
    fields: tuple[Field, ...] = ()
    first_stage: str = ""


def _penalty_rule(name: str) -> Field:
    """Of methods whose penalty weight may adapt."""
    return Field(
        f"{name}.penalty_rule", "released",
        "The weight of the gradient penalty: released, 1.1 times larger after an outer step with a mean penalty over 1.05, "
        "smaller under 1.001; described, constant.", words=("released", "described"),
    )  # fmt: skip


def _semantic_loss(name: str) -> Field:
    """Of methods that reconstruct semantics."""
    return Field(
        f"{name}.semantic_loss", "released",
        "Reconstruction error of semantics: released, an L1 distance weighted by the squared differences; described, L1.",
        words=("released", "described"),
    )


def _vaegan(name: str, critic_latents: str) -> tuple[Field, ...]:
    """The options that f-VAEGAN-D2 and TF-VAEGAN share, of which one differs in its default."""
    return (
        Field(
            f"{name}.critic_latents", critic_latents,
            "What the critic's synthesized rows are made of: encoded, latents of the rows of the batch; prior, N(0, I).",
            words=("encoded", "prior"),
        ),
        Field(f"{name}.weight_critic", 10.0, "Weight of all that the critic minimises.", low=0.0),
        Field(f"{name}.weight_adversarial", 10.0, "Weight of the critic's verdict beside reconstruction error and KL.", low=0.0),
        _penalty_rule(name),
    )  # fmt: skip


def _warm_up(name: str, of: str, factor: float, start: int, end: int) -> tuple[Field, ...]:
    """The options of a term of CADA-VAE whose weight rises in a straight line."""
    return (
        Field(f"cadavae.{name}_factor", factor, f"Weight of {of}, once it has risen.", low=0.0),
        Field(f"cadavae.{name}_start", start, f"Last epoch, from 0, without {of}.", low=0, high=100_000, counted_in="run"),
        Field(
            f"cadavae.{name}_end", end, f"First epoch with all of the weight of {of}; after {name}_start.", low=1, high=100_000,
            counted_in="run",
        ),
    )


def _diffusion(name: str, of: str) -> tuple[Field, ...]:
    """The options that the stages of ZeroDiff share."""
    return (
        Field(
            f"{name}.timesteps", 4, "Noise levels of the diffusion; the same in both stages of ZeroDiff.", low=1, high=1000,
        ),
        Field(f"{name}.beta_min", 0.1, "Rate of the noise at the beginning of the diffusion.", low=0.0),
        Field(f"{name}.beta_max", 20.0, "Rate of the noise at its end.", low=0.0, closed=False),
        Field(f"{name}.weight_x0", 1.0, f"Weight of the critic of {of}.", low=0.0),
        Field(f"{name}.weight_xt", 1.0, f"Weight of the critic of {of} at a noise level.", low=0.0),
        Field(f"{name}.decoder_learning_rate", 1e-4, "Learning rate of the semantic decoder.", low=0.0, closed=False),
        Field(
            f"{name}.embedding_width", 0,
            "Width of what noise levels and representations are embedded in, by every network; 0: as wide as semantics.", low=0,
        ),
    )  # fmt: skip


_SAMPLING = "single, from pure noise in one evaluation of the generator; progressive, in an evaluation for each noise level."

FRAMEWORKS: dict[str, FrameworkFields] = {
    "wgan": FrameworkFields("WGAN-GP", "WGAN-GP (Gulrajani et al. 2017), conditioned on class semantics"),
    "fclswgan": FrameworkFields(
        "f-CLSWGAN", "f-CLSWGAN (Xian et al. 2018)",
        (
            Field(
                "fclswgan.classification_weight", 0.01,
                "Weight of the negative log-likelihood of synthesized rows under a frozen classifier of the seen classes.", low=0.0,
            ),
            Field(
                "fclswgan.classifier_epochs", 50, "Epochs that classifier is fitted to real seen rows for, before training.", low=0,
                counted_in="rows",
            ),
            Field("fclswgan.classifier_batch_size", 100, "Rows per update of that classifier.", low=1),
            Field("fclswgan.classifier_learning_rate", 1e-3, "Learning rate of that classifier.", low=0.0, closed=False),
        ),
    ),
    "cegzsl": FrameworkFields(
        "CE-GZSL", "CE-GZSL (Han et al. 2021)",
        (
            Field("cegzsl.projection", 512, "Size of z', the projection in which instances are contrasted.", low=1),
            Field("cegzsl.comparator_hidden", 2048, "Hidden width of the comparator of embeddings and class semantics.", low=1),
            Field(
                "cegzsl.weight_instance", 0.001,
                "Weight of the instance-wise contrastive loss L_ins in the generator phase; the critic phase has it at 1.", low=0.0,
            ),
            Field(
                "cegzsl.weight_class", 0.001,
                "Weight of the class-wise contrastive loss L_cl in the generator phase; the critic phase has it at 1.", low=0.0,
            ),
            Field("cegzsl.temperature_instance", 0.1, "Temperature of L_ins.", low=0.0, closed=False, smallest=1e-6),
            Field("cegzsl.temperature_class", 0.1, "Temperature of L_cl.", low=0.0, closed=False, smallest=1e-6),
            Field(
                "cegzsl.comparator_gradient", "released",
                "The comparator's gradient: released, summed over the updates of an epoch as the published code does; fresh, of "
                "each update alone.", words=("released", "fresh"),
            ),
        ),
    ),
    "fvaegan": FrameworkFields(
        "f-VAEGAN-D2", "f-VAEGAN-D2 (Xian et al. 2019), its inductive part", _vaegan("fvaegan", critic_latents="prior")
    ),
    "tfvaegan": FrameworkFields(
        "TF-VAEGAN", "TF-VAEGAN (Narayan et al. 2020)",
        (
            *_vaegan("tfvaegan", critic_latents="encoded"),
            Field(
                "tfvaegan.feedback_loop", 2,
                "Passes over the data in an epoch: the second (and every other one) refines synthesized rows by feedback.", low=1,
                high=_PASSES,
            ),
            Field("tfvaegan.weight_semantic", 0.01, "Weight of the reconstruction error of semantics, in both phases.", low=0.0),
            Field("tfvaegan.feedback_training", 1.0, "Weight of the feedback in training.", low=0.0),
            Field("tfvaegan.feedback_synthesis", 1.0, "Weight of the feedback in synthesis, which always has it.", low=0.0),
            Field("tfvaegan.feedback_learning_rate", 1e-5, "Learning rate of the feedback network.", low=0.0, closed=False),
            Field("tfvaegan.decoder_learning_rate", 1e-4, "Learning rate of the semantic decoder.", low=0.0, closed=False),
            Field("tfvaegan.freeze_decoder", False, "Whether the semantic decoder rests in the generator phase."),
            Field(
                "tfvaegan.prior_feedback", "released",
                "The feedback to rows of the prior in the generator phase: released, from the refined reconstruction; described, "
                "from a first pass on the same latents.", words=("released", "described"),
                read_with=("tfvaegan.critic_latents", "prior"),
            ),
            _semantic_loss("tfvaegan"),
        ),
    ),
    "cadavae": FrameworkFields(
        "CADA-VAE", "CADA-VAE (Schönfeld et al. 2019)",
        (
            Field("cadavae.latent", 64, "Size of the latents that features and semantics share.", low=1),
            Field("cadavae.feature_encoder_hidden", 1560, "Hidden width of the encoder of features.", low=1),
            Field("cadavae.semantic_encoder_hidden", 1450, "Hidden width of the encoder of semantics.", low=1),
            Field("cadavae.feature_decoder_hidden", 1660, "Hidden width of the decoder to features.", low=1),
            Field("cadavae.semantic_decoder_hidden", 665, "Hidden width of the decoder to semantics.", low=1),
            *_warm_up("kl", "the divergence of the latents from N(0, I)", 0.25, 0, 93),
            *_warm_up("cross", "the error of each input decoded from the other's latent", 2.37, 21, 75),
            *_warm_up("distance", "the distance of the two latents of a row", 8.13, 6, 22),
            Field(
                "cadavae.sampler", "released",
                "A latent of mean m and log-variance v: released, m + e exp(v) with one e a row; described, m + e exp(v / 2) with "
                "an e for each dimension.", words=("released", "described"),
            ),
            Field(
                "cadavae.reconstruction", "l1", "Reconstruction errors: l1, sums of absolute differences; l2, of squares.",
                words=("l1", "l2"),
            ),
            Field(
                "cadavae.seen_rows", 200,
                "Real rows of each seen class the final classifier is fitted to; 0 for all rows, as often as they occur.", low=0,
            ),
        ),
    ),
    "zerodiff_representation": FrameworkFields(
        "ZeroDiff, first stage", "The first stage of ZeroDiff (Ye et al. 2025), which generates representations",
        (
            *_diffusion("zerodiff_representation", "representations"),
            Field(
                "zerodiff_representation.conditioned_on", "released",
                "What the generator takes the noise off: released, rows at the noise level, as the published code does; described, "
                "rows one level further.", words=("released", "described"),
            ),
        ),
    ),
    "zerodiff": FrameworkFields(
        "ZeroDiff", "ZeroDiff (Ye et al. 2025)",
        (
            *_diffusion("zerodiff", "features"),
            Field("zerodiff.weight_adversarial", 10.0, "Weight of the adversarial terms, in both phases.", low=0.0),
            Field("zerodiff.weight_vae", 1.0, "Weight of reconstruction error and KL.", low=0.0),
            Field("zerodiff.weight_semantic", 1.0, "Weight of the reconstruction error of semantics, in both phases.", low=0.0),
            Field("zerodiff.weight_mutual", 5.0, "Weight of what the critics learn from one another.", low=0.0),
            Field(
                "zerodiff.mutual_exponent", 1.5,
                "The critic of noised features counts there by what is left of a row at its noise level, to this power.", low=0.0,
            ),
            _penalty_rule("zerodiff"),
            _semantic_loss("zerodiff"),
            Field("zerodiff.freeze_decoder", True, "Whether the semantic decoder rests in the generator phase."),
            Field(
                "zerodiff.synthesis", "single", f"How rows are made for the final classifier: {_SAMPLING}",
                words=("single", "progressive"),
            ),
            Field(
                "zerodiff.unseen_sampling", "single", f"How rows of unseen classes are made for D3: {_SAMPLING}",
                words=("single", "progressive"),
            ),
            Field(
                "zerodiff.classifier_inputs", "vcs",
                "What the final classifier sees: v, features; s, the semantic decoder's output and hidden layer; c, "
                "representations; in the order v, s, c.", words=("v", "s", "c", "vs", "vc", "sc", "vcs"),
            ),
            Field(
                "zerodiff.representation_epochs", 0,
                "Epochs of the first stage; 0: as many as train.epochs, which may then not grow.", low=0, high=100_000,
                counted_in="run",
            ),
            Field(
                "zerodiff.representation_run", "",
                "Folder of an earlier run with a trained first stage, which is used instead of training one; empty: it is trained.",
            ),
        ),
        first_stage="zerodiff_representation",
    ),
    "free": FrameworkFields(
        "FREE", "FREE (Chen et al. 2021)",
        (
            *_vaegan("free", critic_latents="encoded"),
            Field("free.passes", 2, "Passes over the data in an epoch, all alike.", low=1, high=_PASSES),
            Field("free.weight_semantic", 0.001, "Weight of the reconstruction error of semantics, in both phases.", low=0.0),
            Field("free.weight_center", 0.5, "Weight of the centre loss.", low=0.0),
            Field("free.center_margin", 200.0, "Margin of the centre loss.", low=0.0),
            Field(
                "free.center_own_share", 0.8,
                "Share w in the centre loss, w times the distance to the centre of the row's own class less 1 - w times that to "
                "another.", low=0.0, high=1.0,
            ),
            Field(
                "free.center_other", "random",
                "The other centre: random, of any seen class, the row's own included (as published for CUB, FLO and SUN); "
                "random_other, of any but its own; nearest, the nearest but its own (as published for AWA).",
                words=("random", "random_other", "nearest"),
            ),
            Field(
                "free.center_gradient", "released",
                "The centres' gradient: released, summed since training began, as the published code never zeroes it; fresh, of "
                "each update alone.", words=("released", "fresh"),
            ),
            Field("free.refiner_learning_rate", 1e-4, "Learning rate of the refiner.", low=0.0, closed=False),
            Field("free.freeze_refiner", False, "Whether the refiner rests in the generator phase."),
            Field(
                "free.refiner_noise", "released",
                "The noise in the refined semantics the final classifier sees: released, N(0, I), for a real row always the same; "
                "described, none.", words=("released", "described"),
            ),
            _semantic_loss("free"),
        ),
    ),
}  # fmt: skip
