"""The trials of a configuration in a database, which Optuna keeps and several machines may share."""

import functools
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from d3gzsl_jax.config import schema
from d3gzsl_jax.config.load import flat
from d3gzsl_jax.errors import UserError, reason
from d3gzsl_jax.runs.resume import disagreement
from d3gzsl_jax.studies.search.fields import Searched
from d3gzsl_jax.text import cut, shortened

FILE = "study.db"
"""In the folder of the search, where --storage names no other database."""
PRUNERS = ("median", "none")

_STARTUP = 5  # trials that are done before one is stopped early
_ASKED = "asked"  # of the study: what was searched, and how
_SURPLUS = "surplus"  # of a trial that two machines drew at once, one more than was asked for
_WAIT_SECONDS = 100  # for another process to let go of the file


@functools.lru_cache(maxsize=4)
def storage_of(url: str) -> Any:
    """Optuna's storage at an address that SQLAlchemy knows; once a process.

    Raises:
        UserError: it cannot be reached, is no database of Optuna's, or its driver is missing.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    timeout = {"connect_args": {"timeout": _WAIT_SECONDS}} if url.startswith("sqlite") else {"pool_pre_ping": True}
    try:
        return optuna.storages.RDBStorage(url, engine_kwargs=timeout)
    except Exception as error:  # of SQLAlchemy, of a driver, of Optuna
        raise UserError(f"--storage={shown(url)}: cannot be used ({reason(error)}); give another database") from None


def shown(url: str) -> str:
    """An address without its password; as it is where it is none."""
    from sqlalchemy.engine import make_url

    try:
        return make_url(url).render_as_string(hide_password=True)
    except Exception:  # it is no address; what reads it says so
        return url


def load(url: str, name: str, pruner: str, own: Mapping[str, Any]) -> Any:
    """An Optuna study, made where there is none.

    Args:
        url: of the database.
        name: of the study.
        pruner: one of `PRUNERS`.
        own: the configuration's own settings by searched field, for the first trial.
    """
    import optuna

    from d3gzsl_jax.studies.search.pruner import MedianAtStep
    from d3gzsl_jax.studies.search.sampler import SeededByTrial

    return optuna.create_study(
        storage=storage_of(url), study_name=name, sampler=SeededByTrial(own), load_if_exists=True, direction="maximize",
        pruner=MedianAtStep(_STARTUP) if pruner == "median" else optuna.pruners.NopPruner(),
    )


class Trials:
    """The trials of one configuration.

    Args:
        url, name, pruner: see `load`.
        fields: that are searched.
        asked: what values depend on besides: 'config' (nested, as runs record it), 'digests' of the data, 'seeds'.

    Raises:
        UserError: the database cannot be used, or its study of that name is another one.
    """

    def __init__(self, url: str, name: str, pruner: str, fields: Sequence[Searched], asked: Mapping[str, Any]) -> None:
        self.fields = list(fields)
        self.study = load(url, name, pruner, {field.name: field.own for field in fields})
        self._asked = {**asked, "fields": {field.name: field.described() for field in fields}, "pruner": pruner}
        before = self.study.user_attrs.get(_ASKED)
        if before is None:
            self.study.set_user_attr(_ASKED, self._asked)
        elif difference := _difference(before, self._asked):
            raise UserError(
                f"the study {name!r} in {shown(url)} was begun with {difference}; name another --output, --storage or --study"
            )

    def all(self) -> list[Any]:
        """Every trial so far, as Optuna has it."""
        return [one for one in self.study.get_trials(deepcopy=False) if not one.user_attrs.get(_SURPLUS)]

    def begun(self) -> list[Any]:
        """Those without an end: they run somewhere, or were interrupted."""
        return [one for one in self.all() if not one.state.is_finished()]

    def asked(self, count: int) -> Iterator[Any]:
        """New trials, each drawn when it is asked for, until there are `count` in all."""
        import optuna

        while len(self.all()) < count:
            trial = self.study.ask()
            if sum(one.number < trial.number for one in self.all()) < count:
                yield trial
            else:  # another machine was quicker
                trial.set_user_attr(_SURPLUS, True)
                self.study.tell(trial, state=optuna.trial.TrialState.FAIL)

    def again(self, trial: Any) -> Any:
        """A trial that was interrupted, to be gone on with."""
        import optuna

        return optuna.Trial(self.study, trial._trial_id)

    def settings(self, trial: Any) -> dict[str, Any]:
        """The values of a trial by searched field, drawn where it has none yet."""
        return {field.name: field.suggest(trial) for field in self.fields}

    def overrides(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """The values of a trial by dotted field of the configuration."""
        found: dict[str, Any] = {}
        for field in self.fields:
            found |= field.overrides(settings[field.name])
        return found

    def end(self, number: int, measured: Mapping[str, Any]) -> None:
        """Ends a trial. `measured`: what became of it, see `trial.work`; 'value' None for one that was stopped early."""
        import optuna

        value = measured["value"]
        trial = next(one for one in self.study.get_trials(deepcopy=False) if one.number == number)
        again = self.again(trial)
        for key, of in measured.items():
            if key != "value" and of:
                again.set_user_attr(key, of)
        state = optuna.trial.TrialState.PRUNED if value is None else optuna.trial.TrialState.COMPLETE
        self.study.tell(number, value, state=state)

    def best(self) -> Any:
        """The trial with the highest value, the earliest of several; None while there is none."""
        done = [one for one in self.all() if one.state.name == "COMPLETE"]
        return max(done, key=lambda one: (one.value, -one.number), default=None)


def _difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """The first thing in which two searches are not the same, in words; '' where there is none."""
    parts = {"fields": "other fields", "digests": "other data", "seeds": "other --seeds", "pruner": "another --pruner"}
    for what, called in parts.items():
        if (old := before.get(what)) != (new := now[what]):
            return called if what == "digests" else f"{called} ({_in_words(old)}; now {_in_words(new)})"
    then, today = dict(flat(before["config"])), dict(flat(now["config"]))
    other_length = ((field, then.get(field), today.get(field)) for field in schema.LENGTH if then.get(field) != today.get(field))
    if found := disagreement(before["config"], now["config"]) or next(other_length, None):
        field, old, new = found
        return f"config.{field}={shortened(old)}, now it is {shortened(new)}"
    return ""


def _in_words(value: Any) -> str:
    """A value of what was asked, for a message."""
    return cut("; ".join(f"{name}: {of}" for name, of in value.items()) if isinstance(value, Mapping) else str(value))


def url_of(output: Path, storage: str) -> str:
    """The address of the database: --storage, or a file in the folder of the search."""
    return storage or f"sqlite:///{output.absolute() / FILE}"
