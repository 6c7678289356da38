"""D3GZSL on CUB, WGAN-GP base, at settings chosen on validation: 768 feature dimensions, networks 384 wide, sentence vectors.

Paper: arXiv 2402.11424 (AAAI 2024); these settings are not the paper's, nor the released ones, which are in `cub.py`. They were
chosen on folds inside trainval alone, never on test rows: docs/results.md has the search and its commands. Expected U/S/H on the
VGG features this was tried on, three seeds: student 47.7 / 58.9 / 52.6, classifier 53.2 / 59.9 / 56.2; without D3 52.7 / 59.3 /
55.7.

    python -m d3gzsl_jax.main --config=configs/cub_validated.py --config.data.root=FOLDER   (cub_validated.py:base without D3)
"""

from ml_collections import ConfigDict

from configs import cub_small


def get_config(variant: str = "d3") -> ConfigDict:
    """cub_small with a larger learning rate, half the epochs, and the epoch, predictor and calibration chosen on validation."""
    config = cub_small.get_config(variant)
    config.train.learning_rate = 1e-3
    config.train.epochs = 20
    config.eval.selection = "validation"
    config.eval.prediction = "auto" if variant == "d3" else "classifier"
    config.eval.every_epochs = 5
    return config
