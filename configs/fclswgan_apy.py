"""D3GZSL on aPY, 64 attributes, ResNet-101 features, f-CLSWGAN base.

Papers: arXiv 2402.11424 (AAAI 2024), arXiv 1712.00981 (CVPR 2018). Expected U/S/H with D3: not published. Without:
32.9/61.7/42.9 (final classifier; as quoted by later papers). aPY is not in that paper: settings are those the code of LisGAN
(Li et al. 2019) is run with.

    python -m d3gzsl_jax.main --config=configs/fclswgan_apy.py --config.data.root=FOLDER    (fclswgan_apy.py:base without D3)
"""

from ml_collections import ConfigDict

from configs import apy, bases


def get_config(variant: str = "d3") -> ConfigDict:
    """f-CLSWGAN's settings on APY, D3's as released for CUB."""
    config = bases.fclswgan(apy.get_config(variant), n_syn=1800)
    config.train.learning_rate = 1e-5
    config.train.epochs = 50
    return config
