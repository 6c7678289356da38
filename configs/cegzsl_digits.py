"""D3GZSL on the embedded digits, CE-GZSL base: 7 seen and 3 unseen handwritten digits, 21 stroke attributes; no download.

Papers: arXiv 2402.11424 (AAAI 2024), arXiv 2103.16173 (CVPR 2021); neither has such a benchmark. Expected: docs/results.md. The
widths are those of digits.py in proportion; weights and temperatures are CE-GZSL's own.

    python -m d3gzsl_jax.main --config=configs/cegzsl_digits.py   (cegzsl_digits.py:base without D3)
"""

from ml_collections import ConfigDict

from configs import bases, digits


def get_config(variant: str = "d3") -> ConfigDict:
    """digits.py's networks, rates and batches on CE-GZSL."""
    config = digits.get_config(variant)
    own, train = config.copy_and_resolve_references(), config.train
    config = bases.cegzsl(
        config, batch_size=train.batch_size, decay_every=100, n_syn=own.classifier.n_syn, epochs=train.epochs
    )
    config.classifier.batch_size = own.classifier.batch_size
    config.distillation.n_syn = own.distillation.n_syn
    config.eval.every_epochs = own.eval.every_epochs
    config.train.steps_per_call = own.train.steps_per_call
    config.cegzsl.projection = 64
    config.cegzsl.comparator_hidden = 128
    return config
