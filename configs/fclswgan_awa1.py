"""D3GZSL on AWA1, 85 attributes, ResNet-101 features, f-CLSWGAN base.

Papers: arXiv 2402.11424 (AAAI 2024), arXiv 1712.00981 (CVPR 2018). Expected U/S/H with D3: not published. Without:
57.9/61.4/59.6 (final classifier; Xian et al. 2018). Settings: those f-CLSWGAN's code is run with for this benchmark.

    python -m d3gzsl_jax.main --config=configs/fclswgan_awa1.py --config.data.root=FOLDER    (fclswgan_awa1.py:base without D3)
"""

from ml_collections import ConfigDict

from configs import awa1, bases


def get_config(variant: str = "d3") -> ConfigDict:
    """f-CLSWGAN's settings on AWA1, D3's as released for CUB."""
    config = bases.fclswgan(awa1.get_config(variant), n_syn=1800)
    config.train.learning_rate = 1e-5
    config.train.epochs = 30
    return config
