"""Checks a configuration before anything is read or written: choices, ranges, types."""

import difflib
import math
from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict

from d3gzsl_jax.config import schema
from d3gzsl_jax.config.budget import check_budget
from d3gzsl_jax.config.field_type import LARGEST, WHOLE, Field, named
from d3gzsl_jax.config.load import flat
from d3gzsl_jax.config.method_fields import TERMS
from d3gzsl_jax.config.run_fields import BASELINES
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.text import shortened

MOST_SEEDS = 10_000  # of one results.json
_SCHEDULE = 2000  # epochs, the released number: by then no learning rate may overflow. Longer runs are ended by hand now and then.
_FITTED = ("classifier", "ensemble")  # what predicts with the final classifier
_WHERE = "docs/configuration.md lists every field"


def check(config: ConfigDict) -> None:
    """Refuses a configuration whose values make no sense.

    Raises:
        UserError: naming the option, its value and what it may be.
    """
    if not isinstance(config, ConfigDict):
        raise UserError(f"a configuration is a ml_collections.ConfigDict, as configs/default.py makes it, not {shortened(config)}")
    fields, frameworks = schema.by_name(), schema.framework_names()
    for field in fields.values():
        if field.group not in frameworks:
            _check_value(config, field)
    for field in schema.read_options(config.framework):
        _check_value(config, field)
    _check_names(config, fields)
    check_budget(config)
    _check_batches(config)
    _check_learning_rates(config)
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
    _check_zsl(config)
    _check_selection(config)
    _check_baselines(config)
    _check_warm_ups(config)
    if config.checkpoint.best and config.eval.prediction in _FITTED and config.classifier.fit == "last":
        raise UserError(
            f"config.checkpoint.best={config.checkpoint.best!r}: what predicts is fitted at the end only, so no checkpoint has "
            "that metric; set config.classifier.fit='every', or leave config.checkpoint.best empty"
        )
    _check_use_of_student(config)
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
    seeds, one = config.seeds, schema.by_name()["seed"]
    shown = f"config.seeds={shortened(seeds)}"
    if len(seeds) > MOST_SEEDS:
        raise UserError(f"{shown}: {len(seeds)} seeds; give at most {MOST_SEEDS} at once")
    for seed in seeds:
        if one.problem(seed):
            raise UserError(f"{shown}: {shortened(seed)} is no seed; give whole numbers in [0, 2**32), as in (0,1,2)")
    if len(set(seeds)) < len(seeds):
        raise UserError(f"{shown}: a seed is there twice; give each once")
    if config.data.pipeline == "stream":
        raise UserError(
            "config.data.pipeline='stream' and config.seeds: seeds that are trained together sample rows on the device; give "
            "'device', or each seed by itself, --config.seed"
        )


def check_known(config: ConfigDict, test_seen: bool, test_unseen: bool) -> None:
    """Refuses a configuration that picks by what is not known without test rows of seen, or of unseen, classes.

    Args:
        config: checked.
        test_seen, test_unseen: whether there are such rows.

    Raises:
        UserError: naming the option and what to give instead.
    """
    if not test_unseen:
        _check_known_without_unseen(config, test_seen)
        return
    if test_seen:
        return
    why = "which is not known here: the data has no test_seen rows (a split for conventional zero-shot learning)"
    if config.eval.selection == "test":
        raise UserError(f"config.eval.selection='test': picks by H, {why}; give 'last', or 'validation' with criterion='zsl'")
    if config.checkpoint.best in ("test_harmonic", "test_seen"):
        raise UserError(f"config.checkpoint.best={config.checkpoint.best!r}: picks by a figure {why}; give 'test_zsl' or ''")


def _check_known_without_unseen(config: ConfigDict, test_seen: bool) -> None:
    why = f"which is not known here: the data has no {'' if test_seen else 'test_seen and no '}test_unseen rows"
    if config.eval.selection == "test":
        raise UserError(f"config.eval.selection='test': picks by H, {why}; give 'validation', which picks on folds, or 'last'")
    if (best := config.checkpoint.best) and not (test_seen and best == "test_seen"):
        other = "'test_seen' or ''" if test_seen else "''"
        raise UserError(f"config.checkpoint.best={best!r}: picks by a figure {why}; give {other}")


