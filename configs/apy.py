"""D3GZSL on aPY, 64 attributes, ResNet-101 features, WGAN-GP base.

Paper: arXiv 2402.11424 (AAAI 2024). Expected: unknown for this base.
For orientation: f-CLSWGAN without D3 has 32.9 / 61.7 / 42.9 (U/S/H; as quoted by later papers).

    python -m d3gzsl_jax.main --config=configs/apy.py --config.data.root=FOLDER
"""

from ml_collections import ConfigDict

from configs import default


def get_config() -> ConfigDict:
    """The released CUB settings on APY."""
    config = default.get_config()
    config.dataset = "APY"
    config.data.root = "data/xlsa17/data/APY"
    return config
