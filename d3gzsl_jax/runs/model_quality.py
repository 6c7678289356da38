"""What predicts, and how good it is as far as its run knows, in sentences for whoever reads predictions without the run."""

from typing import TYPE_CHECKING

from d3gzsl_jax.config.run_fields import BASELINES
from d3gzsl_jax.evaluation.advice import CALLED
from d3gzsl_jax.runs.display import percent

if TYPE_CHECKING:
    from d3gzsl_jax.runs.model import TrainedModel

_FIGURES = {"unseen": "U", "seen": "S", "harmonic": "H", "zsl": "T1"}


def what_predicts(model: "TrainedModel", predictor: str = "") -> str:
    """'predicted by ESZSL, calibrated on folds'. `predictor`: as of `TrainedModel.predict`."""
    name = predictor or model.prediction
    gamma = model.baselines[name].gamma if name in model.baselines else model.gammas.get(name, 0.0)
    called = CALLED.get(name, name) if name in BASELINES else f"the {name}"
    return f"predicted by {called}{', calibrated on folds' if gamma else ''}"


def on_folds(model: "TrainedModel", predictor: str = "") -> str:
    """What the folds say of it, in percent; '' where there were none."""
    found = model.folds.get(predictor or model.prediction) or {}
    told = ", ".join(f"{called} {percent(found[name])}" for name, called in _FIGURES.items() if name in found)
    return f"on seen classes that were held out as if they were unseen (folds), {told}" if told else ""


def sentences(model: "TrainedModel", predictor: str = "") -> list[str]:
    """Both, and what its run advises."""
    folds = on_folds(model, predictor)
    by = what_predicts(model, predictor)
    return [f"{by[:1].upper()}{by[1:]}{f'; {folds}: a hint, no promise' if folds else ''}.", *model.advice]
