"""D3GZSL on CUB for a small machine: 768 feature dimensions, networks 384 wide, normalised sentence vectors.

Paper: arXiv 2402.11424; these settings are not the paper's. Expected on the VGG fc7 features this was tried on (not comparable
with ResNet-101 tables): BUILD_NOTES.md has the measured figures.

    python -m d3gzsl_jax.main --config=configs/cub_small.py --config.data.root=FOLDER
"""

from ml_collections import ConfigDict

from configs import default


def get_config(variant: str = "d3") -> ConfigDict:
    """Small networks, small batches, a larger learning rate, 60 epochs."""
    config = default.get_config(variant)
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
    return config
