"""D3GZSL on CUB for a small machine, CE-GZSL base: 768 feature dimensions, narrow networks, normalised sentence vectors.

Papers: arXiv 2402.11424 (AAAI 2024), arXiv 2103.16173 (CVPR 2021); these settings are neither's. Expected on the VGG fc7 features
this was tried on (not comparable with ResNet-101 tables): BUILD_NOTES.md has the measured figures.

    python -m d3gzsl_jax.main --config=configs/cegzsl_cub_small.py --config.data.root=FOLDER   (cegzsl_cub_small.py:base without D3)
"""

from ml_collections import ConfigDict

from configs import bases, cub_small


def get_config(variant: str = "d3") -> ConfigDict:
    """cub_small's widths, learning rate and semantics, smaller batches, CE-GZSL's own weights and temperatures."""
    config = bases.cegzsl(cub_small.get_config(variant), batch_size=512, decay_every=100, n_syn=100, epochs=100)
    config.cegzsl.projection = 128
    config.cegzsl.comparator_hidden = 384
    config.distillation.n_syn = 10
    return config
