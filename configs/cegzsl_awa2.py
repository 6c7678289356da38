"""D3GZSL on AWA2, 85 attributes, ResNet-101 features, CE-GZSL base.

Papers: arXiv 2402.11424 (AAAI 2024), arXiv 2103.16173 (CVPR 2021). Expected U/S/H with D3: 64.6/76.7/70.1 (quoted by later
papers, this base inferred). Without: 63.1/78.6/70.0 (final classifier; Han et al. 2021). Epochs: where the authors stop.

    python -m d3gzsl_jax.main --config=configs/cegzsl_awa2.py --config.data.root=FOLDER    (cegzsl_awa2.py:base without D3)
"""

from ml_collections import ConfigDict

from configs import awa2, bases


def get_config(variant: str = "d3") -> ConfigDict:
    """CE-GZSL's settings on AWA2, D3's as released for CUB."""
    return bases.cegzsl(awa2.get_config(variant), batch_size=4096, decay_every=10, n_syn=2400, epochs=130)
