"""Weights, files and options that do not fit are refused in one line, and nothing is left."""


import numpy as np
import pytest

from d3gzsl_jax import convert as convert_torch
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.main import main
from d3gzsl_jax.runs import torch_files
from d3gzsl_jax.runs.display import Display
from d3gzsl_jax.runs.synthesize_file import output_file
from tests.convert.weights import CONFIG, convert

pytestmark = pytest.mark.slow


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


def test_other_base_methods_are_refused(tmp_path, capsys):
    (tmp_path / "small.py").write_text(CONFIG.format(framework="fclswgan", variant="d3"))
    np.savez(tmp_path / "weights.npz", **{"fc.bias": np.zeros(3, np.float32)})
    assert convert("--torch", tmp_path / "weights.npz", "--config", tmp_path / "small.py", "--output", tmp_path / "out") == 2
    assert "config.framework=fclswgan: weights of wgan, cegzsl, fvaegan, tfvaegan, cadavae, zerodiff_representation, zerodiff, free can be converted" in capsys.readouterr().err
