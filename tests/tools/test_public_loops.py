"""What times and records the public TF-VAEGAN, CADA-VAE, FREE and ZeroDiff loops. No checkout and no torch is needed: stand-ins take their places."""

import itertools
import json
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.io

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.system.terminal import run_command
from tests.conftest import ROOT
from tools.benchmark import time_public
from tools.benchmark.time_public import Turns
from tools.parity_parts import record_zerodiff, script_free, script_tfvaegan, script_zerodiff
from tools.parity_parts.record_reference import UPDATE
from tools.parity_parts.record_tfvaegan import TFVAEGANRecorder
from tools.parity_parts.record_zerodiff import ZeroDiffRecorder, local_variables
from tools.parity_parts.reference_script import Enough
from tools.simulated.mat_files import MatSize

# What of torch a script and what runs it touch, without torch.
STUB_TORCH = """
class Tensor:
    data = property(lambda self: self)
    shape = ()
    def to(self, device): raise AssertionError("there is no cuda")
    def backward(self, gradient=None): assert gradient is None or gradient.shape == ()
    def reshape(self, shape): return Tensor()
    def __getitem__(self, index): raise IndexError(index)
    def dim(self): return 0
    def addmm_(self, *given, **named): return given, named
class One(Tensor): shape = (1,)
class Module:
    to = Tensor.to
class Linear(Module):
    def __init__(self, inputs, outputs): self.inputs, self.outputs = inputs, outputs
class nn: Module, Linear = Module, Linear
class optim:
    class Adam:
        def step(self): pass
class cuda: pass
FloatTensor = LongTensor = Tensor
manual_seed = lambda seed: None
gradients = True
is_grad_enabled = lambda: gradients
randperm = lambda n: list(range(n))
"""
STUB_TFVAEGAN = """
import sys, time, torch
import datasets.image_util as util
import classifiers.classifier_images as classifier
assert "--encoded_noise" in sys.argv and sys.argv[sys.argv.index("--ngh") + 1] == "64"
data = util.DATA_LOADER(type("Options", (), {"batch_size": 16}))
assert torch.nn.Linear(8, 4096).outputs == 64 and classifier.CLASSIFIER(dec_hidden_size=4096).width == 64
torch.Tensor().backward(torch.One())
assert torch.Tensor().data[0] is not None
for feedback in (False, True):
    for i in range(0, data.ntrain, 16):
        for _ in range(5):
            torch.randperm(3)
            time.sleep(0.02 if feedback else 0.01)
raise AssertionError("the rounds are over before the passes are")
"""
STUB_FREE = """
import sys, torch
given = dict(zip(sys.argv[1:], sys.argv[2:]))
assert given["--ngh"] == "64" and sys.argv[-1] == "results" and given["--latensize"] == "32" and given["--nclass_seen"] == "6"
assert torch.nn.Linear(8, 4096).outputs == 64
torch.Tensor().backward(torch.One())
assert torch.Tensor().addmm_(1, -2, "a", "b") == (("a", "b"), {"beta": 1, "alpha": -2}) and torch.Tensor().addmm_("a", "b")[1] == {}
while True:
    torch.randperm(3)
"""
STUB_CADAVAE = """
import torch, vaemodel
values = {"batch_size": 50}
model = vaemodel.Model(values)
assert len(model.dataset) == 7 and values["batch_size"] == 16 and (model.num_classes, model.num_novel_classes) == (10, 4)
assert torch.Tensor().to("cuda") is not None and torch.cuda.FloatTensor is torch.FloatTensor
while True:
    torch.randperm(3)
"""
STUB_DRG = """
import sys, torch
import zerodiff_tools
given = dict(zip(sys.argv[1:], sys.argv[2:]))
assert given["--dim_t"] == given["--noiseSize"] == "8" and "--nz" not in given and "--freeze_dec" in sys.argv
def width(device='cuda'): return 2048, device
assert width() == (32, "cpu") and zerodiff_tools.embed.width == 32
class Copied:
    def clone(self): return self
Copied().copy()
torch.save({"state_dict_R": {}}, "out_gzsl.tar")
while True:
    torch.randperm(3)
"""
STUB_DFG = """
import sys, torch
import config_zerodiff, zerodiff_tools
assert (config_zerodiff.encoder, config_zerodiff.decoder) == ([8192, 64], [64, 8192])
def init(device='cuda', dec_hidden_size=4096): return 2048, device, dec_hidden_size
assert init() == (32, "cpu", 64)
class ZERODIFF: pass
zerodiff = ZERODIFF()
zerodiff.interval_recorder_sum = 1
assert ZERODIFF.interval_recorder_sum == 1
class Row:
    def to(self, device): return device
    def __len__(self): return 3
    def new_zeros(self, *shape): return shape
x_tp1 = Row()
x_tp1.device = "here"
assert Row().to(x_t.device) == "here"
assert torch.load(sys.argv[sys.argv.index("--netR_model_path") + 1])['state_dict_G_con'] == {"fc1.weight": 7}
critic = zerodiff_tools.DFG_Discriminator_xc()
assert critic.forward(Row(), "representation") == "plain"
torch.gradients = False
assert critic.forward(Row(), "representation") == (3, 1)
while True:
    for rows in ("of training", "of a test"):
        torch.randperm(3)
"""
STUB_ZERODIFF_TOOLS = """
class TimeEmbedFC:
    def __init__(self, width, out): self.width = width
embed = TimeEmbedFC(2048, 8)
class DRG_Generator:
    def __init__(self, options): assert options == "options"
    def state_dict(self): return {"fc1.weight": 7}
class DFG_Discriminator_x0:
    def forward(self, *given): return "plain"
class DFG_Discriminator_xt(DFG_Discriminator_x0): pass
class DFG_Discriminator_xc(DFG_Discriminator_x0): pass
"""
ZERODIFF = {
    "zerodiff_DRG_train.py": STUB_DRG, "zerodiff_DFG_train.py": STUB_DFG, "zerodiff_tools.py": STUB_ZERODIFF_TOOLS,
    "config_zerodiff.py": "opt = 'options'\nencoder, decoder = [8192, 4096], [4096, 8192]\n", "datasets/image_util.py": "",
    "classifiers/classifier_images.py": "",
}  # fmt: skip
FILES = {
    "zerodiff": ZERODIFF, "zerodiff_representation": ZERODIFF,
    "tfvaegan": {
        "train_images.py": STUB_TFVAEGAN,
        "datasets/image_util.py": "class DATA_LOADER:\n    def __init__(self, options): self.read_matdataset(options)\n    def read_matdataset(self, options): self.ntrain = 7057\n",
        "classifiers/classifier_images.py": "class CLASSIFIER:\n    def __init__(self, dec_hidden_size): self.width = dec_hidden_size\n",
    },
    "free": {"train_free.py": STUB_FREE},
    "cadavae": {
        "model/single_experiment.py": STUB_CADAVAE,
        "model/data_loader.py": "class DATA_LOADER:\n    ntrain = 7\n",
        "model/vaemodel.py": "import data_loader\nclass Model:\n    def __init__(self, values): self.dataset = data_loader.DATA_LOADER()\n",
    },
}  # fmt: skip


