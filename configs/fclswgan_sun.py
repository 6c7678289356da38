"""D3GZSL on SUN, 102 attributes, ResNet-101 features, f-CLSWGAN base.

Papers: arXiv 2402.11424 (AAAI 2024), arXiv 1712.00981 (CVPR 2018). Expected U/S/H with D3: not published. Without:
42.6/36.6/39.4 (final classifier; Xian et al. 2018). Settings: those f-CLSWGAN's code is run with for this benchmark.

    python -m d3gzsl_jax.main --config=configs/fclswgan_sun.py --config.data.root=FOLDER    (fclswgan_sun.py:base without D3)
"""

from ml_collections import ConfigDict

from configs import bases, sun


def get_config(variant: str = "d3") -> ConfigDict:
    """f-CLSWGAN's settings on SUN, D3's as released for CUB."""
    config = bases.fclswgan(sun.get_config(variant), n_syn=400)
    config.train.learning_rate = 2e-4
    config.train.epochs = 40
    return config
