"""Weights of f-VAEGAN-D2, TF-VAEGAN, CADA-VAE and FREE in PyTorch's layout become runs of ours, and come back, bit for bit."""

import jax.numpy as jnp
import numpy as np
import pytest

from d3gzsl_jax import api as d3
from d3gzsl_jax import convert as convert_torch
from d3gzsl_jax.frameworks.registry import FRAMEWORKS
from d3gzsl_jax.frameworks.torch_layout import networks
from d3gzsl_jax.main import main
from d3gzsl_jax.runs import torch_files, torch_layout
from tests.conftest import GOLDEN
from tests.convert.weights import assert_same, convert, linear

pytestmark = pytest.mark.slow

CONFIG = """
from configs import digits

def get_config():
    config = digits.get_config({variant!r})
    config.framework = {framework!r}
    config.networks.noise, config.networks.embedding = 5, 24
    config.networks.generator_hidden, config.networks.critic_hidden = 16, 20
    config.free.refiner_noise = "described"
    config.classifier.zsl, config.log.report = {zsl!r}, False
    config.cadavae.latent, config.cadavae.feature_encoder_hidden, config.cadavae.semantic_encoder_hidden = 6, 11, 12
    config.cadavae.feature_decoder_hidden, config.cadavae.semantic_decoder_hidden = 13, 14
    return config
"""
KINDS = {"fvaegan": ("base", "restricted"), "tfvaegan": ("d3", "own"), "cadavae": ("base", "own"), "free": ("base", "restricted")}
FEATURES, SEMANTICS = 64, 21
VAEGAN = {
    "encoder/fc1": (16, FEATURES + SEMANTICS), "encoder/fc3": (10, 16), "encoder/linear_means": (5, 10),
    "encoder/linear_log_var": (5, 10), "generator/fc1": (16, 5 + SEMANTICS), "generator/fc3": (FEATURES, 16),
    "critic/fc1": (20, FEATURES + SEMANTICS), "critic/fc2": (1, 20),
}  # fmt: skip
D3 = {
    "student_embed/fc1": (24, FEATURES), "student_head/fc1": (10, 24), "student_head/fc2": (2, 10), "teacher_embed/fc1": (24, FEATURES),
    "teacher_head/fc2": (7, 24),
}  # fmt: skip
SHAPES = {
    "fvaegan": VAEGAN | {"fc": (10, FEATURES)},
    "tfvaegan": VAEGAN | D3 | {
        "decoder/fc1": (16, FEATURES), "decoder/fc3": (SEMANTICS, 16), "feedback/fc1": (16, 16), "feedback/fc2": (16, 16),
        "fc": (10, FEATURES + SEMANTICS + 16), "zsl/fc": (3, FEATURES + SEMANTICS + 16),
    },
    "cadavae": {
        "encoder_features/fc1": (11, FEATURES), "encoder_features/mu": (6, 11), "encoder_features/logvar": (6, 11),
        "encoder_semantics/fc1": (12, SEMANTICS), "encoder_semantics/mu": (6, 12), "encoder_semantics/logvar": (6, 12),
        "decoder_features/fc1": (13, 6), "decoder_features/fc2": (FEATURES, 13), "decoder_semantics/fc1": (14, 6),
        "decoder_semantics/fc2": (SEMANTICS, 14), "fc": (10, 6), "zsl/fc": (3, 6),
    },
    "free": VAEGAN | {
        "refiner/fc1": (16, FEATURES), "refiner/fc3": (2 * SEMANTICS, 16), "fc": (10, FEATURES + 16 + SEMANTICS),
    },
}  # fmt: skip
"""Layers of PyTorch's networks, (out, in)."""


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def arrays(kind):
    rng, found = np.random.default_rng(4), {}
    for layer, shape in SHAPES[kind].items():
        found |= {f"{layer}.weight": rng.normal(0, 0.3, shape).astype(np.float32), f"{layer}.bias": rng.normal(0, 0.3, shape[0]).astype(np.float32)}
    found |= {"centers/centers": rng.normal(size=(7, SEMANTICS)).astype(np.float32)} if kind == "free" else {}
    return found | ({"confidence/weight": np.array([1.5], np.float32), "confidence/offset": np.array([-0.25], np.float32)} if kind == "tfvaegan" else {})


