"""aPY: 32 classes, ResNet-101 features, 64 attributes.

    python -m d3gzsl_jax.main --config=configs/apy.py --config.data.root=FOLDER   (or configs/apy.py:fclswgan,base)

Papers: arXiv 2402.11424 (D3GZSL, AAAI 2024), 1712.00981 (f-CLSWGAN, CVPR 2018). Expected U/S/H: PUBLISHED, without D3 by the final
classifier. Nothing is published for D3, nor for CE-GZSL. On WGAN-GP the final classifier's settings are those of f-CLSWGAN; aPY is
not in its paper: settings are those the code of LisGAN (Li et al. 2019) is run with. TF-VAEGAN (2003.07833) has no script for
aPY: its settings, and f-VAEGAN-D2's (1903.10132), are those of AWA2. CADA-VAE (1812.01784) chose its classifier's epochs by
benchmark and has none for aPY.
ZeroDiff (2406.02929) has no script for this benchmark: its settings are by analogy, those for AWA2.
FREE (2107.13807) has no script for this benchmark either: its settings are those for AWA2, with the nearest other centre as in its
code.
"""

from ml_collections import ConfigDict

from configs import default
from d3gzsl_jax.config import recipes, variants
from d3gzsl_jax.config.variants import Figures

FRAMEWORKS = {
    "wgan": {"classifier.n_syn": 1800, "classifier.batch_size": 1800},
    "fclswgan": recipes.fclswgan(n_syn=1800, epochs=50, train__learning_rate=1e-5),
    "fvaegan": recipes.fvaegan(n_syn=1800, epochs=120, learning_rate=1e-5, seed=9182),
    "tfvaegan": recipes.tfvaegan(
        n_syn=1800, epochs=120, learning_rate=1e-5, seed=9182, tfvaegan__weight_semantic=0.1,
        tfvaegan__feedback_learning_rate=1e-4, tfvaegan__freeze_decoder=True, tfvaegan__feedback_training=0.01,
        tfvaegan__feedback_synthesis=0.01,
    ),
    "zerodiff": recipes.zerodiff(n_syn=5400),
    "free": recipes.free(
        n_syn=4600, epochs=401, learning_rate=1e-5, seed=9182, free__center_other="nearest", free__center_margin=50.0,
        free__center_own_share=0.5, free__freeze_refiner=True,
    ),
}
"""What differs by framework, as values by dotted field."""

PUBLISHED = {
    "fclswgan,base": Figures(32.9, 61.7, 42.9, "as quoted by later papers"),
}
"""By variant, what a paper has; of a variant that is not here we know of nothing published that could be checked."""


def get_config(variant: str = "d3") -> ConfigDict:
    """APY: a framework's published settings, D3's as released for CUB."""
    chosen = variants.parse(variant, FRAMEWORKS)
    config = default.get_config(chosen.d3)
    config.dataset = "APY"
    config.data.root = "data/xlsa17/data/APY"
    return chosen.applied(config)
