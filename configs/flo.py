"""D3GZSL on Oxford Flowers (FLO), 1024-d sentence vectors (which FLO's att_splits.mat holds), ResNet-101 features, WGAN-GP base.

Paper: arXiv 2402.11424 (AAAI 2024). Expected U/S/H: not published for this base.
For orientation: f-CLSWGAN without D3 has 59.0 / 73.8 / 65.6 (U/S/H; Xian et al. 2018).

    python -m d3gzsl_jax.main --config=configs/flo.py --config.data.root=FOLDER    (configs/flo.py:base without D3)
"""

from ml_collections import ConfigDict

from configs import default


def get_config(variant: str = "d3") -> ConfigDict:
    """The released CUB settings on FLO; the final classifier's as in f-CLSWGAN."""
    config = default.get_config(variant)
    config.dataset = "FLO"
    config.data.root = "data/xlsa17/data/FLO"
    config.classifier.n_syn = config.classifier.batch_size = 1200
    return config
