"""The fields that are searched: given as a range or a list, or by default around the configuration's own values."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from d3gzsl_jax.config import check, schema
from d3gzsl_jax.config.load import flat, override_by_text
from d3gzsl_jax.config.method_fields import TERMS
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.studies.overrides import assignment
from d3gzsl_jax.text import cut

COMMON_WEIGHT = "distillation.weights"
"""In place of a field: one weight for all of D3's terms that the configuration has on."""

_WEIGHTS = tuple(f"distillation.weight_{term}" for term in TERMS)
_GROUPS = ("networks", "teacher", "train", "distillation", "classifier")
_OF_DATA = ("data.scaling", "data.normalize_semantics")
_ON_FOLDS = ("train.epochs", "train.outer_steps", "classifier.epochs")
_OF_D3 = ("teacher", "distillation")
_FORM = "expected NAME=LOW..HIGH, NAME=LOW..HIGH:log or NAME=VALUE,VALUE"
_END = r"\.?[^.:]+(?:\.[^.:]+)*\.?"  # of a range, a number or not: without two dots in a row
_DIGITS, _OF_ENDS = 4, 3  # of a value, and of the ends of a default range


class Searched(NamedTuple):
    """A field, and the values it may have.

    Attributes:
        name: as it was given; what Optuna calls it.
        fields: dotted fields of the configuration that are set to its value.
        own: the configuration's own value.
        low, high: of a range, both included; None of a list.
        log: whether a range is drawn from by its logarithm.
        choices: a list; () of a range.
    """

    name: str
    fields: tuple[str, ...]
    own: Any
    low: float | None = None
    high: float | None = None
    log: bool = False
    choices: tuple[Any, ...] = ()

    def suggest(self, trial: Any) -> Any:
        """A value for an Optuna trial; the one it has, where it has one."""
        if self.choices:
            return trial.suggest_categorical(self.name, self.choices)
        of_kind = trial.suggest_int if isinstance(self.own, int) else trial.suggest_float
        return of_kind(self.name, self.low, self.high, log=self.log)

    def overrides(self, value: Any) -> dict[str, Any]:
        """What a value sets, by dotted field: a number of a range with as many digits as a person would type."""
        if isinstance(value, float) and not self.choices and value != self.own:
            value = min(max(_rounded(value, _DIGITS), self.low), self.high)  # type: ignore[type-var]
        return dict.fromkeys(self.fields, value)

    def described(self) -> str:
        """The values in words, without the configuration's own."""
        if self.choices:
            return ", ".join(map(str, self.choices))
        return f"{self.low:g} to {self.high:g}{', log' if self.log else ''}"

    def ends(self) -> list[Any]:
        """Values that tell whether all can be trained."""
        return list(self.choices) or [self.low, self.high]


def searched(texts: Sequence[str], config: ConfigDict) -> tuple[list[Searched], list[str]]:
    """The fields of a configuration to search, and the names of those that mean nothing to it.

    Args:
        texts: 'NAME=LOW..HIGH', 'NAME=LOW..HIGH:log' or 'NAME=VALUE,VALUE,...' each; none for the default fields.
        config: checked.

    Raises:
        UserError: there is no such field, it is not to be searched, or its values make no sense.
    """
    if not texts:
        return _by_default(config), []
    found: dict[str, Searched] = {}
    left_out = []
    for text in texts:
        name, values = assignment("--field", text, _FORM)
        targets = _targets(name, text, config)
        if not targets:
            left_out.append(name)
            continue
        one = _read(name, targets, values, text, config)
        for other in found.values():
            if both := set(one.fields) & set(other.fields):
                raise UserError(f"--field {cut(text)}: config.{min(both)} is set by {other.name} already; leave one out")
        found[name] = one
    if not found:
        raise UserError(f"--field: none of {', '.join(left_out)} means anything without D3, or to config.framework")
    return list(found.values()), left_out


