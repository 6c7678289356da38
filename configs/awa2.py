"""D3GZSL on AWA2, 85 attributes, ResNet-101 features, WGAN-GP base.

Paper: arXiv 2402.11424 (AAAI 2024). Expected U/S/H: not published for this base.
For orientation: 64.6 / 76.7 / 70.1 (U/S/H) is quoted for D3GZSL by later papers (base inferred: CE-GZSL); f-CLSWGAN
without D3 has 56.1 / 65.5 / 60.4 (as quoted by later papers).

    python -m d3gzsl_jax.main --config=configs/awa2.py --config.data.root=FOLDER    (configs/awa2.py:base without D3)
"""

from ml_collections import ConfigDict

from configs import default


def get_config(variant: str = "d3") -> ConfigDict:
    """The released CUB settings on AWA2; the final classifier's as in f-CLSWGAN."""
    config = default.get_config(variant)
    config.dataset = "AWA2"
    config.data.root = "data/xlsa17/data/AWA2"
    config.classifier.n_syn = config.classifier.batch_size = 1800
    return config
