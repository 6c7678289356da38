"""Weights in PyTorch's layout become runs and models of ours, and come back, bit for bit; what does not fit is refused in one line."""

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
from d3gzsl_jax.runs.model_commands import run_mode
from d3gzsl_jax.runs.synthesize_file import output_file
from d3gzsl_jax.system import compile_cache
from d3gzsl_jax.training import build as model_module
from tests.conftest import ROOT
from tests.runs.test_model import OPTIONS

pytestmark = pytest.mark.slow

CONFIG = """
from configs import digits

def get_config():
    config = digits.get_config({variant!r})
    config.framework = {framework!r}
    config.networks.embedding, config.networks.critic_hidden = 24, 20
    config.distillation.n_syn = 5
    config.train.epochs, config.eval.every_epochs, config.classifier.epochs = 1, 1, 1
    config.log.report = False
    return config
"""
KINDS = {"wgan": ("wgan", "d3"), "cegzsl": ("cegzsl", "d3"), "cegzsl alone": ("cegzsl", "base")}


@pytest.fixture(scope="module")
def data():
    return d3.load_data(d3.load_config(ROOT / "configs" / "digits.py"))


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def config_file(kind, tmp_path_factory):
    framework, variant = KINDS[kind]
    path = tmp_path_factory.mktemp("configs") / "small.py"
    path.write_text(CONFIG.format(framework=framework, variant=variant))
    return path


@pytest.fixture(scope="module")
def arrays(config_file, data):
    """Random weights of all networks, in PyTorch's shapes (out, in), as tests/golden/README.md names them."""
    config = d3.load_config(config_file)
    objective = model_module.build(config, data).objective
    sizes, rng = objective.framework.sizes, np.random.default_rng(3)
    shapes = {
        "generator/fc1": (sizes.generator_hidden, sizes.noise + sizes.semantics), "generator/fc2": (64, sizes.generator_hidden),
        "critic/fc1": (20, 64 + sizes.semantics), "critic/fc2": (1, 20), "fc": (10, 24 if sizes and config.framework == "cegzsl" else 64),
    }
    if config.framework == "cegzsl":
        of = objective.framework
        shapes |= {"embed/fc1": (24, 64), "embed/fc2": (of.projection, 24)}
        shapes |= {"comparator/fc1": (of.comparator_hidden, 24 + sizes.semantics), "comparator/fc2": (1, of.comparator_hidden)}
    found = {}
    if objective.distillation.active:
        shapes |= {"student_head/fc1": (10, 24), "student_head/fc2": (2, 10), "teacher_embed/fc1": (24, 64), "teacher_head/fc2": (7, 24)}
        shapes |= {} if config.framework == "cegzsl" else {"student_embed/fc1": (24, 64)}
        found = {"confidence/weight": np.array([1.5], np.float32), "confidence/offset": np.array([-0.25], np.float32)}
    for layer, shape in shapes.items():
        found |= {f"{layer}.weight": rng.normal(0, 0.3, shape).astype(np.float32), f"{layer}.bias": rng.normal(0, 0.3, shape[0]).astype(np.float32)}
    return found


@pytest.fixture(scope="module")
def run_folder(arrays, config_file, tmp_path_factory):
    folder = tmp_path_factory.mktemp("converted")
    np.savez(folder / "weights.npz", **arrays)
    assert convert("--torch", folder / "weights.npz", "--config", config_file, "--output", folder / "run") == 0
    return folder / "run"


def convert(*arguments):
    return main(["convert", "to-jax", *map(str, arguments)])


def assert_same(found, arrays):
    assert found.keys() == arrays.keys()
    for key, array in arrays.items():
        assert found[key].dtype == np.float32
        np.testing.assert_array_equal(found[key].reshape(array.shape), array, err_msg=key)


def mode(name, **given):
    run_mode(name, OPTIONS | given, Display(quiet=True))


@pytest.mark.parametrize("checkpoint", ["", "last"])
def test_there_and_back_to_the_bit(run_folder, arrays, checkpoint, tmp_path):
    command = ["to-torch", "--workdir", str(run_folder), "--output", str(tmp_path / "back.npz")]
    assert main(["convert", *command, *(["--checkpoint", checkpoint] if checkpoint else [])]) == 0
    found = dict(np.load(tmp_path / "back.npz"))
    fitted = {key for key in arrays if key.startswith("fc.")} if checkpoint else set()  # a checkpoint's classifier is fitted anew
    assert_same({k: v for k, v in found.items() if k not in fitted}, {k: v for k, v in arrays.items() if k not in fitted})


def linear(arrays, layer, x):
    return x @ arrays[f"{layer}.weight"].T + arrays[f"{layer}.bias"]


def softmax(logits):
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)


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


