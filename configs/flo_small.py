"""Oxford Flowers for a machine with two cores, or one GPU for a minute: 1280 feature dimensions, networks 512 wide.

    python -m d3gzsl_jax.main --config=configs/flo_small.py:tfvaegan --config.data.root=FOLDER   (or :cadavae,base)

Features of another backbone: --config.data.feature_file=NAME.mat. These settings are no paper's. Epoch, predictor, final
classifier's epochs and gamma are chosen on a fold inside trainval. Expected on the EfficientNet-Lite0 features this was tried on
(not comparable with ResNet-101 tables): docs/results.md.
"""

from typing import Any

from ml_collections import ConfigDict

from configs import default
from d3gzsl_jax.config import recipes, variants


def small_vaegan(name: str) -> dict[str, Any]:
    """f-VAEGAN-D2, TF-VAEGAN or FREE, small: narrow networks, 64 noise dimensions, batches of 128, a larger rate for fewer epochs
    than published; all else by TF-VAEGAN's or FREE's script for CUB."""
    further = {
        "fvaegan": {},
        "tfvaegan": {"tfvaegan__feedback_learning_rate": 1e-4, "tfvaegan__decoder_learning_rate": 1e-3},
        "free": {"free__refiner_learning_rate": 1e-3},
    }[name]
    recipe = {"fvaegan": recipes.fvaegan, "tfvaegan": recipes.tfvaegan, "free": recipes.free}[name]
    epochs = 40 if name == "fvaegan" else 20  # as many outer steps: an epoch of the others has two passes
    return recipe(n_syn=300, epochs=epochs, learning_rate=1e-3, train__batch_size=128, eval__every_epochs=epochs // 4, **further)


def small_zerodiff() -> dict[str, Any]:
    """ZeroDiff, small: narrow networks, 64 noise dimensions, batches of 128, larger rates for fewer epochs than published."""
    return recipes.zerodiff(
        n_syn=300, train__batch_size=128, train__epochs=40, train__learning_rate=1e-3, zerodiff__decoder_learning_rate=1e-3,
        zerodiff__embedding_width=64, zerodiff_representation__embedding_width=64,
        zerodiff_representation__decoder_learning_rate=1e-3, eval__every_epochs=10,
    )  # fmt: skip


FRAMEWORKS = {
    "wgan": {"data.normalize_semantics": True},
    "fclswgan": recipes.fclswgan(  # as WGAN-GP, whose loss it adds a term to
        n_syn=300, epochs=60, data__normalize_semantics=True, train__batch_size=128, train__learning_rate=3e-4,
        eval__every_epochs=15,
    ),
    "cegzsl": recipes.cegzsl(  # rate, epochs, batch and rows of configs/cub_validated.py
        batch_size=128, decay_every=100, n_syn=100, epochs=20, data__normalize_semantics=True, train__learning_rate=1e-3,
        train__steps_per_call=16, cegzsl__projection=128, cegzsl__comparator_hidden=256, distillation__n_syn=5,
        eval__every_epochs=5,
    ),
    "fvaegan": small_vaegan("fvaegan"),
    "tfvaegan": small_vaegan("tfvaegan"),
    "cadavae": recipes.cadavae(  # with semantics of length 1, where its code takes them as they are
        classifier_epochs=23, zsl_epochs=22, data__normalize_semantics=True, cadavae__feature_encoder_hidden=512,
        cadavae__semantic_encoder_hidden=512, cadavae__feature_decoder_hidden=512, cadavae__semantic_decoder_hidden=512,
        eval__every_epochs=25,
    ),
    "zerodiff": small_zerodiff(),
    "free": small_vaegan("free"),
}  # fmt: skip
"""What differs by framework, as values by dotted field."""


def get_config(variant: str = "d3") -> ConfigDict:
    """Small networks; WGAN-GP at 3e-4 for 60 epochs, as on CUB."""
    chosen = variants.parse(variant, FRAMEWORKS)
    config = default.get_config(chosen.d3)
    config.dataset = "FLO"
    config.data.root = "data/FLO"
    config.data.feature_file = "effnet_lite0.mat"
    config.data.scaling = config.networks.output = "auto"  # as published for these features; other backbones' may be two-sided
    config.networks.noise = 64
    config.networks.generator_hidden = 512
    config.networks.critic_hidden = 512
    config.networks.embedding = 512
    config.teacher.learning_rate = 3e-4
    config.train.batch_size = 128
    config.train.learning_rate = 3e-4
    config.train.epochs = 60
    config.distillation.n_syn = 5
    config.eval.every_epochs = 15
    config.eval.selection = "validation"
    config.eval.prediction = "auto" if chosen.has_d3 else "classifier"
    return chosen.applied(config)
