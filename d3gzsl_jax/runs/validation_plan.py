"""What validation chose for a run (validation.json): what predicts, epochs and calibration; and results that are of folds alone."""

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from d3gzsl_jax.config.budget import set_epochs
from d3gzsl_jax.config.check import calibrates, has_distillation
from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.evaluation.advice import best_baseline
from d3gzsl_jax.evaluation.class_scores import FittedBaseline
from d3gzsl_jax.evaluation.selection import Choice
from d3gzsl_jax.runs.display import Display
from d3gzsl_jax.runs.folder import RunFolder
from d3gzsl_jax.runs.results import assemble
from d3gzsl_jax.runs.resume import FOLDS_ONLY

FILE = "validation.json"


class Plan(NamedTuple):
    """What validation says: which predictor, and the choice for each, at one epoch of training (there is one model)."""

    prediction: str
    choices: dict[str, Choice]
    asked: Mapping[str, Any]
    """The configuration validation was asked for with, nested."""
    advice: tuple[str, ...] = ()
    """What follows from the folds, see evaluation/advice.py."""
    baselines: Mapping[str, FittedBaseline] = MappingProxyType({})
    """What was fitted beside the run (config.eval.baselines)."""
    seconds: float | None = None
    """Of training and evaluation on the folds."""

    @property
    def epochs(self) -> int:
        """To train for."""
        return self.choices[self.prediction].epoch

    @property
    def gammas(self) -> dict[str, float]:
        """By predictor, what is taken off its seen logits where the run was asked for that (config.eval.calibration)."""
        return {name: choice.gamma for name, choice in self.choices.items()} if calibrates(self.asked) else {}

    @property
    def folds(self) -> dict[str, Mapping[str, float]]:
        """By predictor and baseline, its means over the folds."""
        own = {name: choice.metrics for name, choice in self.choices.items()}
        return own | {name: of.validation["metrics"] for name, of in self.baselines.items()}

    @property
    def uses_best(self) -> bool:
        """Whether the model predicts by a baseline that is ahead (config.eval.model_predicts)."""
        return (self.asked.get("eval") or {}).get("model_predicts") == "best"

    @property
    def model_predicts(self) -> str:
        """By what the model predicts unless told otherwise."""
        found = {name: of.validation["metrics"] for name, of in self.baselines.items()} if self.uses_best else {}
        return best_baseline(self.choices[self.prediction].metrics, found) or self.prediction

    def told(self) -> dict[str, Any]:
        """What results.json holds of it: 'fold_seconds', and 'model_predicts' where the model predicts by a baseline."""
        found: dict[str, Any] = {} if self.seconds is None else {"fold_seconds": self.seconds}
        return found if self.model_predicts == self.prediction else found | {"model_predicts": self.model_predicts}

    def settle(self, config: ConfigDict) -> ConfigDict:
        """The configuration of the run on all of trainval, evaluated once, at its end."""
        settled = config.copy_and_resolve_references()
        set_epochs(settled, self.epochs)
        settled.eval.every_epochs = self.epochs
        settled.eval.prediction = self.prediction
        if "classifier" in self.choices:
            if settled.classifier.zsl == "own":  # fitted for as many epochs as on the folds, which chose among those of the other
                settled.classifier.zsl_epochs = settled.classifier.zsl_epochs or settled.classifier.epochs
            settled.classifier.epochs = self.choices["classifier"].classifier_epochs
            settled.classifier.fit = "last"
        return settled


def describe(name: str, choice: Choice) -> str:
    """A choice in words."""
    classifier = f", {choice.classifier_epochs} epochs of the final classifier" if choice.classifier_epochs else ""
    return f"{name}, epoch {choice.epoch}{classifier}, gamma {choice.gamma:.3g}"


def read_plan(folder: RunFolder) -> Plan | None:
    """What an earlier start of the run in `folder` chose; None if it has not yet."""
    found = folder.read(FILE)
    if found is None:
        return None
    if found["prediction"] not in found["choices"]:
        raise UserError(f"{folder.path / FILE}: damaged (choices holds no {found['prediction']}); restore it from a copy")
    return plan_of(found)


def plan_of(found: Mapping[str, Any]) -> Plan:
    """The plan that `validation.json` describes."""
    fields = [field.name for field in dataclasses.fields(Choice)]
    choices = {name: Choice(**{field: choice[field] for field in fields}) for name, choice in found["choices"].items()}
    advice, seconds = tuple(found.get("advice") or ()), found.get("seconds")
    return Plan(found["prediction"], choices, found["asked"], advice, seconds=seconds)


def report_folds(
    data: GZSLData, config: Mapping[str, Any], plan: Plan, folder: RunFolder, display: Display, epochs: int, steps: int,
    interrupted: bool,
) -> dict[str, Any]:
    """Writes and returns a results.json whose figures are means over the folds, and shows them; arguments as in `assemble`."""
    predictions = {
        name: {"metrics": choice.metrics, "selection": FOLDS_ONLY, "validation": choice.described(), "test_selected": None}
        for name, choice in plan.choices.items()
    }
    results = assemble(
        config, data, predictions, has_distillation(ConfigDict(config)), None, epochs, steps, plan.prediction,
        interrupted=interrupted, selection=FOLDS_ONLY, advice=list(plan.advice), **baselines_of_folds(plan), **plan.told(),
    )
    folder.write("results.json", results)
    display.stop()
    rows = [(name, f"folds ({choice.epoch})", choice.metrics) for name, choice in plan.choices.items()]
    rows += [(name, "folds", of.validation["metrics"]) for name, of in plan.baselines.items()]
    display.results(f"{data.name}, means over {config['eval']['folds']} folds inside trainval, percent", rows)
    for sentence in plan.advice:
        display.say(sentence)
    return results


def baselines_of_folds(plan: Plan) -> dict[str, Any]:
    """The entry 'baselines' of results.json whose figures are means over the folds; {} without any."""
    entries = {
        name: {"metrics": of.validation["metrics"], "selection": FOLDS_ONLY, "validation": of.validation}
        for name, of in plan.baselines.items()
    }
    return {"baselines": entries} if entries else {}