BAD = {
    "missing": (lambda a: a.pop("critic/fc1.bias"), "critic/fc1.bias is missing; the configuration asks for it (critic)"),
    "one of two": (lambda a: a.pop("fc.bias"), "fc.bias is missing"),
    "extra": (lambda a: a.update({"critic/fc7.bias": np.zeros(3, np.float32)}), "critic/fc7.bias has no place in this model"),
    "unknown network": (lambda a: a.update({"netG/fc1.bias": np.zeros(3, np.float32)}), "key 'netG/fc1.bias' belongs to none of the networks"),
    "shape": (lambda a: a.update({"generator/fc2.bias": np.zeros(3, np.float32)}), "generator/fc2.bias has shape (3,) in our layout, the configuration"),
    "first layer": (lambda a: a.update({"critic/fc1.weight": np.zeros((20, 3), np.float32)}), "critic/fc1.weight (features) has shape (3, 20)"),
    "one dimension": (lambda a: a.update({"critic/fc1.weight": np.zeros(3, np.float32)}), "critic/fc1.weight (features) has shape (3,)"),
    "dtype": (lambda a: a.update({"generator/fc2.bias": np.zeros(64)}), "generator/fc2.bias is float64, expected float32"),
    "not finite": (lambda a: a.update({"generator/fc2.bias": np.full(64, np.nan, np.float32)}), "generator/fc2.bias is not finite everywhere"),
}


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize("target", ["--config", "--like"])
@pytest.mark.parametrize("kind", ["wgan"], indirect=True)
def test_bad_weights_exit_2_and_leave_nothing(case, target, arrays, config_file, run_folder, tmp_path, capsys):
    change, message = BAD[case]
    changed = dict(arrays)
    change(changed)
    np.savez(tmp_path / "weights.npz", **changed)
    assert convert("--torch", tmp_path / "weights.npz", target, config_file if target == "--config" else run_folder, "--output", tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1 and str(tmp_path / "weights.npz") in error
    assert sorted(path.name for path in tmp_path.iterdir()) == ["weights.npz"]


@pytest.mark.parametrize("kind", ["wgan"], indirect=True)
def test_bad_files_and_folders_exit_2(run_folder, config_file, tmp_path, capsys):
    (tmp_path / "text.npz").write_text("hello")
    (tmp_path / "empty").mkdir()
    for path, message in (("text.npz", "not a readable .npz file"), ("none.npz", "no such file"), ("none.pt", "no such file"), ("empty", "holds no state dict")):
        assert convert("--torch", tmp_path / path, "--config", config_file, "--output", tmp_path / "out") == 2
        assert message in capsys.readouterr().err
    assert convert("--torch", tmp_path / "text.npz", "--config", config_file, "--output", run_folder) == 2
    assert "is there already" in capsys.readouterr().err
    assert main(["convert", "to-torch", "--workdir", str(tmp_path / "empty"), "--output", str(tmp_path / "x.npz")]) == 2
    assert "holds no saved model" in capsys.readouterr().err and not (tmp_path / "x.npz").exists()


@pytest.mark.parametrize("kind", ["wgan"], indirect=True)
def test_files_of_code_are_not_run(tmp_path, capsys, config_file):
    torch = pytest.importorskip("torch")  # its files
    torch.save({"generator": Display}, tmp_path / "code.pt")
    assert convert("--torch", tmp_path / "code.pt", "--config", config_file, "--output", tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert "code.pt: is not a file that torch.save wrote of tensors only, or is damaged; save state dicts" in error
    assert error.count("\n") == 1 and "Error" not in error
    (tmp_path / "garbage.mat").write_bytes(bytes(range(7, 250)))
    assert convert("--torch", tmp_path / "garbage.mat", "--config", config_file, "--output", tmp_path / "out") == 2
    assert "garbage.mat: is not a file that torch.save wrote of tensors only" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["wgan"], indirect=True)
def test_keys_that_are_no_text_and_a_network_in_two_files_are_refused(tmp_path, capsys, config_file):
    torch = pytest.importorskip("torch")  # its files
    for number, (saved, key) in enumerate((({0: torch.zeros(3)}, "key 0 "), ({"critic": {("a", 1): torch.zeros(3)}}, r"key ('a', 1) "))):
        torch.save(saved, path := tmp_path / f"{number}.pt")
        assert convert("--torch", path, "--config", config_file, "--output", tmp_path / "out") == 2
        error = capsys.readouterr().err
        assert f"{number}.pt: {key}is no text; keys are" in error and error.count("\n") == 1
    (folder := tmp_path / "folder").mkdir()
    for name in ("critic.pt", "generator.pt", "generator.pth"):
        torch.save({"fc1.bias": torch.zeros(3)}, folder / name)
    assert convert("--torch", folder, "--config", config_file, "--output", tmp_path / "out") == 2
    assert "holds generator.pt and generator.pth, two files of one network; take one out" in capsys.readouterr().err


def test_one_array_under_two_keys_is_refused(tmp_path):
    array = np.zeros(3, np.float32)
    for number, keys in enumerate((("generator/fc1.bias", "generator.fc1.bias"), ("fc.weight", "fc/weight"), ("fc/fc.weight", "fc.weight"))):
        np.savez(path := tmp_path / f"{number}.npz", **dict.fromkeys(keys, array))
        with pytest.raises(UserError, match=rf"{number}.npz: holds .* twice, under keys that mean the same; take one out"):
            torch_files.read(path, ("generator", "fc"))


def test_the_case_of_a_suffix_means_nothing(tmp_path):
    arrays = {"generator/fc1.bias": np.ones(3, np.float32)}
    torch_files.write(tmp_path / "W.NPZ", arrays)
    assert np.load(tmp_path / "W.NPZ").files == ["generator/fc1.bias"]
    np.testing.assert_array_equal(torch_files.read(tmp_path / "W.NPZ", ("generator",))["generator/fc1.bias"], 1)
    assert output_file(tmp_path / "rows.NPZ", "--output") == tmp_path / "rows.NPZ"
    torch = pytest.importorskip("torch")  # its files
    (tmp_path / "folder").mkdir()
    torch.save({"fc1.bias": torch.ones(3)}, tmp_path / "folder" / "generator.PT")
    assert list(torch_files.read(tmp_path / "folder", ("generator",))) == ["generator/fc1.bias"]


def test_fields_are_set_as_in_training(tmp_path, monkeypatch, capsys):
    given = []
    monkeypatch.setattr(convert_torch, "to_jax", lambda options, display: given.append(options))
    np.savez(tmp_path / "w.npz", **{"fc.bias": np.zeros(3, np.float32)})
    to_jax = ["convert", "to-jax", f"--torch={tmp_path / 'w.npz'}", f"--output={tmp_path / 'out'}"]
    assert main([*to_jax, "--config=digits", "--config.seed=1", "--config.train.batch_size", "32"]) == 0
    assert given[0].config.seed == 1 and given[0].config.train.batch_size == 32
    assert given[0].overrides == {"seed": 1, "train.batch_size": 32}
    for more, told in (
        (["--config=digits", "--config.seeds=(0,1)"], "config.seeds=(0, 1): of the weights one run is made"),
        (["--config=digits", "--config.sead=1"], "--config.sead: no such field; did you mean --config.seed?"),
        (["--config=digits", "--config.seed=x"], "seed"), (["--config=digits", "--config.train.epochs=0"], "must be at least 1"),
        (["--config.seed=1"], "--config is missing, whose fields --config.FIELD sets"),
        (["--config=digits", f"--like={tmp_path}"], "--config and --like: give one of them"),
        (["--config=own", "--config.data.root=a.npz", "--data-root=b.npz"], "--config.data.root=a.npz and --data-root=b.npz: give one"),
    ):
        assert main([*to_jax, *more]) == 2
        error = capsys.readouterr().err
        assert told in error and error.count("\n") == 1, error
    assert len(given) == 1 and not (tmp_path / "out").exists()


def test_data_root_is_refused_where_no_data_is_read_and_named_where_it_is_missing(tmp_path, capsys):
    weights = tmp_path / "weights.npz"
    np.savez(weights, **{"fc.bias": np.zeros(3, np.float32)})
    to_jax = ["to-jax", f"--torch={weights}", f"--output={tmp_path / 'out'}"]
    for arguments, told in (
        ([*to_jax, f"--like={tmp_path}", "--data-root=/nonexistent"], "--data-root: means something with --config alone"),
        (["to-torch", f"--workdir={tmp_path}", "--data-root=/x", f"--output={tmp_path / 'x.npz'}"], "with --checkpoint alone"),
        ([*to_jax, "--config=own"], "d3gzsl convert: --data-root is missing: it is the .npz that d3gzsl embed wrote"),
        ([*to_jax, "--config=own", f"--data-root={tmp_path / 'no.npz'}"], "no.npz: no such file; set --data-root to"),
    ):
        assert main(["convert", *arguments]) == 2
        error = capsys.readouterr().err
        assert told in " ".join(error.split()) and "--config.data.root" not in error and error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["weights.npz"]


def test_the_help_lists_the_networks_and_layers_of_every_method(capsys):
    with pytest.raises(SystemExit):
        main(["convert", "to-jax", "--help"])
    said = capsys.readouterr().out
    for framework in FRAMEWORKS.values():
        for key in (leaf.key for leaves in torch_layout.layout(framework).values() for leaf in leaves if framework.torch_layout()):
            network, _, layer = key.rpartition(".")[0].partition("/")
            for name in (network, layer.replace("model.2", "model.0 and .2")):
                assert re.search(rf"\b{re.escape(name)}\b", said), key


def test_other_base_methods_are_refused(tmp_path, capsys):
    (tmp_path / "small.py").write_text(CONFIG.format(framework="fclswgan", variant="d3"))
    np.savez(tmp_path / "weights.npz", **{"fc.bias": np.zeros(3, np.float32)})
    assert convert("--torch", tmp_path / "weights.npz", "--config", tmp_path / "small.py", "--output", tmp_path / "out") == 2
    assert "config.framework=fclswgan: weights of wgan, cegzsl, fvaegan, tfvaegan, cadavae, zerodiff_representation, zerodiff, free can be converted" in capsys.readouterr().err


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
