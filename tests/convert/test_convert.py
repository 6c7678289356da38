"""Weights in PyTorch's layout become runs and models of ours, and come back, bit for bit."""

import dataclasses
import json
import re
import shutil

import jax
import numpy as np
import pytest

from d3gzsl_jax import api as d3
from d3gzsl_jax import convert as convert_torch
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.evaluation.class_scores import ClassScores, FittedBaseline
from d3gzsl_jax.frameworks.cegzsl import CEGZSL
from d3gzsl_jax.frameworks.registry import FRAMEWORKS
from d3gzsl_jax.frameworks.torch_layout import networks
from d3gzsl_jax.main import main
from d3gzsl_jax.runs import torch_files, torch_layout
from d3gzsl_jax.runs.display import Display
from d3gzsl_jax.system import compile_cache
from tests.convert.weights import KINDS, assert_same, convert, linear, mode, softmax

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("checkpoint", ["", "last"])
def test_there_and_back_to_the_bit(run_folder, arrays, checkpoint, tmp_path):
    command = ["to-torch", "--workdir", str(run_folder), "--output", str(tmp_path / "back.npz")]
    assert main(["convert", *command, *(["--checkpoint", checkpoint] if checkpoint else [])]) == 0
    found = dict(np.load(tmp_path / "back.npz"))
    fitted = {key for key in arrays if key.startswith("fc.")} if checkpoint else set()  # a checkpoint's classifier is fitted anew
    assert_same({k: v for k, v in found.items() if k not in fitted}, {k: v for k, v in arrays.items() if k not in fitted})


def expected(arrays, predictor, x):
    """Probabilities by plain numpy."""
    embed = next((name for name in ("student_embed", "embed") if f"{name}/fc1.weight" in arrays), None)
    if predictor == "classifier":
        return softmax(linear(arrays, "fc", np.maximum(linear(arrays, "embed/fc1", x), 0) if embed == "embed" else x))
    return softmax(linear(arrays, "student_head/fc1", np.maximum(linear(arrays, f"{embed}/fc1", x), 0)))


def test_it_predicts_what_the_weights_say(run_folder, arrays, data):
    model = d3.load_model(run_folder)
    x = model.scaling.apply(data.features[:40])
    assert model.predictors == (("student",) if "student_head/fc1.weight" in arrays else ()) + ("classifier",)
    for predictor in model.predictors:
        found = model.predict(data.features[:40], top=10, predictor=predictor)
        probabilities = np.zeros((40, 10))
        np.put_along_axis(probabilities, found.classes, found.probabilities, axis=1)
        np.testing.assert_allclose(probabilities, expected(arrays, predictor, x), atol=1e-5)
    if "teacher_head/fc2.weight" in arrays:
        teacher = softmax(linear(arrays, "teacher_head/fc2", np.maximum(linear(arrays, "teacher_embed/fc1", x), 0)))
        np.testing.assert_allclose(found.in_distribution, teacher.max(axis=1), atol=1e-5)


def test_the_networks_of_the_oracle_give_the_same(run_folder, arrays, data):
    torch = pytest.importorskip("torch")  # the comparison is with PyTorch
    from tools.parity_parts import torch_oracle_networks as oracle

    model = d3.load_model(run_folder)
    framework = model._objective.framework
    x, base = model.scaling.apply(data.features[:30]), model.config.framework
    sizes = oracle.Sizes(
        features=64, semantics=21, noise=framework.sizes.noise, seen=7, classes=10, generator_hidden=framework.sizes.generator_hidden,
        critic_hidden=20, embedding=24, projection=getattr(framework, "projection", 0), comparator_hidden=getattr(framework, "comparator_hidden", 1),
    )
    networks = oracle.build_networks(base, "student_head/fc1.weight" in arrays, sizes)
    oracle.load_arrays(networks, arrays)
    close = lambda ours, theirs: np.testing.assert_allclose(ours, theirs.detach().numpy(), rtol=1e-5, atol=1e-5)  # noqa: E731
    noise, semantics = np.random.default_rng(0).normal(size=(30, framework.sizes.noise)).astype(np.float32), model.semantics[np.arange(30) % 10]
    given = [torch.from_numpy(np.asarray(part)) for part in (noise, semantics, x)]
    close(framework.generate(model.params, framework.condition(model.params, semantics), noise), networks["generator"](*given[:2]))
    close(framework.critic.apply(model.params["critic"], x, semantics), networks["critic"](given[2], given[1])[:, 0])
    if "student_head" in networks:
        embedding = networks["embed" if base == "cegzsl" else "student_embed"](given[2])
        close(model._objective.student_logits(model.params, x), networks["student_head"](embedding))
    if "comparator" in networks:
        h = framework.embed(model.params, x)
        close(framework.project(model.params, h), networks["embed"].project(networks["embed"](given[2])))
        close(framework.comparator.apply(model.params["comparator"], h, semantics), networks["comparator"](networks["embed"](given[2]), given[1])[:, 0])


