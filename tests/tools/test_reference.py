"""What runs, records and times published PyTorch scripts. No checkout and no torch is needed: stand-ins take their places."""

import json
import os
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest

from d3gzsl_jax.data.formats.xlsa17 import read_xlsa17
from d3gzsl_jax.data.validate import validate
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.frameworks.structures import TrainState
from d3gzsl_jax.system.terminal import run_command
from d3gzsl_jax.training.optimizers import Optimization
from tests.conftest import ROOT
from tools import parity
from tools.benchmark import time_reference
from tools.parity_parts import (
    record_cadavae,
    record_cegzsl,
    record_tfvaegan,
    record_wgan,
    record_zerodiff,
    recording_process,
    reference_script,
)
from tools.parity_parts.comparison import LOSS, Comparison
from tools.parity_parts.recorder import Recorder
from tools.parity_parts.rounding import Rounding
from tools.simulated import mat_files
from tools.simulated.mat_files import MatSize

SIZE = MatSize(features=5, semantics=3, seen=4, unseen=2, train=20, test_seen=9, test_unseen=7)

# What of torch a script and its watchers touch, without torch.
STUB_TORCH = """
class Tensor: pass
class nn: Module = type("Module", (), {})
class optim:
    class Adam:
        def step(self): pass
__version__ = "stub"
get_num_threads = lambda: 2
randperm = lambda n: list(range(n))
"""
STUB_CEGZSL = """
import sys, time, pathlib, torch, wandb
assert sys.argv[1:] == ["--dataroot", "data"] and pathlib.Path("data/CUB/sent_splits.mat").exists()
wandb.init(project="nothing is sent")
x = torch.Tensor()
assert x.cuda() is x
optimizerD, optimizerG, classifier = torch.optim.Adam(), torch.optim.Adam(), torch.optim.Adam()
while True:
    for optimizer in [optimizerD] * 5 + [optimizerG]:
        torch.randperm(3)
        time.sleep(0.02)
        optimizer.step()
    classifier.step()
"""


TOOLS = {"time_reference": "tools/benchmark/time_reference.py", "record_reference": "tools/parity_parts/record_reference.py"}


def stub(folder, script=STUB_CEGZSL, torch=STUB_TORCH):
    (folder / "torch.py").write_text(torch)
    (folder / "CE_GZSL.py").write_text(script)
    return os.environ | {"PYTHONPATH": str(folder)}


def tool(name, *arguments, env=None):
    """In a process of its own, as the tools change the torch they find."""
    command = [sys.executable, str(ROOT / TOOLS[name]), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=env)


def refused(done, message):
    assert done.returncode == 2 and message in done.stderr and done.stderr.count("\n") == 1, done.stderr


@pytest.fixture
def refuses(monkeypatch, capsys):
    """What is refused before torch is touched, in this process: (module of a tool, message, arguments)."""

    def refuses(module, message, *arguments):
        monkeypatch.setattr(sys, "argv", ["tool", *map(str, arguments)])
        assert run_command(module.main) == 2
        captured = capsys.readouterr()
        assert message in captured.err and captured.err.count("\n") == 1 and captured.out == "", captured.err

    return refuses