def _check_zsl(config: ConfigDict) -> None:
    """Refuses a softmax of T1's own that there would be no rows for."""
    of = config.classifier
    if of.zsl_n_syn > of.n_syn:
        raise UserError(
            f"config.classifier.zsl_n_syn={of.zsl_n_syn}: config.classifier.n_syn={of.n_syn} rows of a class are synthesized; give "
            "at most so many, or 0 for all"
        )
    if of.zsl == "own" and of.n_syn == 0:
        raise UserError(
            "config.classifier.zsl='own' and config.classifier.n_syn=0: there would be no row to fit it to; synthesize some, or "
            "give 'restricted'"
        )


def _check_use_of_student(config: ConfigDict) -> None:
    """Refuses what needs D3's student where there is none."""
    of = config.eval
    if config.classifier.inputs == "student" and not has_student(config):
        raise UserError(
            "config.classifier.inputs='student': needs D3's student (config.distillation.weight_cls or weight_kl above 0); give "
            "'method'"
        )
    if of.prediction == "ensemble" and not of.ensemble:
        raise UserError("config.eval.prediction='ensemble' and config.eval.ensemble=False: there is none to predict with; set it")
    if of.ensemble and not (has_student(config) and config.classifier.fit != "never"):
        raise UserError(
            "config.eval.ensemble=True: needs D3's student (config.distillation.weight_cls or weight_kl above 0) and the final "
            "classifier (config.classifier.fit not 'never'); leave it off"
        )


def _check_warm_ups(config: ConfigDict) -> None:
    """Options of a framework called X_start and X_end."""
    of = config.get(config.framework, {})
    for name in (name.removesuffix("_end") for name in of if name.endswith("_end")):
        start, end = of[f"{name}_start"], of[f"{name}_end"]
        if end <= start:
            raise UserError(f"config.{config.framework}.{name}_end={end}: must be more than {name}_start, which is {start}")


def _check_selection(config: ConfigDict) -> None:
    of, fitted = config.eval, config.classifier.fit
    if of.prediction == "auto" and of.selection != "validation":
        raise UserError(
            f"config.eval.prediction='auto' and config.eval.selection={of.selection!r}: which predictor is better can only be "
            "chosen by selection='validation'"
        )
    if of.prediction == "auto" and fitted == "never" and not has_student(config):
        raise UserError("config.eval.prediction='auto', config.classifier.fit='never' and no D3: there is nothing to predict with")
    if of.selection == "test" and of.prediction in _FITTED and fitted == "last":
        raise UserError(
            "config.eval.selection='test' and config.classifier.fit='last': the final classifier would be evaluated once, with "
            "nothing to select from; set config.classifier.fit='every'"
        )
    if of.selection == "validation" and config.checkpoint.best:
        raise UserError(
            f"config.checkpoint.best={config.checkpoint.best!r}: picks on the test set, which config.eval.selection='validation' "
            "looks at once, at the end; leave it empty"
        )
    if calibrates(config) and of.selection != "validation":
        raise UserError(
            f"config.eval.calibration='folds' and config.eval.selection={of.selection!r}: there are no folds to choose gamma on; "
            "give selection='validation', or calibration='none'"
        )
    if not of.retrain and of.selection != "validation":
        raise UserError(f"config.eval.retrain=False: means nothing with config.eval.selection={of.selection!r}; use 'validation'")


def baselines(config: ConfigDict) -> tuple[str, ...]:
    """The names in config.eval.baselines, each once."""
    return tuple(dict.fromkeys(name.strip() for name in config.eval.baselines.split(",") if name.strip()))


def _check_baselines(config: ConfigDict) -> None:
    """Refuses baselines that there are not, or that nothing would be chosen for."""
    names = baselines(config)
    for name in names:
        if name not in BASELINES:
            near = difflib.get_close_matches(name, BASELINES, n=1)
            guess = f"; did you mean {near[0]!r}?" if near else ""
            raise UserError(
                f"config.eval.baselines={shortened(config.eval.baselines)}: {shortened(name)} is none; give some of "
                f"{','.join(BASELINES)}{guess}"
            )
    if names and config.eval.selection != "validation":
        raise UserError(
            f"config.eval.baselines={shortened(config.eval.baselines)} and config.eval.selection={config.eval.selection!r}: their "
            "hyperparameters are chosen on folds; give selection='validation', or leave baselines empty"
        )


