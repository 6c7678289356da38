"""D3GZSL on SUN, 102 attributes, ResNet-101 features, WGAN-GP base.

Paper: arXiv 2402.11424 (AAAI 2024). Expected: unknown for this base.
For orientation: f-CLSWGAN without D3 has 42.6 / 36.6 / 39.4 (U/S/H; Xian et al. 2018).

    python -m d3gzsl_jax.main --config=configs/sun.py --config.data.root=FOLDER
"""

from ml_collections import ConfigDict

from configs import default


def get_config() -> ConfigDict:
    """The released CUB settings on SUN."""
    config = default.get_config()
    config.dataset = "SUN"
    config.data.root = "data/xlsa17/data/SUN"
    return config
