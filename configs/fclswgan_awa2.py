"""D3GZSL on AWA2, 85 attributes, ResNet-101 features, f-CLSWGAN base.

Papers: arXiv 2402.11424 (AAAI 2024), arXiv 1712.00981 (CVPR 2018). Expected U/S/H with D3: not published. Without:
56.1/65.5/60.4 (final classifier; as quoted by later papers). AWA2 appeared later: settings are those of AWA1.

    python -m d3gzsl_jax.main --config=configs/fclswgan_awa2.py --config.data.root=FOLDER    (fclswgan_awa2.py:base without D3)
"""

from ml_collections import ConfigDict

from configs import awa2, bases


def get_config(variant: str = "d3") -> ConfigDict:
    """f-CLSWGAN's settings on AWA2, D3's as released for CUB."""
    config = bases.fclswgan(awa2.get_config(variant), n_syn=1800)
    config.train.learning_rate = 1e-5
    config.train.epochs = 30
    return config