def has_distillation(config: ConfigDict) -> bool:
    """Whether D3 is on: any of its terms has weight."""
    return any(config.distillation[f"weight_{name}"] > 0.0 for name in TERMS)


def calibrates(config: Mapping[str, Any] | ConfigDict) -> bool:
    """Whether a run predicts at the gamma that its folds choose; `config` may be one that was saved, nested."""
    return (config.get("eval") or {}).get("calibration") == "folds"


def has_student(config: ConfigDict) -> bool:
    """Whether D3 teaches a student its classes, so that it can predict."""
    return config.distillation.weight_cls > 0.0 or config.distillation.weight_kl > 0.0


def _check_batches(config: ConfigDict) -> None:
    """Refuses the one row that no batch may have."""
    if config.train.batch_size == 1:
        raise UserError("config.train.batch_size=1: a batch needs 2 rows at least; give 0 to have it chosen")


def check_counters(config: ConfigDict, updates: int, teacher_updates: int) -> None:
    """Refuses more outer steps, or optimiser updates, than a 32-bit counter holds.

    Args:
        config: of the run.
        updates: of an epoch of training, all its phases together.
        teacher_updates: of an epoch of its pretraining; 0 without D3.

    Raises:
        UserError: naming the field.
    """
    teacher = config.teacher
    in_epochs = teacher.epochs if not teacher.updates else 0  # a budget is a number that fits
    of_stages = [(field, epochs, updates) for field, epochs in epochs_by_field(config).items()]
    for field, epochs, each in (*of_stages, ("teacher.epochs", in_epochs, teacher_updates)):
        if epochs * each > WHOLE:
            raise UserError(
                f"config.{field}={epochs}: with {each} updates an epoch on this data these are more than a 32-bit counter "
                f"holds; give at most {WHOLE // each}"
            )


def epochs_by_field(config: ConfigDict) -> dict[str, int]:
    """By field the epochs it asks for: of the run, and of what a base method trains before it, where that is said by itself."""
    first = config.get(config.framework, {}).get("representation_epochs", 0)
    return {"train.epochs": config.train.epochs} | ({f"{config.framework}.representation_epochs": first} if first else {})


def _check_value(config: ConfigDict, field: Field) -> None:
    value = _get(config, field.name)
    if problem := field.problem(value):
        raise UserError(named(field.name, value, problem))


def _check_names(config: ConfigDict, fields: dict[str, Field]) -> None:
    """Refuses a field that means nothing, such as one misspelt in a file, and values that the files of a run cannot hold."""
    for name, value in flat(config):
        if not isinstance(value, bool | int | float | str | tuple | list | None):
            raise UserError(named(name, value, "must be a number, a text, True or False, or a list of these"))
        if name not in fields:
            raise UserError(f"config.{name}: {_unknown(name, fields)}")


def _unknown(name: str, fields: dict[str, Field]) -> str:
    group, near = name.partition(".")[0], difflib.get_close_matches(name, fields, n=1)
    if group in schema.framework_names():
        return f"the framework {group!r} has no such option" + (f"; did you mean config.{near[0]}?" if near else "")
    return "no such field; " + (f"did you mean config.{near[0]}?" if near else _WHERE)


def _check_learning_rates(config: ConfigDict) -> None:
    """Refuses a schedule under which a learning rate overflows float32."""
    train = config.train
    decays = (min(max(epochs_by_field(config).values()), _SCHEDULE) - 1) // train.decay_every
    for field in ("generator_factor", "critic_factor", "student_factor", "confidence_factor"):
        if math.log(train.learning_rate) + decays * math.log(train[field]) > math.log(LARGEST):
            raise UserError(
                f"config.train.{field}={train[field]!r}: after {decays} times the learning rate would be more than a 32-bit number "
                "holds; give one nearer 1, or raise config.train.decay_every"
            )


def _get(config: ConfigDict, field: str) -> object:
    node = config
    for name in field.split("."):
        if not hasattr(node, "items") or name not in node:
            raise UserError(f"config.{field}: missing; start from configs/default.py, which has every field")
        node = node[name]
    return node