def checkout(folder, kind):
    """A stand-in of the published code of this kind; the environment in which torch is a stand-in too."""
    (folder / "torch.py").write_text(STUB_TORCH)
    for name, text in FILES[kind].items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return os.environ | {"PYTHONPATH": str(folder)}


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "passes"), [
    ("tfvaegan", [0, 0, 1, 1]), ("cadavae", [0, 0]), ("free", [0, 0]), ("zerodiff", [0, 0]), ("zerodiff_representation", [0, 0]),
])  # fmt: skip
def test_a_round_begins_with_a_line_and_ends_with_its_seconds(kind, passes, tmp_path):
    env = checkout(tmp_path, kind)
    command = [sys.executable, str(ROOT / "tools/benchmark/time_public.py"), kind, str(tmp_path), "--size", "tiny", "--wait"]
    done = subprocess.run([*command, "--rounds", "2", "--steps", "2"], input="\n" * 9, capture_output=True, text=True, env=env)
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["pass"] for one in found] == passes and all(one["peak_resident_gib"] > 0 for one in found)
    if kind == "tfvaegan":
        assert [one["seconds"] > least for one, least in zip(found, (0.05, 0.05, 0.1, 0.1), strict=True)] == [True] * 4
    assert all(one["cpu_seconds"] >= 0 for one in found)


