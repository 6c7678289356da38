"""D3GZSL on AWA1, 85 attributes, ResNet-101 features, WGAN-GP base.

Paper: arXiv 2402.11424 (AAAI 2024). Expected: unknown for this base.
For orientation: f-CLSWGAN without D3 has 57.9 / 61.4 / 59.6 (U/S/H; Xian et al. 2018).

    python -m d3gzsl_jax.main --config=configs/awa1.py --config.data.root=FOLDER
"""

from ml_collections import ConfigDict

from configs import default


def get_config() -> ConfigDict:
    """The released CUB settings on AWA1."""
    config = default.get_config()
    config.dataset = "AWA1"
    config.data.root = "data/xlsa17/data/AWA1"
    return config