@pytest.fixture(scope="module")
def run_folder(kind, arrays, tmp_path_factory):
    folder = tmp_path_factory.mktemp("converted")
    (folder / "small.py").write_text(CONFIG.format(framework=kind, variant=KINDS[kind][0], zsl=KINDS[kind][1]))
    np.savez(folder / "weights.npz", **arrays)
    assert convert("--torch", folder / "weights.npz", "--config", folder / "small.py", "--output", folder / "run") == 0
    return folder / "run"


def test_there_and_back_to_the_bit(run_folder, arrays, tmp_path):
    assert main(["convert", "to-torch", "--workdir", str(run_folder), "--output", str(tmp_path / "back.npz")]) == 0
    assert_same(dict(np.load(tmp_path / "back.npz")), arrays)
    np.savez(tmp_path / "half.npz", **{key: array * np.float32(0.5) for key, array in arrays.items()})
    assert convert("--torch", tmp_path / "half.npz", "--like", run_folder, "--output", tmp_path / "model") == 0
    assert_same(convert_torch.dump(d3.load_model(tmp_path / "model")), dict(np.load(tmp_path / "half.npz")))


def leaky(x):
    return np.where(x > 0, x, np.float32(0.2) * x)


def decoded(arrays, x):
    """S(x) and its hidden layer."""
    hidden = leaky(linear(arrays, "decoder/fc1", x))
    rows = linear(arrays, "decoder/fc3", hidden)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True), hidden


def synthesized(kind, arrays, noise, semantics):
    """By plain numpy, feedback with weight 1."""
    if kind == "cadavae":
        hidden = np.maximum(linear(arrays, "encoder_semantics/fc1", semantics), 0)
        mean, spread = linear(arrays, "encoder_semantics/mu", hidden), np.exp(linear(arrays, "encoder_semantics/logvar", hidden))
        return linear(arrays, "decoder_features/fc2", np.maximum(linear(arrays, "decoder_features/fc1", mean + noise * spread), 0))
    hidden = leaky(linear(arrays, "generator/fc1", np.concatenate([noise, semantics], 1)))
    rows = lambda hidden: 1 / (1 + np.exp(-linear(arrays, "generator/fc3", hidden)))  # noqa: E731
    if kind == "tfvaegan":
        fed = decoded(arrays, rows(hidden))[1]
        hidden = hidden + leaky(linear(arrays, "feedback/fc2", leaky(linear(arrays, "feedback/fc1", fed))))
    return rows(hidden)


def represented(kind, arrays, x):
    if kind == "cadavae":
        return linear(arrays, "encoder_features/mu", np.maximum(linear(arrays, "encoder_features/fc1", x), 0))
    if kind == "free":
        hidden = leaky(linear(arrays, "refiner/fc1", x))
        return np.concatenate([x, hidden, 1 / (1 + np.exp(-linear(arrays, "refiner/fc3", hidden)[:, :SEMANTICS]))], axis=1)
    return np.concatenate([x, *decoded(arrays, x)], axis=1) if kind == "tfvaegan" else x


