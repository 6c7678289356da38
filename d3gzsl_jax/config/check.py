"""Checks a configuration before anything is read or written: choices, ranges, types."""

import difflib
import math
import sys

from ml_collections import ConfigDict

from d3gzsl_jax.config.load import flat
from d3gzsl_jax.data.batches import MODES
from d3gzsl_jax.data.load import SOURCES
from d3gzsl_jax.distillation.sampling import HEADS
from d3gzsl_jax.distillation.terms import TERM_NAMES
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.evaluation.selection import CRITERIA, SELECTIONS
from d3gzsl_jax.frameworks.registry import FRAMEWORKS
from d3gzsl_jax.losses.distillation import SCORES, TARGETS, VARIANTS
from d3gzsl_jax.precision import PRECISIONS
from d3gzsl_jax.runs.display import METRICS
from d3gzsl_jax.runs.resume import RESUME
from d3gzsl_jax.text import shortened
from d3gzsl_jax.training.joint import SEEDS_AS

CHOICES = {
    "framework": tuple(FRAMEWORKS),
    "data.source": SOURCES,
    "data.pipeline": MODES,
    "distillation.variant": VARIANTS,
    "distillation.score": SCORES,
    "distillation.target": TARGETS,
    "distillation.head": HEADS,
    "precision": tuple(PRECISIONS),
    "classifier.fit": ("never", "last", "every"),
    "eval.prediction": ("student", "classifier", "auto"),
    "eval.selection": SELECTIONS,
    "eval.criterion": CRITERIA,
    "train.resume": RESUME,
    "parallel.seeds_as": SEEDS_AS,
    "checkpoint.best": ("", *(f"test_{metric}" for metric in METRICS.values())),
}
SWITCHES = ("log.report", "log.tensorboard", "eval.retrain", "data.normalize_semantics", "guards.memory")
TEXTS = (
    "dataset", "data.root", "data.manual_dir", "data.feature_file", "data.semantics", "data.unseen_classes", "data.leave_out",
)  # fmt: skip
MOST_SEEDS = 10_000  # of one results.json
_WHOLE = 2**31 - 1  # counters, sizes and row numbers are 32-bit on the device
_FLOAT, _TINY = 3.4028234e38, 1.1754944e-38  # the largest and the smallest float32
_ANY = sys.float_info.max  # of what never gets to the device
_COOLEST = 1e-6  # temperature: logits over a smaller one overflow float32
_SCHEDULE = 2000  # epochs, the released number: by then no learning rate may overflow. Longer runs are ended by hand now and then.
# field -> (lowest, highest, may equal the lowest); math.inf: what the device's numbers hold
RANGES = {
    "seed": (0, 2**32 - 1, True),
    "data.stress.imbalance": (1.0, _ANY, True),
    "data.stress.seen_rows": (0.0, 1.0, False),
    "data.stress.test_imbalance": (1.0, _ANY, True),
    "data.stress.feature_noise": (0.0, math.inf, True),
    "data.stress.semantic_noise": (0.0, math.inf, True),
    "data.stress.seen_classes": (0, math.inf, True),
    "data.stress.unseen_classes": (0, math.inf, True),
    "data.stress.seed": (0, 2**32 - 1, True),
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
    "parallel.devices": (0, math.inf, True),
    "parallel.seeds": (0, math.inf, True),
    "checkpoint.every_minutes": (0.0, _ANY, True),
    "checkpoint.keep": (1, math.inf, True),
    "guards.loss_limit": (0.0, _ANY, False),
    "guards.diversity": (0.0, math.inf, True),
    "distillation.n_syn": (0, math.inf, True),
    "distillation.unseen_per_step": (0, math.inf, True),
    "distillation.weight_cls": (0.0, math.inf, True),
    "distillation.weight_od": (0.0, math.inf, True),
    "distillation.weight_be": (0.0, math.inf, True),
    "distillation.weight_kl": (0.0, math.inf, True),
    "distillation.temperature": (0.0, math.inf, False),
    "classifier.n_syn": (0, math.inf, True),
    "classifier.epochs": (1, math.inf, True),
    "classifier.batch_size": (1, math.inf, True),
    "classifier.learning_rate": (0.0, math.inf, False),
    "classifier.beta1": (0.0, 1.0 - 1e-9, True),
    "classifier.logit_adjustment": (0.0, math.inf, True),
    "eval.every_epochs": (1, math.inf, True),
    "eval.batch_size": (1, math.inf, True),
    "eval.folds": (1, math.inf, True),
    "eval.fold_classes": (0.0, 0.9, False),
    "eval.fold_rows": (0.0, 0.9, False),
    "eval.fold_seed": (0, 2**32 - 1, True),
}


