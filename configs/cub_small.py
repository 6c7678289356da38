"""CUB for a machine with two cores: 768 feature dimensions, networks 384 wide, normalised sentence vectors.

    python -m d3gzsl_jax.main --config=configs/cub_small.py --config.data.root=FOLDER   (configs/cub_small.py:cegzsl on CE-GZSL)

These settings are no paper's. Expected on the VGG fc7 features this was tried on (not comparable with ResNet-101 tables):
docs/components.md has the measured figures. On CE-GZSL: smaller batches, its own weights and temperatures.
"""

from ml_collections import ConfigDict

from configs import default
from d3gzsl_jax.config import recipes, variants

FRAMEWORKS = {
    "wgan": {},
    "cegzsl": recipes.cegzsl(
        batch_size=512, decay_every=100, n_syn=100, epochs=100,
        cegzsl__projection=128, cegzsl__comparator_hidden=384, distillation__n_syn=10,
    ),
}  # fmt: skip
"""What differs by framework, as values by dotted field."""


def get_config(variant: str = "d3") -> ConfigDict:
    """Small networks, small batches, a larger learning rate, 60 epochs."""
    chosen = variants.parse(variant, FRAMEWORKS)
    config = default.get_config(chosen.d3)
    config.data.feature_file = "vgg768.mat"
    config.data.semantics = "sent"
    config.data.normalize_semantics = True
    config.networks.noise = 64
    config.networks.generator_hidden = 384
    config.networks.critic_hidden = 384
    config.networks.embedding = 384
    config.teacher.learning_rate = 3e-4
    config.train.batch_size = 128
    config.train.learning_rate = 3e-4
    config.train.epochs = 60
    config.distillation.n_syn = 3
    config.eval.every_epochs = 5
    return chosen.applied(config)
