"""D3GZSL on AWA1, 85 attributes, ResNet-101 features, WGAN-GP base.

Paper: arXiv 2402.11424 (AAAI 2024). Expected U/S/H: not published for this base.
For orientation: f-CLSWGAN without D3 has 57.9 / 61.4 / 59.6 (U/S/H; Xian et al. 2018).

    python -m d3gzsl_jax.main --config=configs/awa1.py --config.data.root=FOLDER    (configs/awa1.py:base without D3)
"""

from ml_collections import ConfigDict

from configs import default


def get_config(variant: str = "d3") -> ConfigDict:
    """The released CUB settings on AWA1; the final classifier's as in f-CLSWGAN."""
    config = default.get_config(variant)
    config.dataset = "AWA1"
    config.data.root = "data/xlsa17/data/AWA1"
    config.classifier.n_syn = config.classifier.batch_size = 1800
    return config
