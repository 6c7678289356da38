"""What a search found: search.md and search.json, with the budget of every configuration and its best settings as flags."""

import json
import math
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from d3gzsl_jax.studies.search.configurations import Configuration
from d3gzsl_jax.studies.search.database import Trials
from d3gzsl_jax.studies.search.trial import CORE_SECONDS, HOST, SECONDS
from d3gzsl_jax.studies.tables import writer
from d3gzsl_jax.studies.tables.writer import Cell, Column, Table, markdown_code
from d3gzsl_jax.studies.tables.writer import markdown_text as escaped

DONE, EARLY, BROKE, BEGUN = "done", "stopped early", "broke down", "begun"
_UNKNOWN = "—"


class Found(NamedTuple):
    """What is known of one configuration so far.

    Attributes:
        name, criterion, searched, left_out: of the configuration.
        budget: 'trials', how many of them are in which state, 'seconds' and 'core_seconds' of all.
        own: the value of its own settings, trial 0; None where it has none.
        best: 'trial', 'value', 'settings' and 'flags'; None while no trial is done.
        trials: of each number, settings, value, what each seed's folds chose, state, seconds.
        train: the command that trains the best settings, and looks at the test rows; '' while there are none.
    """

    name: str
    criterion: str
    searched: dict[str, str]
    left_out: list[str]
    budget: dict[str, Any]
    own: float | None
    best: dict[str, Any] | None
    trials: list[dict[str, Any]]
    train: str


def found(configuration: Configuration, trials: Trials, fixed: Mapping[str, Any], seeds: int, workdir: Path) -> Found:
    """What a configuration's trials came to.

    Args:
        configuration, trials: searched.
        fixed: fields set in all trials.
        seeds: of each trial.
        workdir: for the run with the best settings.
    """
    lines = [_line(one) for one in trials.all()]
    count = lambda state: sum(line["state"] == state for line in lines)  # noqa: E731
    budget: dict[str, Any] = {"trials": len(lines), "done": count(DONE), "stopped_early": count(EARLY)}
    budget |= {"broke_down": count(BROKE), "begun": count(BEGUN)}
    budget |= {key: round(sum(line[key] for line in lines), 1) for key in (SECONDS, CORE_SECONDS)}
    own = next((line["value"] for line in lines if line["trial"] == 0 and line["state"] == DONE), None)
    best, command = None, ""
    if (one := trials.best()) is not None:
        overrides = trials.overrides(one.params)
        flags = _flags(overrides)
        best = {"trial": one.number, "value": one.value, "settings": overrides, "flags": flags}
        further = dict(configuration.further) | ({"seeds": tuple(range(seeds))} if seeds > 1 else {})
        given = _flags({**fixed, **further, **overrides})
        command = shlex.join(["d3gzsl", "train", f"--config={configuration.spec}", *given, f"--workdir={workdir}"])
    searched = {field.name: field.described() for field in configuration.fields}
    criterion = configuration.config.eval.criterion
    return Found(configuration.name, criterion, searched, configuration.left_out, budget, own, best, lines, command)


def _line(trial: Any) -> dict[str, Any]:
    """A trial as search.json holds it."""
    attributes, value = trial.user_attrs, trial.value if trial.state.name == "COMPLETE" else None
    state = {"COMPLETE": DONE, "PRUNED": BROKE if attributes.get("failure") else EARLY}.get(trial.state.name, BEGUN)
    return {
        "trial": trial.number, "state": state, "value": value, "settings": dict(trial.params),
        "seeds": attributes.get("seeds") or [],
        SECONDS: round(attributes.get(SECONDS, 0.0), 1), CORE_SECONDS: round(attributes.get(CORE_SECONDS, 0.0), 1),
        HOST: attributes.get(HOST, ""), "failure": attributes.get("failure", ""),
        "reported": {str(step): value for step, value in sorted(trial.intermediate_values.items())},
    }  # fmt: skip


def _flags(values: Mapping[str, Any]) -> list[str]:
    return [f"--config.{field}={value}" for field, value in values.items()]