@pytest.mark.slow
def test_updates_are_timed_between_the_steps_that_end_them(tmp_path):
    env = stub(tmp_path)
    done = tool("time_reference", "cegzsl", tmp_path, "--updates", 3, env=env)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert len(found["critic_seconds"]) == 3 and min(found["critic_seconds"]) >= 0.02 and found["outer_step_seconds"] == []
    found = json.loads(tool("time_reference", "cegzsl", tmp_path, "--steps", 2, env=env).stdout)
    assert len(found["outer_step_seconds"]) == 2 and min(found["outer_step_seconds"]) >= 6 * 0.02
    assert len(found["critic_seconds"]) == 9 and found["threads"] == 2
    assert sum(found["outer_step_seconds"]) > sum(found["critic_seconds"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["CE_GZSL.py", "torch.py"] + ["__pycache__"] * (tmp_path / "__pycache__").exists()


def test_the_timer_refuses_what_it_cannot_time(tmp_path, refuses):
    stub(tmp_path)
    refuses(time_reference, "holds no gzsl/main.py; name a checkout of PJBQ/D3GZSL", "wgan", tmp_path, "--steps", 1)
    refuses(time_reference, "--updates 5: must be 1 to 4", "cegzsl", tmp_path, "--updates", 5)
    refuses(time_reference, "--steps 0: must be at least 1", "cegzsl", tmp_path, "--steps", 0)


BROKEN = {
    "fails": ("raise ValueError('no such option')", "stopped with ValueError: no such option"),
    "exits": ("raise SystemExit('usage')", "stopped with SystemExit: usage"),
    "misses a variable": (
        "import torch\nclassifier_embed_contras = 0\noptimizerD = torch.optim.Adam()\noptimizerD.step()",
        "the script has no variable 'data' at this point; it is not the version this tool knows",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", BROKEN)
def test_a_changed_script_is_refused_and_nothing_is_written(case, tmp_path):
    script, message = BROKEN[case]
    env = stub(tmp_path, script, STUB_TORCH + "rand = None\n")
    (tmp_path / "classifier_embed_contras.py").write_text("class CLASSIFIER:\n    fit = next_batch = val_gzsl = None\n")
    output = tmp_path / "out" / "file.npz"
    output.parent.mkdir()
    refused(tool("record_reference", "cegzsl", tmp_path, "--output", output, env=env), f"CE_GZSL.py: {message}")
    assert list(output.parent.iterdir()) == []


@pytest.mark.slow
def test_a_missing_torch_is_said(tmp_path):
    env = stub(tmp_path, torch="raise ImportError")
    refused(tool("record_reference", "cegzsl", tmp_path, "--output", tmp_path / "x.npz", env=env), "torch is not installed for")


PARITY = {
    "no checkout": (["--reference", "{0}"], "holds no gzsl/main.py; name a checkout of PJBQ/D3GZSL"),
    "no CE-GZSL": (["--cegzsl", "{0}/none"], "holds no CE_GZSL.py; name a checkout of Hanzy1996/CE-GZSL"),
    "no TF-VAEGAN": (["--tfvaegan", "{0}"], "holds no train_images.py; name a checkout of akshitac8/tfvaegan"),
    "no CADA-VAE": (["--cadavae", "{0}"], "holds no model/single_experiment.py; name a checkout of edgarschnfld/CADA-VAE-PyTorch"),
    "no FREE": (["--free", "{0}"], "holds no train_free.py; name a checkout of shiming-chen/FREE"),
    "size": (["--cegzsl", "{0}", "--size", "cub"], "--size cub: a checkout is run at small or medium"),
    "epochs": (["--cegzsl", "{0}", "--epochs", "0"], "--epochs 0: must be at least 1"),
    "seed": (["--cegzsl", "{0}", "--seed", "-1"], "--seed -1: must be 0 to"),
    "record": (["--cegzsl", "{0}", "--record", "{0}/none/x.npz"], "its folder does not exist"),
    "interpreter": (["--cegzsl", "{0}", "--python", "{0}/python"], "cannot be run (No such file"),
    "options of a recording": (["--golden", "{0}", "--seed", "1"], "--seed: not with --golden"),
}


@pytest.mark.parametrize("case", PARITY)
def test_parity_refuses_bad_input_in_one_line(case, tmp_path, capsys):
    arguments, message = PARITY[case]
    assert run_command(lambda: parity.main([argument.format(tmp_path) for argument in arguments])) == 2
    captured = capsys.readouterr()
    assert message in captured.err and captured.err.count("\n") == 1 and captured.out == ""


@pytest.mark.parametrize("arguments", [[], ["--golden", "a", "--reference", "b"]])
def test_parity_takes_exactly_one_source(arguments):
    with pytest.raises(UserError, match="--golden"):
        parity.main(arguments)


def test_parity_as_json():
    comparison = Comparison()
    comparison.add("a loss", "step000/loss", 1.0, 1.0, LOSS)
    comparison.add("another", "step001/loss", np.nan, 1.0, LOSS)
    found = json.loads(json.dumps(parity.as_json(parity.Checked("title", comparison, {"seed": 3})), allow_nan=False))
    assert found["compared"] == {"seed": 3} and found["verdict"] == "outside" and "jax" in found["environment"]["versions"]
    assert found["first_failure"].startswith("another: step001/loss: ours nan")
    assert found["quantities"]["a loss"]["verdict"] == "within" and found["quantities"]["another"]["max_abs"] == "nan"


def test_simulated_files_are_read_by_the_package_too(tmp_path):
    arrays = mat_files.simulate(SIZE, 3)
    mat_files.write(tmp_path / "data", arrays)
    data = validate(read_xlsa17(tmp_path / "data", "simulated"))
    assert np.array_equal(data.features, arrays["features"].T) and data.semantics.shape == (6, 3)
    assert len(data.seen_classes) == 4 and len(data.trainval) == 20 and len(data.test_seen) == 9 and len(data.test_unseen) == 7
    assert set(data.labels[data.trainval]) == set(data.labels[data.test_seen]) == set(data.seen_classes.tolist())
    assert set(data.labels[data.test_unseen]) == set(range(6)) - set(data.seen_classes.tolist())
    again = mat_files.simulate(SIZE, 3)
    assert all(np.array_equal(arrays[name], again[name]) for name in arrays)
    assert not np.array_equal(arrays["features"], mat_files.simulate(SIZE, 4)["features"])


@pytest.mark.parametrize("module", [record_wgan, record_cegzsl, record_tfvaegan, record_cadavae, record_zerodiff])
def test_sizes_differ_from_the_recordings_in_the_repository(module):
    golden = np.load(ROOT / "tests" / "golden" / f"{module.__name__.rsplit('_')[-1]}.npz")
    for dimensions, _ in module.SIZES.values():
        assert dimensions.features != golden["data/train_feature"].shape[1]
        assert dimensions.seen != len(golden["data/seen_classes"])


class Number(float):
    """What a recorder needs of a tensor."""

    def detach(self):
        return self

    clone = detach

    def numpy(self):
        return np.float32(self)


def test_a_draw_is_seen_once_an_update():
    recorder = Recorder()
    recorder.draw("noise/interp", Number(0.5))
    with pytest.raises(UserError, match="step000: noise/interp was drawn twice"):
        recorder.draw("noise/interp", Number(0.5))
    recorder.take("noise/interp")
    assert recorder.arrays["step000/noise/interp"] == 0.5
    with pytest.raises(UserError, match="step000: noise/unseen was not seen"):
        recorder.take("noise/unseen")


def test_options_a_script_does_not_have_are_refused():
    class Options:
        lr = 1.0

    assert reference_script.set_options(Options, {"lr": 2.0})().lr == 2.0
    with pytest.raises(UserError, match="its options have no 'rate'"):
        reference_script.set_options(Options, {"rate": 2.0})()


def test_the_revision_of_a_checkout(tmp_path):
    assert recording_process.revision(str(tmp_path)) is None

    def git(*arguments):
        identity = ("-c", "user.name=x", "-c", "user.email=x@x")
        subprocess.run(["git", "-C", str(tmp_path), *identity, *arguments], check=True, capture_output=True)

    git("init", "-q")
    git("commit", "-q", "--allow-empty", "-m", "first")
    assert len(recording_process.revision(str(tmp_path))) == 40
    (tmp_path / "file").write_text("x")
    assert recording_process.revision(str(tmp_path)).endswith(" (modified)")
    (tmp_path / "inner").mkdir()
    assert recording_process.revision(str(tmp_path / "inner")) is None


class OneTensor:
    """A recording of one group 'critic' of one tensor: gradient and parameters after the update."""

    def __init__(self, gradient, after):
        self.values = {"step000/grad/": gradient, "step000/after/": after}

    def has(self, prefix):
        return prefix in self.values

    def load(self, group, prefix, like):
        return {"w": jnp.asarray(self.values[prefix], jnp.float32)}


def rounded(ours, theirs):
    """What is left of a state whose entries moved by Adam's step, and the comparison."""
    optimization = Optimization(learning_rates={"critic": 1e-3}, factors={}, decay_every=20, steps_per_epoch=1)
    params = {"critic": {"w": jnp.zeros(len(ours))}}
    moved = lambda g: optimization.apply(("critic",), params, optimization.init(params), {"critic": {"w": jnp.asarray(g)}}, jnp.int32(0))  # noqa: E731
    (found, opt_state), (recorded, _) = moved(ours), moved(theirs)
    out = Comparison()
    rounding = Rounding(OneTensor(theirs, recorded["critic"]["w"]), optimization, out)
    state = TrainState(step=jnp.int32(0), params=found, opt_state=opt_state)
    state = rounding.take_over("step000", {"critic": {"w": jnp.asarray(ours)}}, state, {"critic": 1e-3})
    return np.asarray(state.params["critic"]["w"]), np.asarray(found["critic"]["w"]), np.asarray(recorded["critic"]["w"]), out


def test_only_a_gradient_of_rounding_is_taken_over():
    ours = np.array([0.02, 0.0, 0.0, 3e-9, 1e-3], np.float32)
    theirs = np.array([0.02, 1.5e-9, 0.0, 3e-9, 1e-3 + 1e-9], np.float32)
    kept, found, recorded, out = rounded(ours, theirs)
    assert kept[1] == recorded[1] != found[1] and np.array_equal(np.delete(kept, 1), np.delete(found, 1))
    row = out.rows["entries left to rounding"]
    assert row.count == 1 and row.in_units == pytest.approx(1.5e-9 / 1.15e-8, rel=1e-3) and row.first_failure is None


def test_a_gradient_that_differs_by_more_is_not_taken_over():
    kept, found, recorded, out = rounded(np.array([0.02, 0.0], np.float32), np.array([0.02, 1e-6], np.float32))
    assert np.array_equal(kept, found) and kept[1] != recorded[1] and out.rows == {}
    kept, found, _, out = rounded(np.array([1e-9], np.float32), np.array([2e-9], np.float32))
    assert np.array_equal(kept, found) and out.rows == {}