@pytest.mark.parametrize(("passes", "draws", "rounds", "steps"), [(2, 5, 3, 1), (1, 1, 2, 4), (2, 2, 1, 3)])
def test_rounds_lie_between_first_draws_of_rows(passes, draws, rounds, steps, capfd):
    waited = []
    turns = Turns(passes, draws, rounds, steps, lambda: waited.append(turns.drawn - 1))

    def script():
        while True:
            turns.draw()

    with pytest.raises(Enough):
        script()
    of_pass = turns.steps_per_pass * draws
    firsts = [number * of_pass + (1 + round_ * steps) * draws for number in range(passes) for round_ in range(rounds)]
    assert waited == firsts and turns.drawn - 1 == firsts[-1] + steps * draws
    found = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [one["pass"] for one in found] == [number for number in range(passes) for _ in range(rounds)]


@pytest.mark.parametrize(("message", "arguments"), [
    ("holds no train_images.py; name a checkout of akshitac8/tfvaegan", ["tfvaegan", "{0}"]),
    ("holds no model/single_experiment.py", ["cadavae", "{0}"]),
    ("holds no train_free.py; name a checkout of shiming-chen/FREE", ["free", "{0}"]),
    ("holds no config_zerodiff.py; name a checkout of FouriYe/ZeroDiff_ICLR25", ["zerodiff", "{0}"]),
    ("--size cub: zerodiff is timed at awa2 or tiny", ["zerodiff", "{0}", "--size", "cub"]),
    ("--rounds 90 --steps 9: together at most 365 outer steps", ["zerodiff", "{0}", "--rounds", "90", "--steps", "9"]),
    ("--rounds and --steps must be at least 1", ["cadavae", "{0}", "--rounds", "0"]),
    ("--rounds 30 --steps 4: together at most 108 outer steps of a pass", ["tfvaegan", "{0}", "--rounds", "30", "--steps", "4"]),
])  # fmt: skip
def test_what_cannot_be_timed_is_refused(message, arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["tool", *(argument.format(tmp_path) for argument in arguments)])
    assert run_command(time_public.main) == 2
    captured = capsys.readouterr()
    assert message in captured.err and captured.err.count("\n") == 1


def test_switches_are_given_or_left_out():
    words = script_tfvaegan.command_line(MatSize(5, 3, 4, 2, 20, 9, 7), {"a1": 0.5, "freeze_dec": True, "encoded_noise": False})
    assert words[:3] == ["--a1", "0.5", "--freeze_dec"] and "--encoded_noise" not in words
    assert words[words.index("--nclass_all") + 1] == "6" and words[words.index("--attSize") + 1] == "3"


def test_the_dataset_of_free_decides_and_its_widths_belong_together():
    words = script_free.command_line(MatSize(5, 3, 4, 2, 20, 9, 7), {"dataset": "AWA2", "ngh": 36, "freeze_dec": True})
    value = lambda name: words[len(words) - 1 - words[::-1].index(name) + 1]  # noqa: E731  # the last counts
    assert (value("--dataset"), value("--ngh"), value("--latensize"), value("--nclass_seen")) == ("AWA2", "36", "18", "4")
    assert "--freeze_dec" in words


def test_options_that_zerodiff_does_not_have_are_left_out():
    words = script_zerodiff.command_line(MatSize(5, 3, 4, 2, 20, 9, 7), {"noiseSize": 6, "freeze_dec": False, "n_T": 4})
    value = lambda name: words[words.index(name) + 1]  # noqa: E731
    assert (value("--noiseSize"), value("--dim_t"), value("--n_T")) == ("6", "3", "4")
    assert not {"--nz", "--latent_size", "--freeze_dec"} & set(words)


def test_lines_are_changed_wherever_they_stand_and_must_be_there():
    changes = (("2048", "{features}"), (".to(x_t.device)", ".to(x_tp1.device)"))
    text = "a = zeros(2048).to(x_t.device)\nb = other_x_t.device, 2048\n"
    found = script_zerodiff.changed(text, changes, {"features": 20, "hidden": 9})
    assert found == "a = zeros(20).to(x_tp1.device)\nb = other_x_t.device, 20\n"
    with pytest.raises(UserError, match=r"holds no '.to\(x_t.device\)'; it is not the version"):
        script_zerodiff.changed("2048", changes, {"features": 20, "hidden": 9})