def as_json(several: Sequence[Found]) -> str:
    """search.json: an entry a configuration."""
    entries = []
    for one in several:
        content = one._asdict()
        entries.append({"configuration": content.pop("name"), **content})
    return json.dumps(_without_nan(entries), indent=1, ensure_ascii=False) + "\n"


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nan(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def markdown(several: Sequence[Found], count: int, command: str) -> str:
    """search.md.

    Args:
        several: of all configurations.
        count: of trials each is given.
        command: that made it.
    """
    criteria = ", ".join(dict.fromkeys(f"`{one.criterion}`" for one in several))
    lines = [
        "# Settings searched on validation folds", "",
        f"{count} trials for {'each configuration' if len(several) > 1 else 'the configuration'}. A trial trains on folds inside "
        f"trainval; its value is the mean of config.eval.criterion ({criteria}) over folds and seeds, at the epoch, predictor and "
        "gamma that the folds choose, in percent. No test row was looked at. Trial 0 has the configuration's own settings. The "
        "best of many trials looks better on its folds than it is: what it is worth is said by the test rows, which the command "
        "below looks at once. Core-seconds are the processor time of all trials.",
        "", "## Budget", "", *writer.markdown_lines(_budgets(several)),
    ]  # fmt: skip
    for one in several:
        lines += ["", f"## {escaped(one.name)}", "", *_of_configuration(one)]
    return "\n".join([*lines, "", "Made by:", "", *markdown_code(command), ""])


def _budgets(several: Sequence[Found]) -> Table:
    """What each configuration was given, and what came of it."""
    states = (DONE, EARLY, BROKE, BEGUN)
    headings = ["configuration", "trials", *states, "seconds", "core-seconds", "own settings", "best", "of trial"]
    columns = [Column.of(heading, right=place > 0) for place, heading in enumerate(headings)]
    rows = []
    for one in several:
        of, best = one.budget, one.best or {}
        texts = [one.name, of["trials"], of["done"], of["stopped_early"], of["broke_down"], of["begun"]]
        texts += [f"{of[key]:.0f}" for key in (SECONDS, CORE_SECONDS)]
        rows.append([Cell.of(text) for text in (*texts, percent(one.own), percent(best.get("value")), best.get("trial", _UNKNOWN))])
    return Table("", columns, rows)


def _of_configuration(one: Found) -> list[str]:
    """The part of search.md about one configuration."""
    lines = ["Searched: " + "; ".join(f"{escaped(name)}: {escaped(values)}" for name, values in one.searched.items()) + "."]
    if one.left_out:
        lines += ["", f"Left out, since they mean nothing to it: {escaped(', '.join(one.left_out))}."]
    if one.best:
        lines += ["", f"The best settings, trial {one.best['trial']}:", "", *markdown_code(shlex.join(one.best["flags"]))]
        lines += ["", "trained on all of trainval, and looked at on the test rows:", "", *markdown_code(one.train)]
    headings = ("trial", *one.searched, one.criterion, "by seed: folds", "chosen", "state", "seconds")
    columns = [Column.of(heading, right=heading not in ("chosen", "state")) for heading in headings]
    rows = []
    for line in one.trials:
        seeds = line["seeds"]
        folds = "; ".join(f"{seed['seed']}: " + " ".join(map(percent, seed["folds"])) for seed in seeds)
        texts = [line["trial"], *(_shown(line["settings"].get(name)) for name in one.searched), percent(line["value"])]
        state = f"{line['state']}: {line['failure']}" if line["failure"] else line["state"]
        rows.append([Cell.of(text) for text in (*texts, folds, _chosen(seeds), state, f"{line[SECONDS]:.0f}")])
    return [*lines, "", *writer.markdown_lines(Table("", columns, rows))]


def _chosen(seeds: Sequence[Mapping[str, Any]]) -> str:
    """What predicts, and at which epochs, by seed."""
    return "; ".join(f"{seed['prediction']}, epoch {seed['epoch']}" for seed in seeds)


def _shown(value: Any) -> str:
    return _UNKNOWN if value is None else f"{value:.3g}" if isinstance(value, float) else str(value)


def percent(value: float | None) -> str:
    """A fraction in percent; '—' where there is none."""
    return _UNKNOWN if value is None or not math.isfinite(value) else f"{100 * value:.1f}"
