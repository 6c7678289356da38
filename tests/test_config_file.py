import pytest

from d3gzsl_jax.config_file import load_config
from d3gzsl_jax.errors import UserError
from tests.conftest import ROOT

CUB = ROOT / "configs" / "cub.py"


def test_overrides_by_dotted_field():
    config = load_config(CUB, {"data.root": "elsewhere", "train.epochs": 3})
    assert config.data.root == "elsewhere" and config.train.epochs == 3
    assert load_config(f"{CUB}:base").eval.prediction == "classifier"


@pytest.mark.parametrize(
    ("spec", "overrides", "message"),
    [
        ("configs/none.py:base", {}, "configs/none.py: no such configuration file"),
        (CUB, {"train.epoch": 3}, "config.train.epoch: no such field; did you mean config.train.epochs"),
        (CUB, {"train.epochs": "many"}, "config.train.epochs='many': must be of type int"),
        (f"{CUB}:bse", {}, "unknown variant 'bse'"),
    ],
)
def test_what_is_refused(spec, overrides, message):
    with pytest.raises(UserError, match=message):
        load_config(spec, overrides)
