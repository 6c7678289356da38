"""A results.json as a run writes it, small."""

import json

from d3gzsl_jax import api as d3
from d3gzsl_jax.config import saved_config
from d3gzsl_jax.evaluation.metrics import harmonic_mean
from tests.conftest import ROOT

CONFIG = json.loads(d3.load_config(str(ROOT / "configs" / "digits.py")).to_json_best_effort())


def metrics(unseen, seen):
    return {"unseen": unseen, "seen": seen, "harmonic": harmonic_mean(unseen, seen), "zsl": 0.5, "ausuc": 0.25}


def results(framework, distillation, seed, unseen, seen, student=None, root="data"):
    config = json.loads(json.dumps(CONFIG))
    config["framework"], config["data"]["root"] = framework, root
    entry = {"metrics": metrics(unseen, seen), "selection": "validation", "per_class": {"0": 0.5}, "test_selected": None}
    entry["calibrated"] = {"selection": "validation", "gamma": 0.1} | metrics(unseen, seen)
    predictions = {"classifier": entry}
    if student is not None:
        predictions["student"] = {"metrics": metrics(*student), "selection": "validation"}
    return {
        saved_config.KEY: saved_config.FORMAT, "dataset": "FLO", "framework": framework, "distillation": distillation, "features": "f.mat", "semantics": "att", "seed": seed,
        "epochs": 3, "selection": "validation", "prediction": "classifier", "metrics": entry["metrics"], "per_class": {"0": 0.5},
        "calibrated": entry["calibrated"], "predictions": predictions, "interrupted": False, "concluded": True, "seconds": 1800.0, "fold_seconds": 900.0,
        "digests": {"features": "a", "semantics": "b", "split": "c"}, "config": config,
        "details": {"ood": {"student": {"msp": {"auroc": 0.75}}}},
    }  # fmt: skip


def write(folder, content):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "results.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path
