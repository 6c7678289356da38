"""A hundred classes of CUB for a machine with two cores, or one GPU for a minute: the settings of flo_small.py, sentence vectors.

    python -m d3gzsl_jax.main --config=configs/cub100_small.py:tfvaegan --config.data.root=FOLDER   (or :cadavae,base)

These settings are no paper's. Expected on the EfficientNet-Lite0 features of 73 seen and 27 unseen classes this was tried on (not
comparable with tables of CUB): docs/results.md.
"""

from ml_collections import ConfigDict

from configs import flo_small
from d3gzsl_jax.config import variants

FRAMEWORKS = flo_small.FRAMEWORKS
"""What differs by framework, as values by dotted field."""


def get_config(variant: str = "d3") -> ConfigDict:
    """As for FLO."""
    variants.parse(variant, FRAMEWORKS)
    config = flo_small.get_config(variant)
    config.dataset = "CUB100"
    config.data.root = "data/CUB100"
    config.data.semantics = "sent"
    return config