def test_files_of_the_simulated_zerodiff_benchmark(tmp_path):
    size = MatSize(features=7, semantics=3, seen=4, unseen=2, train=20, test_seen=9, test_unseen=8)
    raw = script_zerodiff.simulate(size, 0)
    script_zerodiff.write(tmp_path, raw)
    data = tmp_path / "data" / "simulated"
    of = {name: scipy.io.loadmat(data / f"{name}.mat") for name in ("res101", "ce_ce", "con_paco", "att_splits")}
    rows = [of["res101"]["features"].T, of["ce_ce"]["features"], of["con_paco"]["features"]]
    assert {array.shape for array in rows} == {(37, 7)} and of["att_splits"]["allclasses_names"].shape == (6, 1)
    assert not any(np.allclose(one, other) for one, other in itertools.combinations(rows, 2))
    assert not np.allclose(of["att_splits"]["att"], of["att_splits"]["original_att"])
    assert (tmp_path / "log" / "simulated").is_dir()


def test_of_zerodiffs_classifiers_the_first_of_a_kind_in_the_last_epoch_are_recorded(monkeypatch):
    script = {"epoch": 0, "opt": SimpleNamespace(nepoch=2, nclass_all=5)}
    monkeypatch.setattr(record_zerodiff, "variable", script.__getitem__)
    monkeypatch.setattr(TFVAEGANRecorder, "classifier_begins", lambda self, of: began.append(self.classifier_name(of)))
    monkeypatch.setattr(TFVAEGANRecorder, "classifier_ends", lambda self, of, best: None)
    monkeypatch.setattr(ZeroDiffRecorder, "put_syntheses", lambda self: began.append("syntheses"))
    began, recorder = [], ZeroDiffRecorder("dfg", {})
    kinds = [(5, "V"), (5, "V"), (5, "VC"), (5, "VCS"), (5, "VCS"), (2, "V"), (2, "VCS")]

    def fit():
        for count, seen in kinds:
            of = SimpleNamespace(nclass=count, **{f"use{letter}": letter in seen for letter in "VCS"})
            recorder.classifier_begins(of)
            recorder.classifier_ends(of, [])

    fit()
    assert began == []
    script["epoch"] = 1
    with pytest.raises(Enough):
        fit()
    assert began == ["syntheses", "classifier_gzsl_V/", "classifier_gzsl_VCS/", "classifier_zsl_VCS/"]


def test_the_variables_of_a_function_under_way_are_found():
    def inner():
        cost = 1
        return local_variables("outer"), dict(local_variables("inner")), cost

    def outer():
        rows = 7
        return inner(), rows

    (of_outer, of_inner, _), _ = outer()
    assert (of_outer["rows"], of_inner["cost"]) == (7, 1) and local_variables("outer") == {}


@pytest.mark.parametrize(("key", "update"), [
    ("step003/kind", "step003"), ("drg/step003/after/generator/fc1.bias", "drg/step003"), ("drg/init/generator/fc1.bias", None),
    ("dfg/nsteps", None), ("epoch0/nsteps", None),
])  # fmt: skip
def test_updates_are_counted_by_their_names(key, update):
    found = UPDATE.match(key)
    assert (found and found.group()) == update


def test_rows_of_the_final_classifiers_batches_are_told_from_its_shuffles():
    """Its own way of filling a batch over the end of the shuffled rows, on rows that are their numbers."""
    rng, recorder = np.random.default_rng(0), TFVAEGANRecorder({})
    rows, size, start, expected = np.arange(7), 3, 0, []
    recorder.order = rows.copy()
    for number in range(8):
        permutations = []

        def shuffle(permutations=permutations):
            permutations.append(rng.permutation(7))
            rows[:] = rows[permutations[-1]]

        if number == 0:
            shuffle()
        before = start
        rest = rows[start : start + size].copy()
        start += size
        if start > 7:
            shuffle()
            start = size - len(rest)
            rest = np.concatenate([rest, rows[:start]])
        expected.append(rest)
        recorder.permutations = list(permutations)
        recorder.classifier_batch(SimpleNamespace(ntrain=7), before, size)
    assert np.array_equal(recorder.batches, expected)