def _targets(name: str, text: str, config: ConfigDict) -> tuple[str, ...]:
    """The fields a name sets; () where it means nothing to the configuration."""
    group, has_d3 = name.partition(".")[0], check.has_distillation(config)
    if name == COMMON_WEIGHT:
        return tuple(field for field in _WEIGHTS if dict(flat(config))[field] > 0.0)
    field = schema.by_name().get(name)
    override_by_text(config.copy_and_resolve_references(), name, _text(dict(flat(config)).get(name)))  # refuses what is no field
    if name in _ON_FOLDS:
        raise UserError(f"--field {cut(text)}: is chosen on the folds of every trial already; leave it out")
    searchable = group in (*_GROUPS, *schema.framework_names()) or name in _OF_DATA
    if not searchable or (field and field.may_change):
        raise UserError(
            f"--field {cut(text)}: is not to be searched: trials that differ in it are on other data or by another measure, or it "
            f"changes no result; fields are those of {', '.join(_GROUPS)}, the framework's own, {' and '.join(_OF_DATA)}"
        )
    meaningless = (not has_d3 and (group in _OF_D3 or name == "classifier.inputs")) or schema.is_foreign(name, config.framework)
    return () if meaningless else (name,)


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _read(name: str, targets: tuple[str, ...], values: str, text: str, config: ConfigDict) -> Searched:
    """What 'LOW..HIGH', 'LOW..HIGH:log' or 'VALUE,VALUE,...' says."""
    known = dict(flat(config))
    owns = {known[field] for field in targets}
    if len(owns) > 1:
        raise UserError(f"--field {cut(text)}: the configuration has several weights; search each, as in {targets[0]}=...")
    own = owns.pop()
    typed = lambda value: _typed(config, targets[0], value)  # noqa: E731
    matched = re.fullmatch(rf"({_END})\.\.({_END})(:log)?", values)
    if not values.strip(" ,") or (not matched and re.search(r"\.\.|:", values)):
        raise UserError(f"--field {cut(text)}: {_FORM}")
    if matched:
        if isinstance(own, bool) or not isinstance(own, int | float):
            raise UserError(f"--field {cut(text)}: config.{targets[0]} is no number; list its values, as in {name}=ONE,OTHER")
        low, high, log = typed(matched[1]), typed(matched[2]), bool(matched[3])
        if not low < high:
            raise UserError(f"--field {cut(text)}: the range is empty; the lower end comes first")
        if log and low <= 0:
            raise UserError(f"--field {cut(text)}: a range by its logarithm begins above 0")
        found = Searched(name, targets, own, low, high, log)
        has_own = low <= own <= high
    else:
        choices = tuple(dict.fromkeys(map(typed, values.split(","))))
        if len(choices) < 2:
            raise UserError(f"--field {cut(text)}: there is nothing to choose from; give LOW..HIGH, several values, or --set it")
        found, has_own = Searched(name, targets, own, choices=choices), own in choices
    if not has_own:
        raise UserError(
            f"--field {cut(text)}: does not have the configuration's own {own}, which is trial 0; add it, or --set {targets[0]}"
        )
    return found


def _typed(config: ConfigDict, field: str, text: str) -> Any:
    """A value of a field as the configuration holds it, within the field's own bounds."""
    trial = config.copy_and_resolve_references()
    override_by_text(trial, field, text)
    value = dict(flat(trial))[field]
    if (known := schema.by_name().get(field)) and (problem := known.problem(value)):
        raise UserError(f"--field: config.{field}={cut(text)}: {problem}")
    return value


def _by_default(config: ConfigDict) -> list[Searched]:
    """The learning rate, D3's weights where it is on (one for all terms that have the same), and the rows synthesized for the final
    classifier where there is one: from a tenth to ten times, a hundredth to a hundred times, a quarter to four times the own."""
    known = dict(flat(config))
    rate = known["train.learning_rate"]
    found = [Searched("train.learning_rate", ("train.learning_rate",), rate, _rounded(rate / 10), _rounded(rate * 10), log=True)]
    on = tuple(field for field in _WEIGHTS if known[field] > 0.0)
    groups = [(COMMON_WEIGHT, on)] if len({known[field] for field in on}) == 1 else [(field, (field,)) for field in on]
    for name, fields in groups:
        own = known[fields[0]]
        found.append(Searched(name, fields, own, _rounded(own / 100), _rounded(own * 100), log=True))
    rows = known["classifier.n_syn"]
    if known["classifier.fit"] != "never" and rows > 0:
        least = max(rows // 4, known["classifier.zsl_n_syn"], 1)
        found.append(Searched("classifier.n_syn", ("classifier.n_syn",), rows, least, rows * 4, log=True))
    return found


def _rounded(value: float, digits: int = _OF_ENDS) -> float:
    return float(f"{value:.{digits}g}")