def test_every_mode_takes_it_and_training_goes_on(run_folder, config_file, data, tmp_path):
    mode("evaluate", workdir=str(run_folder))
    found = json.loads((run_folder / "evaluation-0.json").read_text())
    assert found["checkpoint"] == 0
    np.savez(tmp_path / "rows.npz", features=data.features[:3])
    mode("predict", workdir=str(run_folder), input=str(tmp_path / "rows.npz"), output=str(tmp_path / "out.csv"))
    assert len((tmp_path / "out.csv").read_text().splitlines()) >= 4
    copy = shutil.copytree(run_folder, tmp_path / "run")
    before = d3.load_model(copy).params["generator"]["params"]["output"]["kernel"]
    trained = d3.train(d3.load_config(config_file), data, workdir=copy, display=Display(quiet=True))
    difference = np.abs(np.asarray(trained.model.params["generator"]["params"]["output"]["kernel"]) - before)
    # An epoch of Adam at 1e-3 moves every weight a little: it went on from the converted ones.
    assert 0 < difference.max() < 0.2 and trained.results["epochs"] == 1


@pytest.mark.parametrize("kind", ["wgan"], indirect=True)
def test_a_model_like_another_needs_no_data(run_folder, arrays, tmp_path, capsys):
    changed = {key: array * np.float32(0.5) for key, array in arrays.items()} | {"student_head/fc3.weight": np.zeros((2, 24), np.float32)}
    np.savez(tmp_path / "weights.npz", **changed)
    assert convert("--torch", tmp_path / "weights.npz", "--like", run_folder, "--output", tmp_path / "model") == 0
    assert "student_head/fc3, which nothing uses, was dropped" in capsys.readouterr().out
    del changed["student_head/fc3.weight"]
    assert_same(convert_torch.dump(d3.load_model(tmp_path / "model")), changed)


@pytest.mark.parametrize("kind", ["wgan", "cegzsl alone"], indirect=True)
def test_nothing_of_the_old_weights_is_left_in_a_model_like_another(kind, run_folder, arrays, data):
    """A baseline would go on predicting as before, and figures of the folds are those of the old weights."""
    old, rows = d3.load_model(run_folder), np.random.default_rng(5)
    scores = {"weights": rows.normal(size=(64, 10)).astype(np.float32), "bias": np.zeros(10, np.float32)}
    old = dataclasses.replace(
        old, step=70, prediction="eszsl", baselines={"eszsl": FittedBaseline(ClassScores(False), scores, 0.1, {})},
        gammas=dict.fromkeys(old.predictors, 0.3), folds={"eszsl": {"harmonic": 0.9}}, advice=("predict by eszsl",),
    )
    changed = {key: array * np.float32(0.5) for key, array in arrays.items()}
    found = convert_torch.like_model("weights.npz", changed, old)
    assert found.prediction == found.predictors[0] != "eszsl" and "eszsl" not in found.predictors
    assert (found.step, found.baselines, found.gammas, found.folds, found.advice) == (0, {}, {}, {}, ())
    x = found.scaling.apply(data.features[:20])
    best = expected(changed, found.prediction, x).argmax(axis=1)
    np.testing.assert_array_equal(found.predict(data.features[:20]).classes[:, 0], best)
    if kind == "cegzsl alone":  # with the classifier gone nothing predicts, whatever baselines there were
        del changed["fc.weight"], changed["fc.bias"]
        with pytest.raises(UserError, match=r"fc\.weight is missing"):
            convert_torch.like_model("weights.npz", changed, old)