def test_the_networks_are_what_the_weights_say(kind, run_folder, arrays):
    model = d3.load_model(run_folder)
    framework, rng = model._objective.framework, np.random.default_rng(0)
    (draw,) = framework.synthesis_draws().values()
    noise, semantics = rng.normal(size=(10, *draw.shape)).astype(np.float32), model.semantics
    ours = framework.synthesize(model.params, jnp.asarray(semantics), {"noise": jnp.asarray(noise)})
    np.testing.assert_allclose(ours, synthesized(kind, arrays, noise, semantics), rtol=1e-4, atol=1e-4)
    x = rng.random((9, FEATURES)).astype(np.float32)
    logits = linear(arrays, "fc", represented(kind, arrays, x))
    np.testing.assert_allclose(model._final.logits(model.params, model.classifier, x), logits, rtol=1e-4, atol=1e-4)
    if "zsl/fc.weight" in arrays:
        logits = linear(arrays, "zsl/fc", represented(kind, arrays, x))
        np.testing.assert_allclose(model._final.zsl_logits(model.params, model.classifier, x), logits, rtol=1e-4, atol=1e-4)


def test_state_dicts_as_the_public_code_saves_them_read_the_same(kind, arrays, tmp_path):
    torch = pytest.importorskip("torch")  # its files
    nested, known = {}, networks(torch_layout.layout(FRAMEWORKS[kind]))
    for key, array in arrays.items():
        network, name = key.split("/") if "/" in key else ("fc", key)  # nn.Linear of a module, called fc there
        nested.setdefault(network, {})[name] = torch.from_numpy(array)
    torch.save(nested, tmp_path / "nested.pt")
    assert_same(torch_files.read(tmp_path / "nested.pt", known), arrays)
    (tmp_path / "parts").mkdir()
    for network, state in nested.items():
        torch.save(state, tmp_path / "parts" / f"{network}.pt")
    assert_same(torch_files.read(tmp_path / "parts", known), arrays)
    torch_files.write(tmp_path / "again.pt", arrays)
    assert_same(torch_files.read(tmp_path / "again.pt", known), arrays)


def test_a_layer_of_another_method_is_refused(kind, run_folder, arrays, tmp_path, capsys):
    np.savez(tmp_path / "weights.npz", **arrays, **{"comparator/fc1.bias": np.zeros(3, np.float32)})
    assert convert("--torch", tmp_path / "weights.npz", "--like", run_folder, "--output", tmp_path / "out") == 2
    assert "key 'comparator/fc1.bias' belongs to none of the networks " in capsys.readouterr().err
    first = next(iter(arrays))
    np.savez(tmp_path / "weights.npz", **{key: array for key, array in arrays.items() if key != first})
    assert convert("--torch", tmp_path / "weights.npz", "--like", run_folder, "--output", tmp_path / "out") == 2
    assert f"{first} is missing; the configuration asks for it" in capsys.readouterr().err


def test_a_layout_has_every_array_that_was_recorded(kind):
    with np.load(GOLDEN / f"{kind}.npz") as recording:
        recorded = {key.removeprefix("init/") for key in recording.files if key.startswith("init/")}
    named = {leaf.key for leaves in FRAMEWORKS[kind].torch_layout().values() for leaf in leaves}
    left = recorded - named
    unused = {"fvaegan": ("feedback/", "decoder/"), "free": ("refiner/discriminator.", "refiner/classifier.")}.get(kind, ())
    assert named <= recorded and all(key.startswith(unused) for key in left)


@pytest.mark.parametrize("kind", ["free"], indirect=True)
def test_layers_that_nothing_uses_are_dropped(kind, run_folder, arrays, tmp_path, capsys):
    more = {"refiner/discriminator.weight": np.zeros((1, SEMANTICS), np.float32), "refiner/classifier.bias": np.zeros(7, np.float32)}
    np.savez(tmp_path / "weights.npz", **arrays, **more)
    assert convert("--torch", tmp_path / "weights.npz", "--like", run_folder, "--output", tmp_path / "model") == 0
    assert "refiner/discriminator, refiner/classifier, which nothing uses, was dropped" in capsys.readouterr().out
    assert_same(convert_torch.dump(d3.load_model(tmp_path / "model")), arrays)


def test_of_most_methods_weights_can_be_converted():
    assert [name for name, method in FRAMEWORKS.items() if not method.torch_layout()] == ["fclswgan"]
