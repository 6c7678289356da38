"""Checks a configuration before anything is read or written: choices, ranges, types."""

import difflib
import math

from ml_collections import ConfigDict

from d3gzsl_jax.data.loading import SEMANTICS, SOURCES
from d3gzsl_jax.data.pipeline import MODES
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.losses.distillation import SCORES, TARGETS, VARIANTS

FRAMEWORKS = ("wgan",)
CHOICES = {
    "framework": FRAMEWORKS,
    "data.source": SOURCES,
    "data.semantics": SEMANTICS,
    "data.pipeline": MODES,
    "distillation.variant": VARIANTS,
    "distillation.score": SCORES,
    "distillation.target": TARGETS,
}
# field -> (lowest, highest, may equal the lowest)
RANGES = {
    "seed": (0, 2**32 - 1, True),
    "networks.noise": (0, math.inf, True),
    "networks.generator_hidden": (1, math.inf, True),
    "networks.critic_hidden": (1, math.inf, True),
    "networks.embedding": (1, math.inf, True),
    "teacher.epochs": (0, math.inf, True),
    "teacher.batch_size": (1, math.inf, True),
    "teacher.learning_rate": (0.0, math.inf, False),
    "teacher.loss_weight": (0.0, math.inf, False),
    "teacher.threshold": (-1e9, 1e9, True),
    "train.epochs": (1, math.inf, True),
    "train.batch_size": (2, math.inf, True),
    "train.n_critic": (1, math.inf, True),
    "train.learning_rate": (0.0, math.inf, False),
    "train.beta1": (0.0, 1.0 - 1e-9, True),
    "train.beta2": (0.0, 1.0 - 1e-9, False),
    "train.gradient_penalty_weight": (0.0, math.inf, True),
    "train.decay_every": (1, math.inf, True),
    "train.generator_factor": (0.0, math.inf, False),
    "train.critic_factor": (0.0, math.inf, False),
    "train.student_factor": (0.0, math.inf, False),
    "train.confidence_factor": (0.0, math.inf, False),
    "train.steps_per_call": (1, math.inf, True),
    "distillation.n_syn": (0, math.inf, True),
    "distillation.weight_cls": (0.0, math.inf, True),
    "distillation.weight_od": (0.0, math.inf, True),
    "distillation.weight_be": (0.0, math.inf, True),
    "distillation.weight_kl": (0.0, math.inf, True),
    "distillation.temperature": (0.0, math.inf, False),
    "eval.every_epochs": (1, math.inf, True),
    "eval.batch_size": (1, math.inf, True),
}


def check(config: ConfigDict) -> None:
    """Refuses a configuration whose values make no sense.

    Raises:
        UserError: naming the option, its value and what it may be.
    """
    for field, choices in CHOICES.items():
        value = _get(config, field)
        if value not in choices:
            near = difflib.get_close_matches(str(value), choices, n=1)
            guess = f"; did you mean {near[0]!r}?" if near else ""
            raise UserError(f"config.{field}={value!r}: expected one of {', '.join(choices)}{guess}")
    for field, (low, high, closed) in RANGES.items():
        value = _get(config, field)
        whole = isinstance(low, int)
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
            raise UserError(f"config.{field}={value!r}: must be a {'whole ' if whole else ''}number")
        inside = (low <= value if closed else low < value) and value <= high and math.isfinite(value)
        if not inside:
            bounds = f"at least {low:g}" if closed else f"more than {low:g}"
            bounds += f" and less than {math.ceil(high):g}" if 0 < high < 1 else f" and at most {high:g}" if high < math.inf else ""
            raise UserError(f"config.{field}={value!r}: must be {bounds}")
    weights = config.distillation
    if weights.weight_cls == 0.0 and weights.weight_kl == 0.0:
        raise UserError(
            "config.distillation.weight_cls=0 and weight_kl=0: nothing would teach the student, which is what predicts, its "
            "classes; give one of them a weight above 0"
        )


def _get(config: ConfigDict, field: str) -> object:
    node = config
    for name in field.split("."):
        if name not in node:
            raise UserError(f"config.{field}: missing; start from configs/default.py, which documents every field")
        node = node[name]
    return node
