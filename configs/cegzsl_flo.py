"""D3GZSL on Oxford Flowers (FLO), 1024-d sentence vectors (which FLO's att_splits.mat holds), ResNet-101 features, CE-GZSL base.

Papers: arXiv 2402.11424 (AAAI 2024), arXiv 2103.16173 (CVPR 2021). Expected U/S/H with D3: not published. Without:
69.0/78.7/73.5 (final classifier; Han et al. 2021). Epochs: where the authors stop. The authors give no batch size for FLO: it
is that of AWA.

    python -m d3gzsl_jax.main --config=configs/cegzsl_flo.py --config.data.root=FOLDER    (cegzsl_flo.py:base without D3)
"""

from ml_collections import ConfigDict

from configs import bases, flo


def get_config(variant: str = "d3") -> ConfigDict:
    """CE-GZSL's settings on FLO, D3's as released for CUB."""
    config = bases.cegzsl(flo.get_config(variant), batch_size=4096, decay_every=100, n_syn=600, epochs=750)
    config.networks.noise = 512
    config.cegzsl.update(comparator_hidden=1024, weight_instance=0.01, weight_class=0.01)
    return config
