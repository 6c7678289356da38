"""What a run is trained with once validation has chosen."""

import pytest

from configs import digits
from d3gzsl_jax.evaluation.selection import Choice
from d3gzsl_jax.runs.validation_plan import Plan


@pytest.mark.parametrize(("zsl", "zsl_epochs", "expected"), [("restricted", 0, 0), ("own", 0, 25), ("own", 7, 7)])
def test_t1s_own_softmax_is_fitted_as_on_the_folds(zsl, zsl_epochs, expected):
    """There it has all its epochs, whatever number of the final classifier's is tried."""
    config = digits.get_config()
    config.classifier.epochs, config.classifier.zsl, config.classifier.zsl_epochs = 25, zsl, zsl_epochs
    plan = Plan("classifier", {"classifier": Choice(4, 10, 0.0, {})}, {})
    settled = plan.settle(config)
    assert settled.classifier.epochs == 10 and settled.classifier.zsl_epochs == expected and settled.train.epochs == 4
    assert config.classifier.zsl_epochs == zsl_epochs
