"""D3GZSL on CUB-200-2011, 1024-d sentence vectors, ResNet-101 features, CE-GZSL base.

Papers: arXiv 2402.11424 (AAAI 2024), arXiv 2103.16173 (CVPR 2021). Expected U/S/H with D3: 66.7/69.1/67.8 (quoted by later
papers, this base inferred). Without: 63.9/66.8/65.3 (final classifier; Han et al. 2021). Epochs: where the authors stop.

    python -m d3gzsl_jax.main --config=configs/cegzsl_cub.py --config.data.root=FOLDER    (cegzsl_cub.py:base without D3)
"""

from ml_collections import ConfigDict

from configs import bases, cub


def get_config(variant: str = "d3") -> ConfigDict:
    """CE-GZSL's settings on CUB, D3's as released for CUB."""
    config = bases.cegzsl(cub.get_config(variant), batch_size=2048, decay_every=100, n_syn=100, epochs=450)
    config.data.semantics = "sent"
    return config