def test_without_a_final_classifier_one_is_fitted_or_asked_for(kind, run_folder, arrays, config_file, tmp_path, capsys):
    np.savez(tmp_path / "weights.npz", **{key: array for key, array in arrays.items() if not key.startswith("fc.")})
    assert convert("--torch", tmp_path / "weights.npz", "--config", config_file, "--output", tmp_path / "run") == 0
    assert "the final classifier is fitted anew" in capsys.readouterr().out
    assert "classifier" in d3.load_model(tmp_path / "run").predictors
    code = convert("--torch", tmp_path / "weights.npz", "--like", run_folder, "--output", tmp_path / "model")
    if kind == "cegzsl alone":
        assert code == 2 and "fc.weight is missing" in capsys.readouterr().err and not (tmp_path / "model").exists()
    else:
        assert code == 0 and d3.load_model(tmp_path / "model").predictors == ("student",)


@pytest.mark.parametrize("form", ["nested", "flat", "dotted", "folder"])
def test_what_torch_saves_reads_the_same(form, kind, arrays, tmp_path):
    torch = pytest.importorskip("torch")  # its files
    tensors = {key: torch.from_numpy(array) for key, array in arrays.items()}
    path, known = tmp_path / "weights.pt", networks(torch_layout.layout(FRAMEWORKS[KINDS[kind][0]]))
    nested = {}
    for key, tensor in tensors.items():
        network, name = key.replace(".", "/", 1).split("/", 1) if "/" not in key else key.split("/", 1)
        nested.setdefault(network, {})[name] = tensor
    if form == "folder":
        for network, state in nested.items():
            torch.save(state, tmp_path / f"{network}.pt")
        path = tmp_path
    else:
        torch.save({"nested": nested, "flat": tensors, "dotted": {key.replace("/", "."): tensor for key, tensor in tensors.items()}}[form], path)
    assert_same(torch_files.read(path, known), arrays)
    torch_files.write(tmp_path / "again.pth", torch_files.read(path, known))
    assert_same(torch_files.read(tmp_path / "again.pth", known), arrays)


def test_the_help_lists_the_networks_and_layers_of_every_method(capsys):
    with pytest.raises(SystemExit):
        main(["convert", "to-jax", "--help"])
    said = capsys.readouterr().out
    for framework in FRAMEWORKS.values():
        for key in (leaf.key for leaves in torch_layout.layout(framework).values() for leaf in leaves if framework.torch_layout()):
            network, _, layer = key.rpartition(".")[0].partition("/")
            for name in (network, layer.replace("model.2", "model.0 and .2")):
                assert re.search(rf"\b{re.escape(name)}\b", said), key


@pytest.mark.parametrize("wished", [True, False])
def test_compiled_programs_are_kept_as_configured(wished, tmp_path, monkeypatch):
    """Of a model like another, or on the way back, the model says it as it is opened."""
    chosen = []
    monkeypatch.setattr(compile_cache, "use", chosen.append)
    monkeypatch.setattr(convert_torch, "to_jax", lambda *_: None)
    monkeypatch.setattr(convert_torch, "to_torch", lambda *_: None)
    (config := tmp_path / "own.py").write_text(
        "from configs import digits\n\ndef get_config():\n    config = digits.get_config()\n"
        f"    config.compile_cache = {wished}\n    return config\n"
    )
    convert = ["convert", "to-jax", "--torch", str(config), "--output", str(tmp_path / "new")]
    assert main([*convert, "--config", str(config)]) == 0
    assert chosen == [wished]
    assert main([*convert, "--like", str(tmp_path)]) == 0
    assert main(["convert", "to-torch", "--workdir", str(tmp_path), "--output", str(tmp_path / "new.npz")]) == 0
    assert chosen == [wished]


def test_the_mapping_is_its_own_inverse():
    """For gradients of any size, critic and comparator put together again."""
    rng = np.random.default_rng(0)
    tree = {"params": {name: {"kernel": rng.normal(size=(n, 5)).astype(np.float32)} for name, n in (("hidden_features", 4), ("hidden_semantics", 3))}}
    tree["params"] |= {"hidden_bias": rng.normal(size=5).astype(np.float32), "output": {"kernel": np.ones((5, 1), np.float32), "bias": np.zeros(1, np.float32)}}
    leaves = torch_layout.layout(CEGZSL)["comparator"]
    found = torch_layout.load(leaves, torch_layout.dump(leaves, tree), "", tree, "test")
    assert jax.tree.all(jax.tree.map(np.array_equal, found, tree))