def check(config: ConfigDict) -> None:
    """Refuses a configuration whose values make no sense.

    Raises:
        UserError: naming the option, its value and what it may be.
    """
    if not isinstance(config, ConfigDict):
        raise UserError(f"a configuration is a ml_collections.ConfigDict, as configs/default.py makes it, not {shortened(config)}")
    _check_choices(config, CHOICES)
    _check_ranges(config, RANGES)
    for fields, kind, what in ((SWITCHES, bool, "True or False"), (TEXTS, str, "a text")):
        for field in fields:
            if not isinstance(value := _get(config, field), kind):
                raise UserError(f"config.{field}={shortened(value)}: must be {what}")
    if not isinstance(config.get("seeds", ()), tuple | list):
        raise UserError(f"config.seeds={shortened(config.seeds)}: must be a list of whole numbers, as in (0,1,2), or () for none")
    _check_names(config)
    _check_learning_rates(config)
    name = config.framework
    own = FRAMEWORKS[name]
    _check_choices(config, {f"{name}.{field}": words for field, words in own.CHOICES.items()})
    _check_ranges(config, {f"{name}.{field}": bounds for field, bounds in own.RANGES.items()})
    unknown = sorted(set(config.get(name, {})) - {*own.RANGES, *own.CHOICES})
    if unknown:
        raise UserError(f"config.{name}.{unknown[0]}: the base method {name!r} has no such option")
    sampled = config.distillation.unseen_per_step
    if sampled == 1:
        raise UserError(
            "config.distillation.unseen_per_step=1: no pair of two unseen classes could be drawn; give 2 or more, or 0 for all"
        )
    if config.distillation.head == "sampled" and not sampled:
        raise UserError(
            "config.distillation.head='sampled': there is no sample of classes with config.distillation.unseen_per_step=0; give it "
            "a number of classes, or head='all'"
        )
    if config.eval.prediction == "classifier" and config.classifier.fit == "never":
        raise UserError(
            "config.eval.prediction='classifier' and config.classifier.fit='never': what is to predict would never be fitted; fit "
            "it 'last' (at the end) or 'every' (after every evaluated epoch), or let D3's 'student' predict"
        )
    _check_selection(config)
    if config.checkpoint.best and config.eval.prediction == "classifier" and config.classifier.fit == "last":
        raise UserError(
            f"config.checkpoint.best={config.checkpoint.best!r}: what predicts is fitted at the end only, so no checkpoint has "
            "that metric; set config.classifier.fit='every', or leave config.checkpoint.best empty"
        )
    if config.eval.prediction == "student" and not has_student(config):
        raise UserError(
            "config.distillation.weight_cls=0 and weight_kl=0: nothing would teach the student its classes, and "
            "config.eval.prediction='student' asks it; give one of them a weight above 0, or predict by the 'classifier'"
        )


def check_seeds(config: ConfigDict) -> None:
    """Refuses config.seeds where several cannot be trained together.

    Raises:
        UserError: naming the option, its value and what it may be.
    """
    seeds, (low, high, _) = config.seeds, RANGES["seed"]
    shown = f"config.seeds={shortened(seeds)}"
    if len(seeds) > MOST_SEEDS:
        raise UserError(f"{shown}: {len(seeds)} seeds; give at most {MOST_SEEDS} at once")
    for seed in seeds:
        if isinstance(seed, bool) or not isinstance(seed, int) or not low <= seed <= high:
            raise UserError(f"{shown}: {shortened(seed)} is no seed; give whole numbers in [0, 2**32), as in (0,1,2)")
    if len(set(seeds)) < len(seeds):
        raise UserError(f"{shown}: a seed is there twice; give each once")
    if config.data.pipeline == "stream":
        raise UserError(
            "config.data.pipeline='stream' and config.seeds: seeds that are trained together sample rows on the device; give "
            "'device', or each seed by itself, --config.seed"
        )


def check_known(config: ConfigDict, test_seen: bool) -> None:
    """Refuses a configuration that picks by what is not known without test rows of seen classes.

    Args:
        config: checked.
        test_seen: whether there are such rows.

    Raises:
        UserError: naming the option and what to give instead.
    """
    if test_seen:
        return
    why = "which is not known here: the data has no test_seen rows (a split for conventional zero-shot learning)"
    if config.eval.selection == "test":
        raise UserError(f"config.eval.selection='test': picks by H, {why}; give 'last', or 'validation' with criterion='zsl'")
    if config.checkpoint.best in ("test_harmonic", "test_seen"):
        raise UserError(f"config.checkpoint.best={config.checkpoint.best!r}: picks by a figure {why}; give 'test_zsl' or ''")


def _check_selection(config: ConfigDict) -> None:
    of, fitted = config.eval, config.classifier.fit
    if of.prediction == "auto" and of.selection != "validation":
        raise UserError(
            f"config.eval.prediction='auto' and config.eval.selection={of.selection!r}: which predictor is better can only be "
            "chosen by selection='validation'"
        )
    if of.prediction == "auto" and fitted == "never" and not has_student(config):
        raise UserError("config.eval.prediction='auto', config.classifier.fit='never' and no D3: there is nothing to predict with")
    if of.selection == "test" and of.prediction == "classifier" and fitted == "last":
        raise UserError(
            "config.eval.selection='test' and config.classifier.fit='last': the final classifier would be evaluated once, with "
            "nothing to select from; set config.classifier.fit='every'"
        )
    if of.selection == "validation" and config.checkpoint.best:
        raise UserError(
            f"config.checkpoint.best={config.checkpoint.best!r}: picks on the test set, which config.eval.selection='validation' "
            "looks at once, at the end; leave it empty"
        )
    if not of.retrain and of.selection != "validation":
        raise UserError(f"config.eval.retrain=False: means nothing with config.eval.selection={of.selection!r}; use 'validation'")


