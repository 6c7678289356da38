"""D3GZSL on SUN, 102 attributes, ResNet-101 features, CE-GZSL base.

Papers: arXiv 2402.11424 (AAAI 2024), arXiv 2103.16173 (CVPR 2021). Expected U/S/H with D3: not published. Without:
48.8/38.6/43.1 (final classifier; Han et al. 2021). Epochs: where the authors stop.

    python -m d3gzsl_jax.main --config=configs/cegzsl_sun.py --config.data.root=FOLDER    (cegzsl_sun.py:base without D3)
"""

from ml_collections import ConfigDict

from configs import bases, sun


def get_config(variant: str = "d3") -> ConfigDict:
    """CE-GZSL's settings on SUN, D3's as released for CUB."""
    config = bases.cegzsl(sun.get_config(variant), batch_size=1024, decay_every=100, n_syn=100, epochs=1000)
    config.train.learning_rate = 5e-5
    config.cegzsl.update(comparator_hidden=1024, weight_instance=0.01, weight_class=0.01)
    return config
