"""D3GZSL on CUB, CE-GZSL base, at settings chosen on validation: 768 feature dimensions, networks 256 wide, sentence vectors.

Papers: arXiv 2402.11424 (AAAI 2024), arXiv 2103.16173 (CVPR 2021); these settings are neither's, nor the released ones, those of
`cegzsl_cub.py`. They were chosen on folds inside trainval alone, never on test rows: docs/results.md has the search and its
commands. Expected U/S/H on the VGG features this was tried on, three seeds: student 50.6 / 51.8 / 51.2, classifier 43.6 / 59.9 /
50.5; without D3 42.6 / 59.7 / 49.7.

    python -m d3gzsl_jax.main --config=configs/cegzsl_cub_validated.py --config.data.root=FOLDER   (…:base without D3)
"""

from ml_collections import ConfigDict

from configs import bases, cub_validated


def get_config(variant: str = "d3") -> ConfigDict:
    """cub_validated's rate, batches of 128 and epochs; CE-GZSL's own weights, temperatures and decay."""
    config = cub_validated.get_config(variant)
    every = config.eval.every_epochs
    config = bases.cegzsl(config, batch_size=128, decay_every=100, n_syn=100, epochs=config.train.epochs)
    config.train.steps_per_call = 16
    config.cegzsl.projection = 128
    config.networks.update(generator_hidden=256, critic_hidden=256, embedding=256)
    config.cegzsl.comparator_hidden = 256
    config.distillation.n_syn = 3
    config.eval.every_epochs = every
    return config
