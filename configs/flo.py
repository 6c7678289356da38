"""Oxford Flowers (FLO): 102 flowers, ResNet-101 features, 1024-d sentence vectors (which FLO's att_splits.mat holds).

    python -m d3gzsl_jax.main --config=configs/flo.py --config.data.root=FOLDER   (or configs/flo.py:cegzsl,base)

Papers: arXiv 2402.11424 (D3GZSL, AAAI 2024), 1712.00981 (f-CLSWGAN, CVPR 2018), 2103.16173 (CE-GZSL, CVPR 2021). Expected U/S/H:
PUBLISHED, without D3 by the final classifier. Nothing is published for D3. On WGAN-GP the final classifier's settings are those of
f-CLSWGAN, whose settings are those its code is run with for this benchmark; epochs of CE-GZSL: where the authors stop. They give no
batch size for FLO: it is that of AWA. TF-VAEGAN (2003.07833) as its script for FLO; f-VAEGAN-D2 (1903.10132) as that. FLO is no
benchmark of CADA-VAE's paper (1812.01784): epochs of its classifiers are those for CUB.
ZeroDiff (2406.02929) has no script for this benchmark: its settings are by analogy, those for AWA2 with as many synthesized rows
as TF-VAEGAN here.
FREE (2107.13807) as its script for this benchmark.
"""

from ml_collections import ConfigDict

from configs import default
from d3gzsl_jax.config import recipes, variants
from d3gzsl_jax.config.variants import Figures

FRAMEWORKS = {
    "wgan": {"classifier.n_syn": 1200, "classifier.batch_size": 1200},
    "fclswgan": recipes.fclswgan(n_syn=1200, epochs=80, fclswgan__classification_weight=0.1),
    "cegzsl": recipes.cegzsl(
        batch_size=4096, decay_every=100, n_syn=600, epochs=750, networks__noise=512,
        cegzsl__comparator_hidden=1024, cegzsl__weight_instance=0.01, cegzsl__weight_class=0.01,
    ),
    "fvaegan": recipes.fvaegan(n_syn=1200, epochs=500, learning_rate=1e-4, seed=806),
    "tfvaegan": recipes.tfvaegan(
        n_syn=1200, epochs=500, learning_rate=1e-4, seed=806, tfvaegan__critic_latents="prior", tfvaegan__feedback_training=0.5,
        tfvaegan__feedback_synthesis=0.5,
    ),
    "cadavae": recipes.cadavae(classifier_epochs=23, zsl_epochs=22),
    "zerodiff": recipes.zerodiff(n_syn=1200),
    "free": recipes.free(
        n_syn=2400, epochs=501, seed=806, train__batch_size=256, train__n_critic=5, free__critic_latents="prior",
    ),
}
"""What differs by framework, as values by dotted field."""

PUBLISHED = {
    "fclswgan,base": Figures(59.0, 73.8, 65.6, "Xian et al. 2018"),
    "cegzsl,base": Figures(69.0, 78.7, 73.5, "Han et al. 2021"),
    "fvaegan,base": Figures(56.8, 74.9, 64.6, "quoted by later papers, H by Narayan et al. 2020"),
    "tfvaegan,base": Figures(62.5, 84.1, 71.7, "quoted by later papers, H by Narayan et al. 2020"),
}
"""By variant, what a paper has; of a variant that is not here we know of nothing published that could be checked."""


def get_config(variant: str = "d3") -> ConfigDict:
    """FLO: a framework's published settings, D3's as released for CUB."""
    chosen = variants.parse(variant, FRAMEWORKS)
    config = default.get_config(chosen.d3)
    config.dataset = "FLO"
    config.data.root = "data/xlsa17/data/FLO"
    return chosen.applied(config)
