"""CUB-200-2011: 200 birds, ResNet-101 features, 312 attributes; CE-GZSL reads 1024-d sentence vectors (sent_splits.mat).

    python -m d3gzsl_jax.main --config=configs/cub.py --config.data.root=FOLDER   (or configs/cub.py:cegzsl,base)

Papers: arXiv 2402.11424 (D3GZSL, AAAI 2024), 1712.00981 (f-CLSWGAN, CVPR 2018), 2103.16173 (CE-GZSL, CVPR 2021). Expected U/S/H:
PUBLISHED, without D3 by the final classifier. Nothing is published for D3 on WGAN-GP. The released CUB options file sets the
weights of L_od, L_be and L_kl to 0 with 0.0001 in a comment beside each; here all weights are 1e-4. Settings of f-CLSWGAN are those
its code is run with for this benchmark; epochs of CE-GZSL: where the authors stop. They give no settings for attributes
(`:cegzsl,att`): these are those for sentences.
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
    "wgan": {},
    "fclswgan": recipes.fclswgan(n_syn=300, epochs=56),
    "cegzsl": recipes.cegzsl(batch_size=2048, decay_every=100, n_syn=100, epochs=450, data__semantics="sent"),
    "fvaegan": recipes.fvaegan(n_syn=300, epochs=300, learning_rate=1e-4, seed=3483),
    "tfvaegan": recipes.tfvaegan(n_syn=300, epochs=300, learning_rate=1e-4, seed=3483),
    "cadavae": recipes.cadavae(classifier_epochs=23, zsl_epochs=22),
    "zerodiff": recipes.zerodiff(n_syn=300),
    "free": recipes.free(n_syn=700, epochs=501, seed=3483),
}
"""What differs by framework, as values by dotted field."""

OPTIONS = {"att": {"data.semantics": "att"}, "sent": {"data.semantics": "sent"}}
"""Further words after the colon: which semantics."""

PUBLISHED = {
    "fclswgan,base": Figures(43.7, 57.7, 49.7, "Xian et al. 2018"),
    "cegzsl": Figures(66.7, 69.1, 67.8, "quoted for D3GZSL by later papers; this framework is inferred"),
    "cegzsl,base": Figures(63.9, 66.8, 65.3, "Han et al. 2021"),
    "cegzsl,base,att": Figures(52.4, 60.9, 56.4, "Han et al. 2021"),
    "fvaegan,base": Figures(48.4, 60.1, 53.6, "quoted by later papers, H by Narayan et al. 2020"),
    "tfvaegan,base": Figures(52.8, 64.7, 58.1, "quoted by later papers, H by Narayan et al. 2020"),
    "cadavae,base": Figures(51.6, 53.5, 52.4, "Schönfeld et al. 2019"),
    "zerodiff,base": Figures(80.0, 83.2, 81.6, "Ye et al. 2025, on fine-tuned features"),
    "free,base": Figures(55.7, 59.9, 57.7, "Chen et al. 2021, as quoted by later papers"),
}
"""By variant, what a paper has; of a variant that is not here we know of nothing published that could be checked."""


def get_config(variant: str = "d3") -> ConfigDict:
    """CUB: a framework's published settings, D3's as released for CUB."""
    chosen = variants.parse(variant, FRAMEWORKS, OPTIONS)
    config = default.get_config(chosen.d3)
    config.dataset = "CUB"
    config.data.root = "data/xlsa17/data/CUB"
    return chosen.applied(config)
