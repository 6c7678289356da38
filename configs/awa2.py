"""AWA2: 50 animals, ResNet-101 features, 85 attributes.

    python -m d3gzsl_jax.main --config=configs/awa2.py --config.data.root=FOLDER   (or configs/awa2.py:cegzsl,base)

Papers: arXiv 2402.11424 (D3GZSL, AAAI 2024), 1712.00981 (f-CLSWGAN, CVPR 2018), 2103.16173 (CE-GZSL, CVPR 2021). Expected U/S/H:
PUBLISHED, without D3 by the final classifier. On WGAN-GP the final classifier's settings are those of f-CLSWGAN. AWA2 appeared
later than f-CLSWGAN, whose settings are those of AWA1; epochs of CE-GZSL: where the authors stop.
f-VAEGAN-D2 (1903.10132) has the settings of TF-VAEGAN (2003.07833), whose script for this benchmark is followed; CADA-VAE:
1812.01784.
ZeroDiff (2406.02929) has the settings of its scripts, which are for this benchmark alone; its figures are on fine-tuned features
(--config.data.feature_file=ce_ce.mat --config.data.representation_file=con_paco.mat of its authors), not on those of ResNet-101.
FREE (2107.13807) as its script for this benchmark.
"""

from ml_collections import ConfigDict

from configs import default
from d3gzsl_jax.config import recipes, variants
from d3gzsl_jax.config.variants import Figures

FRAMEWORKS = {
    "wgan": {"classifier.n_syn": 1800, "classifier.batch_size": 1800},
    "fclswgan": recipes.fclswgan(n_syn=1800, epochs=30, train__learning_rate=1e-5),
    "cegzsl": recipes.cegzsl(batch_size=4096, decay_every=10, n_syn=2400, epochs=130),
    "fvaegan": recipes.fvaegan(n_syn=1800, epochs=120, learning_rate=1e-5, seed=9182),
    "tfvaegan": recipes.tfvaegan(
        n_syn=1800, epochs=120, learning_rate=1e-5, seed=9182, tfvaegan__weight_semantic=0.1,
        tfvaegan__feedback_learning_rate=1e-4, tfvaegan__freeze_decoder=True, tfvaegan__feedback_training=0.01,
        tfvaegan__feedback_synthesis=0.01,
    ),
    "cadavae": recipes.cadavae(classifier_epochs=29, zsl_epochs=39),
    "zerodiff": recipes.zerodiff(n_syn=5400),
    "free": recipes.free(
        n_syn=4600, epochs=401, learning_rate=1e-5, seed=9182, free__center_other="nearest", free__center_margin=50.0,
        free__center_own_share=0.5, free__freeze_refiner=True,
    ),
}
"""What differs by framework, as values by dotted field."""

PUBLISHED = {
    "fclswgan,base": Figures(56.1, 65.5, 60.4, "as quoted by later papers"),
    "cegzsl": Figures(64.6, 76.7, 70.1, "quoted for D3GZSL by later papers; this framework is inferred"),
    "cegzsl,base": Figures(63.1, 78.6, 70.0, "Han et al. 2021"),
    "fvaegan,base": Figures(57.6, 70.6, 63.5, "quoted by later papers, H by Narayan et al. 2020"),
    "tfvaegan,base": Figures(59.8, 75.1, 66.6, "quoted by later papers, H by Narayan et al. 2020"),
    "cadavae,base": Figures(55.8, 75.0, 63.9, "quoted by later papers"),
    "zerodiff,base": Figures(74.7, 89.3, 81.4, "Ye et al. 2025, on fine-tuned features"),
    "free,base": Figures(60.4, 75.4, 67.1, "Chen et al. 2021, as quoted by later papers"),
}
"""By variant, what a paper has; of a variant that is not here we know of nothing published that could be checked."""


def get_config(variant: str = "d3") -> ConfigDict:
    """AWA2: a framework's published settings, D3's as released for CUB."""
    chosen = variants.parse(variant, FRAMEWORKS)
    config = default.get_config(chosen.d3)
    config.dataset = "AWA2"
    config.data.root = "data/xlsa17/data/AWA2"
    return chosen.applied(config)