def has_distillation(config: ConfigDict) -> bool:
    """Whether D3 is on: any of its terms has weight."""
    return any(config.distillation[f"weight_{name}"] > 0.0 for name in TERM_NAMES)


def has_student(config: ConfigDict) -> bool:
    """Whether D3 teaches a student its classes, so that it can predict."""
    return config.distillation.weight_cls > 0.0 or config.distillation.weight_kl > 0.0


def check_length(config: ConfigDict, per_epoch: int, teacher_updates: int) -> None:
    """Refuses more outer steps, or optimiser updates, than a 32-bit counter holds.

    Args:
        config: of the run.
        per_epoch: outer steps of an epoch.
        teacher_updates: of an epoch of its pretraining; 0 without D3.

    Raises:
        UserError: naming the field.
    """
    train = config.train
    updates = per_epoch * (train.n_critic + 1)  # of the student, in an epoch
    for field, epochs, each in (("train", train.epochs, updates), ("teacher", config.teacher.epochs, teacher_updates)):
        if epochs * each > _WHOLE:
            raise UserError(
                f"config.{field}.epochs={epochs}: with {each} updates an epoch on this data these are more than a 32-bit counter "
                f"holds; give at most {_WHOLE // each}"
            )


def _check_names(config: ConfigDict) -> None:
    """Refuses a field that means nothing, such as one misspelt in a file, and values that the files of a run cannot hold."""
    known = {*CHOICES, *RANGES, *SWITCHES, *TEXTS, "seeds"}
    for field, value in flat(config):
        if not isinstance(value, bool | int | float | str | tuple | list | None):
            raise UserError(f"config.{field}={shortened(value)}: must be a number, a text, True or False, or a list of these")
        if field not in known and field.partition(".")[0] not in FRAMEWORKS:
            near = difflib.get_close_matches(field, known, n=1)
            guess = f"did you mean config.{near[0]}?" if near else "configs/default.py documents every field"
            raise UserError(f"config.{field}: no such field; {guess}")


def _check_learning_rates(config: ConfigDict) -> None:
    """Refuses a schedule under which a learning rate overflows float32."""
    train = config.train
    decays = (min(train.epochs, _SCHEDULE) - 1) // train.decay_every
    for field in ("generator_factor", "critic_factor", "student_factor", "confidence_factor"):
        if math.log(train.learning_rate) + decays * math.log(train[field]) > math.log(_FLOAT):
            raise UserError(
                f"config.train.{field}={train[field]!r}: after {decays} times the learning rate would be more than a 32-bit number "
                "holds; give one nearer 1, or raise config.train.decay_every"
            )


def _check_choices(config: ConfigDict, choices_by_field: dict[str, tuple[str, ...]]) -> None:
    for field, choices in choices_by_field.items():
        value = _get(config, field)
        if not isinstance(value, str) or value not in choices:
            near = difflib.get_close_matches(value, choices, n=1) if isinstance(value, str) else []
            guess = f"; did you mean {near[0]!r}?" if near else ""
            raise UserError(f"config.{field}={shortened(value)}: expected one of {', '.join(choices)}{guess}")


def _check_ranges(config: ConfigDict, ranges: dict[str, tuple[float, float, bool]]) -> None:
    for field, (low, high, closed) in ranges.items():
        value = _get(config, field)
        whole = isinstance(low, int)
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
            raise UserError(f"config.{field}={shortened(value)}: must be a {'whole ' if whole else ''}number")
        most = high if high < math.inf else _WHOLE if whole else _FLOAT
        # The bounds first: a whole number can be too large for a float.
        if not (low <= value if closed else low < value) or not value <= most:
            bounds = f"at least {low:g}" if closed else f"more than {low:g}"
            if 0 < most < 1:
                bounds += f" and less than {math.ceil(most):g}"
            elif high < math.inf or value > most:
                bounds += f" and at most {high:g}" if high < math.inf else f" and at most {most}"
            raise UserError(f"config.{field}={shortened(value)}: must be {bounds}")
        least = _COOLEST if "temperature" in field else _TINY
        if not whole and 0.0 < value < least:
            raise UserError(f"config.{field}={shortened(value)}: too small for 32-bit numbers; give at least {least:g}")


def _get(config: ConfigDict, field: str) -> object:
    node = config
    for name in field.split("."):
        if not hasattr(node, "items") or name not in node:
            raise UserError(f"config.{field}: missing; start from configs/default.py, which documents every field")
        node = node[name]
    return node
