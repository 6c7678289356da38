"""What times and records the public TF-VAEGAN, CADA-VAE and FREE loops. No checkout and no torch is needed: stand-ins take their places."""

import json
import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from tests.conftest import ROOT
from tools.benchmark import time_public
from tools.benchmark.time_public import Turns
from tools.parity_parts import script_free, script_tfvaegan
from tools.parity_parts.record_tfvaegan import TFVAEGANRecorder
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
FILES = {
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
@pytest.mark.parametrize(("kind", "passes"), [("tfvaegan", [0, 0, 1, 1]), ("cadavae", [0, 0]), ("free", [0, 0])])
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
    ("--rounds and --steps must be at least 1", ["cadavae", "{0}", "--rounds", "0"]),
    ("--rounds 30 --steps 4: together at most 108 outer steps of a pass", ["tfvaegan", "{0}", "--rounds", "30", "--steps", "4"]),
])  # fmt: skip
def test_what_cannot_be_timed_is_refused(message, arguments, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["tool", *(argument.format(tmp_path) for argument in arguments)])
    assert time_public.main() == 2
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
