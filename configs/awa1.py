"""AWA1: 50 animals, ResNet-101 features, 85 attributes.

    python -m d3gzsl_jax.main --config=configs/awa1.py --config.data.root=FOLDER   (or configs/awa1.py:cegzsl,base)

Papers: arXiv 2402.11424 (D3GZSL, AAAI 2024), 1712.00981 (f-CLSWGAN, CVPR 2018), 2103.16173 (CE-GZSL, CVPR 2021). Expected U/S/H:
PUBLISHED, without D3 by the final classifier. Nothing is published for D3. On WGAN-GP the final classifier's settings are those of
f-CLSWGAN, whose settings are those its code is run with for this benchmark; epochs of CE-GZSL: where the authors stop. There is no
script of TF-VAEGAN (2003.07833) for AWA1: its settings, and f-VAEGAN-D2's (1903.10132), are those of AWA2. CADA-VAE: 1812.01784.
ZeroDiff (2406.02929) has no script for this benchmark: its settings are by analogy, those for AWA2.
FREE (2107.13807) as its script for this benchmark.
"""

from ml_collections import ConfigDict

from configs import default
from d3gzsl_jax.config import recipes, variants
from d3gzsl_jax.config.variants import Figures

FRAMEWORKS = {
    "wgan": {"classifier.n_syn": 1800, "classifier.batch_size": 1800},
    "fclswgan": recipes.fclswgan(n_syn=1800, epochs=30, train__learning_rate=1e-5),
    "cegzsl": recipes.cegzsl(batch_size=4096, decay_every=50, n_syn=1800, epochs=130),
    "fvaegan": recipes.fvaegan(n_syn=1800, epochs=120, learning_rate=1e-5, seed=9182),
    "tfvaegan": recipes.tfvaegan(
        n_syn=1800, epochs=120, learning_rate=1e-5, seed=9182, tfvaegan__weight_semantic=0.1,
        tfvaegan__feedback_learning_rate=1e-4, tfvaegan__freeze_decoder=True, tfvaegan__feedback_training=0.01,
        tfvaegan__feedback_synthesis=0.01,
    ),
    "cadavae": recipes.cadavae(classifier_epochs=33, zsl_epochs=25),
    "zerodiff": recipes.zerodiff(n_syn=5400),
    "free": recipes.free(
        n_syn=4600, epochs=301, learning_rate=1e-5, seed=9182, free__center_other="nearest", free__center_margin=50.0,
        free__center_own_share=0.1, free__freeze_refiner=True,
    ),
}
"""What differs by framework, as values by dotted field."""

PUBLISHED = {
    "fclswgan,base": Figures(57.9, 61.4, 59.6, "Xian et al. 2018"),
    "cegzsl,base": Figures(65.3, 73.4, 69.1, "Han et al. 2021"),
    "cadavae,base": Figures(57.3, 72.8, 64.1, "Schönfeld et al. 2019"),
}
"""By variant, what a paper has; of a variant that is not here we know of nothing published that could be checked."""


def get_config(variant: str = "d3") -> ConfigDict:
    """AWA1: a framework's published settings, D3's as released for CUB."""
    chosen = variants.parse(variant, FRAMEWORKS)
    config = default.get_config(chosen.d3)
    config.dataset = "AWA1"
    config.data.root = "data/xlsa17/data/AWA1"
    return chosen.applied(config)
