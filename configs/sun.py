"""SUN: 717 scenes, ResNet-101 features, 102 attributes.

    python -m d3gzsl_jax.main --config=configs/sun.py --config.data.root=FOLDER   (or configs/sun.py:cegzsl,base)

Papers: arXiv 2402.11424 (D3GZSL, AAAI 2024), 1712.00981 (f-CLSWGAN, CVPR 2018), 2103.16173 (CE-GZSL, CVPR 2021). Expected U/S/H:
PUBLISHED, without D3 by the final classifier. Nothing is published for D3. On WGAN-GP the final classifier's settings are those of
f-CLSWGAN, whose settings are those its code is run with for this benchmark; epochs of CE-GZSL: where the authors stop.
f-VAEGAN-D2 (1903.10132) has the settings of TF-VAEGAN (2003.07833), whose script for this benchmark is followed; CADA-VAE:
1812.01784.
ZeroDiff (2406.02929) has no script for this benchmark: its settings are by analogy, those for AWA2 with as many synthesized rows
as TF-VAEGAN here. Its figures are on fine-tuned features, not on those of ResNet-101.
FREE (2107.13807) as its script for this benchmark.
"""

from ml_collections import ConfigDict

from configs import default
from d3gzsl_jax.config import recipes, variants
from d3gzsl_jax.config.variants import Figures

FRAMEWORKS = {
    "wgan": {"classifier.n_syn": 400, "classifier.batch_size": 400},
    "fclswgan": recipes.fclswgan(n_syn=400, epochs=40, train__learning_rate=2e-4),
    "cegzsl": recipes.cegzsl(
        batch_size=1024, decay_every=100, n_syn=100, epochs=1000, train__learning_rate=5e-5,
        cegzsl__comparator_hidden=1024, cegzsl__weight_instance=0.01, cegzsl__weight_class=0.01,
    ),
    "fvaegan": recipes.fvaegan(
        n_syn=400, epochs=400, learning_rate=1e-3, seed=4115, classifier__learning_rate=5e-4,
        fvaegan__weight_critic=1.0, fvaegan__weight_adversarial=1.0,
    ),
    "tfvaegan": recipes.tfvaegan(
        n_syn=400, epochs=400, learning_rate=1e-3, seed=4115, classifier__learning_rate=5e-4,
        tfvaegan__weight_critic=1.0, tfvaegan__weight_adversarial=1.0, tfvaegan__feedback_learning_rate=1e-4,
        tfvaegan__feedback_training=0.1, tfvaegan__feedback_synthesis=0.01,
    ),
    "cadavae": recipes.cadavae(classifier_epochs=21, zsl_epochs=30),
    "zerodiff": recipes.zerodiff(n_syn=400),
    "free": recipes.free(
        n_syn=300, epochs=601, learning_rate=2e-4, seed=4115, train__batch_size=512, classifier__learning_rate=5e-4,
        free__weight_critic=1.0, free__weight_adversarial=1.0, free__weight_semantic=0.1, free__center_margin=120.0,
    ),
}
"""What differs by framework, as values by dotted field."""

PUBLISHED = {
    "fclswgan,base": Figures(42.6, 36.6, 39.4, "Xian et al. 2018"),
    "cegzsl,base": Figures(48.8, 38.6, 43.1, "Han et al. 2021"),
    "fvaegan,base": Figures(45.1, 38.0, 41.3, "quoted by later papers, H by Narayan et al. 2020"),
    "tfvaegan,base": Figures(45.6, 40.7, 43.0, "quoted by later papers, H by Narayan et al. 2020"),
    "cadavae,base": Figures(47.2, 35.7, 40.6, "Schönfeld et al. 2019"),
    "zerodiff,base": Figures(63.0, 56.9, 59.8, "Ye et al. 2025, on fine-tuned features"),
}
"""By variant, what a paper has; of a variant that is not here we know of nothing published that could be checked."""


def get_config(variant: str = "d3") -> ConfigDict:
    """SUN: a framework's published settings, D3's as released for CUB."""
    chosen = variants.parse(variant, FRAMEWORKS)
    config = default.get_config(chosen.d3)
    config.dataset = "SUN"
    config.data.root = "data/xlsa17/data/SUN"
    return chosen.applied(config)
