"""Weights of ZeroDiff in PyTorch's layout become a run of ours, its first stage's among them, and come back, bit for bit."""

import numpy as np
import pytest

from d3gzsl_jax import api as d3
from d3gzsl_jax.data.digits import read_digits
from d3gzsl_jax.main import main
from tests.convert.test_generators import decoded, leaky
from tests.convert.weights import assert_same, convert, linear

pytestmark = pytest.mark.slow

CONFIG = """
from configs import digits

def get_config():
    config = digits.get_config("base")
    config.framework = "zerodiff"
    config.networks.noise, config.networks.embedding = 5, 24
    config.networks.generator_hidden, config.networks.critic_hidden = 16, 20
    config.data.representation_file = {file!r}
    config.classifier.zsl, config.log.report = "own", False
    return config
"""
X, A, R, Z, G, D = 64, 21, 9, 5, 16, 20


def embedding(name, width):
    return {f"{name}.model.0": (A, width), f"{name}.model.2": (A, A)}


SHAPES = {
    "encoder/fc1": (G, X + A), "encoder/fc2": (2 * Z, G), "encoder/linear_means": (Z, 2 * Z), "encoder/linear_log_var": (Z, 2 * Z),
    "generator/fc1": (G, Z + A + A + X + A), "generator/fc2": (X, G), **embedding("generator/time_embed", A),
    **embedding("generator/con_emb_layers", R), "critic_x0/fc1": (D, X + A), "critic_x0/fc2": (1, D),
    "critic_xt/fc1": (D, X + X + A + A + A), "critic_xt/fc2": (1, D), **embedding("critic_xt/time_embed", A),
    **embedding("critic_xt/con_emb_layers", R), "critic_xc/fc1": (D, X + A), "critic_xc/fc2": (1, D),
    **embedding("critic_xc/con_emb_layers", R), "decoder/fc1": (G, X), "decoder/fc3": (A, G),
    "representation/fc1": (G, Z + A + R + A), "representation/fc2": (R, G), **embedding("representation/time_embed", A),
    **embedding("representation/con_emb_layers", R), "fc": (10, X + A + G + R), "zsl/fc": (3, X + A + G + R),
}  # fmt: skip
UNUSED = "representation/con_emb_layers"


def test_there_and_back_and_what_it_predicts(tmp_path, capsys):
    rng = np.random.default_rng(3)
    np.save(tmp_path / "r.npy", rng.uniform(size=(len(read_digits().features), R)).astype(np.float32))
    (tmp_path / "small.py").write_text(CONFIG.format(file=str(tmp_path / "r.npy")))
    arrays = {}
    for layer, (out, into) in SHAPES.items():
        arrays |= {f"{layer}.weight": rng.normal(0, 0.3, (out, into)).astype(np.float32), f"{layer}.bias": rng.normal(0, 0.3, out).astype(np.float32)}
    np.savez(tmp_path / "weights.npz", **arrays)
    assert convert("--torch", tmp_path / "weights.npz", "--config", tmp_path / "small.py", "--output", tmp_path / "run") == 0
    assert f"{UNUSED}, which nothing uses, was dropped" in capsys.readouterr().out
    assert main(["convert", "to-torch", "--workdir", str(tmp_path / "run"), "--output", str(tmp_path / "back.npz")]) == 0
    assert_same(dict(np.load(tmp_path / "back.npz")), {key: array for key, array in arrays.items() if not key.startswith(UNUSED)})
    model = d3.load_model(tmp_path / "run")
    x, r = rng.random((9, X)).astype(np.float32), rng.random((9, R)).astype(np.float32)
    inputs = np.concatenate([x, *decoded(arrays, x), r], axis=1)
    found = model._final.logits(model.params, model.classifier, np.concatenate([x, r], axis=1))
    np.testing.assert_allclose(found, linear(arrays, "fc", inputs), rtol=1e-4, atol=1e-4)
    # What the generator makes from pure noise, at the highest level, of representations that the first stage's makes likewise.
    draws = {name: rng.normal(size=(10, *of.shape)).astype(np.float32) for name, of in model._objective.framework.synthesis_draws().items()}
    ours = model._objective.framework.synthesize(model.params, model.semantics, draws)
    silu = lambda v: v / (1 + np.exp(-v))  # noqa: E731
    embedded = lambda name, v: linear(arrays, f"{name}.model.2", silu(linear(arrays, f"{name}.model.0", v)))  # noqa: E731
    half = A // 2
    angles = np.float32(3) * np.exp(-np.log(10000) * np.arange(half) / half).astype(np.float32)
    time = np.tile(np.concatenate([np.cos(angles), np.sin(angles), np.zeros(1)]).astype(np.float32), (10, 1))
    sigmoid = lambda v: 1 / (1 + np.exp(-v))  # noqa: E731
    first = np.concatenate(
        [draws["representation_noise"], model.semantics, draws["representation_noised"], embedded("representation/time_embed", time)], 1
    )
    made = sigmoid(linear(arrays, "representation/fc2", leaky(linear(arrays, "representation/fc1", first))))
    second = np.concatenate(
        [draws["noise"], model.semantics, embedded("generator/con_emb_layers", made), draws["noised"], embedded("generator/time_embed", time)], 1
    )
    expected = sigmoid(linear(arrays, "generator/fc2", leaky(linear(arrays, "generator/fc1", second))))
    np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-4)


def test_representations_by_the_teacher_have_no_place_there(tmp_path, capsys):
    (tmp_path / "small.py").write_text(CONFIG.format(file=""))
    np.savez(tmp_path / "weights.npz", **{"fc.weight": np.zeros((10, 3), np.float32)})
    assert convert("--torch", tmp_path / "weights.npz", "--config", tmp_path / "small.py", "--output", tmp_path / "run") == 2
    assert "no place for representations that the teacher makes" in capsys.readouterr().err
