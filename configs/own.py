"""Data of your own, of any size: one .npz file, as `d3gzsl embed` writes, or any other source by its fields.

    d3gzsl train --config=own --config.data.root=birds.npz
    python -m d3gzsl_jax.main --config=configs/own.py --config.data.root=birds.npz

configs/own.py:d3 is with D3, :wgan and :fvaegan with D3 on others.

CADA-VAE without D3, unless another word is given: on the folds of three small sets it was the best of five (docs/own_pictures.md).
Nothing is tuned to a benchmark, and no figures are published. Expected: what the folds say. How long is a budget of outer steps,
and of updates of the teacher, whatever the number of rows; learning rates stay constant; widths, batches and folds follow the size
of the data. CADA-VAE's weights rise by the sixty parts of the budget, that of cross reconstruction to 70 % of the whole. What
predicts, its epoch and calibration are chosen on folds of the seen classes, where baselines without synthesis are fitted beside it;
what follows from the figures is said in words at the end.
"""

from typing import Any

from ml_collections import ConfigDict

from configs import default
from d3gzsl_jax.config import recipes, variants
from d3gzsl_jax.config.method_fields import TERMS

TEACHER_UPDATES = 500
"""Of D3's teacher: by epochs, one of 30 rows would hardly be sure of any; after many more it is sure of unseen classes too."""


def budget(steps: int, parts: int, evaluations: int) -> dict[str, Any]:
    """So many outer steps, in so many epochs, evaluated so often; and what all frameworks have in common."""
    return {
        "train.outer_steps": steps, "train.epochs": parts, "train.batch_size": 0, "train.generator_factor": 1.0,
        "train.critic_factor": 1.0, "train.student_factor": 1.0, "train.confidence_factor": 1.0,
        "classifier.epochs": 25, "classifier.n_syn": 100, "classifier.batch_size": 64, "classifier.zsl": "restricted",
        "classifier.zsl_epochs": 0, "classifier.zsl_n_syn": 0, "eval.every_epochs": parts // evaluations,
    }  # fmt: skip


_OF_GANS = budget(1000, 50, 10)  # of six updates each
FRAMEWORKS = {
    "cadavae": recipes.cadavae(classifier_epochs=25, zsl_epochs=25, train__learning_rate=1e-3) | budget(3000, 60, 15) | {
        f"cadavae.{name}_hidden": 256 for name in ("feature_encoder", "semantic_encoder", "feature_decoder", "semantic_decoder")
    },
    "wgan": {**_OF_GANS, "train.learning_rate": 1e-3, **dict.fromkeys(map("distillation.weight_{}".format, TERMS), 1e-2)},
    "fvaegan": recipes.fvaegan(n_syn=100, epochs=50, learning_rate=1e-3) | _OF_GANS,
}  # fmt: skip
"""What differs by framework, as values by dotted field."""


def get_config(variant: str = "base") -> ConfigDict:
    """Everything by the size of the data."""
    chosen = variants.parse(variant, FRAMEWORKS)
    config = default.get_config(chosen.d3)
    config.dataset = "own"
    config.data.source = "npz"
    config.data.root = ""  # to be given
    config.data.pipeline = "device"  # of any size that people have; the same batches without TensorFlow
    config.data.normalize_semantics = True
    config.data.scaling = config.networks.output = "auto"
    config.networks.noise = 32
    config.networks.generator_hidden = config.networks.critic_hidden = config.networks.embedding = 0
    config.teacher.updates = TEACHER_UPDATES
    config.teacher.batch_size = 0
    config.teacher.learning_rate = 1e-3
    config.distillation.n_syn = 20
    config.eval.selection = "validation"
    config.eval.prediction = "auto" if chosen.has_d3 else "classifier"
    config.eval.calibration = "folds"
    config.eval.folds = 0
    config.eval.fold_classes = 0.25
    config.eval.baselines = "eszsl,regressor,class_norm,clip"
    config.eval.model_predicts = "best"
    return chosen.applied(config)
