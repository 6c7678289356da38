"""D3GZSL on CUB-200-2011, 312 attributes, ResNet-101 features, f-CLSWGAN base.

Papers: arXiv 2402.11424 (AAAI 2024), arXiv 1712.00981 (CVPR 2018). Expected U/S/H with D3: not published. Without:
43.7/57.7/49.7 (final classifier; Xian et al. 2018). Settings: those f-CLSWGAN's code is run with for this benchmark.

    python -m d3gzsl_jax.main --config=configs/fclswgan_cub.py --config.data.root=FOLDER    (fclswgan_cub.py:base without D3)
"""

from ml_collections import ConfigDict

from configs import bases, cub


def get_config(variant: str = "d3") -> ConfigDict:
    """f-CLSWGAN's settings on CUB, D3's as released for CUB."""
    config = bases.fclswgan(cub.get_config(variant), n_syn=300)
    config.train.epochs = 56
    return config
