"""D3GZSL on AWA1, 85 attributes, ResNet-101 features, CE-GZSL base.

Papers: arXiv 2402.11424 (AAAI 2024), arXiv 2103.16173 (CVPR 2021). Expected U/S/H with D3: not published. Without:
65.3/73.4/69.1 (final classifier; Han et al. 2021). Epochs: where the authors stop.

    python -m d3gzsl_jax.main --config=configs/cegzsl_awa1.py --config.data.root=FOLDER    (cegzsl_awa1.py:base without D3)
"""

from ml_collections import ConfigDict

from configs import awa1, bases


def get_config(variant: str = "d3") -> ConfigDict:
    """CE-GZSL's settings on AWA1, D3's as released for CUB."""
    return bases.cegzsl(awa1.get_config(variant), batch_size=4096, decay_every=50, n_syn=1800, epochs=130)
