"""D3GZSL on CUB-200-2011, 312 attributes, ResNet-101 features, CE-GZSL base.

Papers: arXiv 2402.11424 (AAAI 2024), arXiv 2103.16173 (CVPR 2021). Expected U/S/H with D3: not published. Without:
52.4/60.9/56.4 (final classifier; Han et al. 2021). Epochs: where the authors stop. The authors give no settings for
attributes: these are those for sentences.

    python -m d3gzsl_jax.main --config=configs/cegzsl_cub_att.py --config.data.root=FOLDER    (cegzsl_cub_att.py:base without D3)
"""

from ml_collections import ConfigDict

from configs import bases, cub


def get_config(variant: str = "d3") -> ConfigDict:
    """CE-GZSL's settings on CUB, D3's as released for CUB."""
    return bases.cegzsl(cub.get_config(variant), batch_size=2048, decay_every=100, n_syn=100, epochs=450)
