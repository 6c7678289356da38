"""D3GZSL on aPY, 64 attributes, ResNet-101 features, WGAN-GP base.

Paper: arXiv 2402.11424 (AAAI 2024). Expected U/S/H: not published for this base.
For orientation: f-CLSWGAN without D3 has 32.9 / 61.7 / 42.9 (U/S/H; as quoted by later papers).

    python -m d3gzsl_jax.main --config=configs/apy.py --config.data.root=FOLDER    (configs/apy.py:base without D3)
"""

from ml_collections import ConfigDict

from configs import default


def get_config(variant: str = "d3") -> ConfigDict:
    """The released CUB settings on APY; the final classifier's as in f-CLSWGAN."""
    config = default.get_config(variant)
    config.dataset = "APY"
    config.data.root = "data/xlsa17/data/APY"
    config.classifier.n_syn = config.classifier.batch_size = 1800
    return config
