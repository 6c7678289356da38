"""D3GZSL on Oxford Flowers (FLO), 1024-d sentence vectors (which FLO's att_splits.mat holds), ResNet-101 features, f-CLSWGAN
base.

Papers: arXiv 2402.11424 (AAAI 2024), arXiv 1712.00981 (CVPR 2018). Expected U/S/H with D3: not published. Without:
59.0/73.8/65.6 (final classifier; Xian et al. 2018). Settings: those f-CLSWGAN's code is run with for this benchmark.

    python -m d3gzsl_jax.main --config=configs/fclswgan_flo.py --config.data.root=FOLDER    (fclswgan_flo.py:base without D3)
"""

from ml_collections import ConfigDict

from configs import bases, flo


def get_config(variant: str = "d3") -> ConfigDict:
    """f-CLSWGAN's settings on FLO, D3's as released for CUB."""
    config = bases.fclswgan(flo.get_config(variant), n_syn=1200)
    config.train.epochs = 80
    config.fclswgan.classification_weight = 0.1
    return config
