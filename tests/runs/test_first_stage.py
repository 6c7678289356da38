"""The configuration of what a base method has trained before it."""

import itertools
from types import SimpleNamespace

import pytest

from configs import default
from d3gzsl_jax.config import check
from d3gzsl_jax.config.framework_fields import FRAMEWORKS
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs.first_stage import config_of

ASKED = {
    "eval.selection": ("last", "test", "validation"), "eval.calibration": ("none", "folds"), "eval.baselines": ("", "eszsl"),
    "eval.model_predicts": ("result", "best"), "eval.retrain": (True, False), "eval.prediction": ("student", "classifier", "auto", "ensemble"),
    "eval.ensemble": (False, True), "classifier.fit": ("last", "every", "never"), "classifier.zsl": ("restricted", "own"),
    "classifier.inputs": ("method", "student"), "checkpoint.best": ("", "test_zsl"), "train.resume": ("auto", "must"),
}  # fmt: skip


def stage_of(config, encodes=True):
    first = FRAMEWORKS[config.framework].first_stage
    framework = SimpleNamespace(first_stage=first)
    settings = SimpleNamespace(config=config, recorded=config.to_dict())
    return config_of(SimpleNamespace(settings=settings, encodes=encodes, model=SimpleNamespace(objective=SimpleNamespace(framework=framework))))


@pytest.mark.parametrize("framework", [name for name, of in FRAMEWORKS.items() if of.first_stage])
@pytest.mark.parametrize("variant", ["d3", "base"])
def test_that_of_every_configuration_that_is_accepted_is_accepted(framework, variant):
    """In pairs of fields: what one of them asks for, another must allow."""
    accepted = 0
    for one, other in itertools.combinations(ASKED, 2):
        for values in itertools.product(ASKED[one], ASKED[other]):
            for selection in ASKED["eval.selection"]:
                config = default.get_config(variant)
                config.framework, config.eval.selection = framework, selection
                config.update_from_flattened_dict(dict(zip((one, other), values, strict=True)))
                try:
                    check.check(config)
                except UserError:
                    continue
                accepted += 1
                check.check(stage_of(config))
    assert accepted > 300
