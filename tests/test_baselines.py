import numpy as np
import pytest

from d3gzsl_jax.baselines import ESZSL, eszsl_metrics
from d3gzsl_jax.data.digits import read_digits
from d3gzsl_jax.data.preprocess import scale_splits
from tests.conftest import ROOT
from tools import baselines


def test_eszsl_solves_its_normal_equations(rng):
    """V is the stationary point of ||X V S^T - Y||^2 + l ||X V||^2 + g ||V S^T||^2 + g l ||V||^2."""
    x, labels, s = rng.normal(size=(20, 5)), rng.integers(0, 4, 20), rng.normal(size=(4, 3))
    y = 2.0 * np.eye(4)[labels] - 1
    v = ESZSL(0.7, 0.3).fit(x, labels, s)
    residual = (x.T @ x + 0.7 * np.eye(5)) @ v @ (s.T @ s + 0.3 * np.eye(3)) - x.T @ y @ s
    np.testing.assert_allclose(residual, 0, atol=1e-9)


def test_eszsl_on_digits_is_better_than_chance_and_repeats():
    data = read_digits()
    arrays = scale_splits(data)
    found = eszsl_metrics(data, arrays, 0)
    assert found["seen"] > 0.5 and found["zsl"] > 1 / 3
    assert found["harmonic"] == pytest.approx(2 * found["unseen"] * found["seen"] / (found["unseen"] + found["seen"]))
    assert eszsl_metrics(data, arrays, 0) == found


def test_the_tool_reports_all_three(tmp_path, capsys):
    config = tmp_path / "quick.py"
    config.write_text(
        "from configs import digits\n"
        "def get_config():\n"
        "    config = digits.get_config()\n"
        "    config.train.epochs = config.teacher.epochs = 1\n"
        "    return config\n"
    )
    assert baselines.main(["--config", str(config), "--seeds", "2", "--output", str(tmp_path / "out.json")]) == 0
    out = capsys.readouterr().out
    assert "ESZSL" in out and "without synthesis" in out and "seed 1" in out
    assert baselines.main(["--config", str(ROOT / "configs" / "none.py")]) == 2
