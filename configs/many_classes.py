"""D3GZSL with very many unseen classes: a step sees 50 of them, and its cost does not grow with how many there are.

Paper: arXiv 2402.11424 has nothing of this size. Expected U/S/H: none is published; `tools/simulated/benchmark.py` makes data to
try it on.

    python tools/simulated/benchmark.py --seen 1000 --unseen 20000 --output data/many.npz
    python -m d3gzsl_jax.main --config=configs/many_classes.py --config.data.root=data/many.npz
"""

from ml_collections import ConfigDict

from configs import default
from d3gzsl_jax.config import variants

FRAMEWORKS = {"wgan": {}}


def get_config(variant: str = "d3") -> ConfigDict:
    """The released networks; unseen classes sampled, the student's head narrowed to them, no final classifier besides the student
    (it is fitted to rows of every unseen class at once; without D3 it is all there is, with two rows of each)."""
    chosen = variants.parse(variant, FRAMEWORKS)
    config = default.get_config(chosen.d3)
    config.dataset = "many classes"
    config.data.source = "npz"
    config.data.root = "data/many.npz"
    config.data.normalize_semantics = True
    config.train.epochs = 50
    config.distillation.unseen_per_step = 50
    config.distillation.head = "sampled"
    config.classifier.n_syn = 2
    if chosen.has_d3:
        config.classifier.fit = "never"
    config.eval.every_epochs = 10
    return chosen.applied(config)
