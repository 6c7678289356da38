"""The PyTorch recordings replayed in full, and proof that the replay can fail."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.frameworks.schedule import AdamRule
from d3gzsl_jax.frameworks.structures import Batch
from d3gzsl_jax.system.terminal import run_command
from d3gzsl_jax.training.step import train_step
from tests.conftest import GOLDEN
from tools import parity
from tools.parity_parts import replay, replay_cegzsl, replay_steps, replay_wgan
from tools.parity_parts.comparison import LOSS, PARAMETER, Comparison
from tools.parity_parts.recording import Recording

pytestmark = [pytest.mark.slow, pytest.mark.optimized]  # figures of a recording

WGAN, CEGZSL = GOLDEN / "wgan.npz", GOLDEN / "cegzsl.npz"


@pytest.fixture(scope="module")
def comparison():
    return replay.replay(Recording(WGAN))


@pytest.fixture(scope="module")
def cegzsl_comparison():
    return replay.replay(Recording(CEGZSL))


@pytest.mark.optimized
def test_everything_is_within_tolerance(comparison):
    assert comparison.failures == []
    counts = {name: row.count for name, row in comparison.rows.items()}
    # 45 updates in 3 epochs of 5 outer steps of 2 critic and 1 generator updates; parameters after the first 12 updates, every
    # tenth after that, and every epoch.
    assert counts["critic loss"] == 30 and counts["generator loss"] == 15 and counts["term kd"] == 45
    assert counts["parameters generator"] == (12 + 3 + 3) * 4 and counts["parameters critic"] == (12 + 3 + 3) * 5
    assert counts["learning rates"] == 15 and counts["accuracies"] == 6 and counts["teacher accuracies"] == 6
    assert counts["preprocessing"] == 10 and counts["teacher parameters"] == 8


@pytest.mark.optimized
def test_everything_of_cegzsl_is_within_tolerance(cegzsl_comparison):
    assert cegzsl_comparison.failures == []
    counts = {name: row.count for name, row in cegzsl_comparison.rows.items()}
    # 30 updates in 2 epochs of 5 outer steps, parameters after each; gradients of the first four; a classifier per epoch.
    assert counts["critic loss"] == 20 and counts["generator loss"] == 10
    assert counts["term contrastive"] == counts["term class"] == 30
    sizes = {"generator": 4, "critic": 5, "embedding": 2, "projection": 2, "comparator": 4}  # 5, but for its output's bias
    for group, arrays in sizes.items():
        assert counts[f"parameters {group}"] == 30 * arrays
        assert counts[f"gradient {group}"] == (1 if group == "generator" else 3) * arrays
    assert counts["classifier parameters"] == 4 and counts["accuracies"] == 14 and counts["learning rates"] == 4
    assert counts["D3 gradient generator"] == counts["D3 gradient student_head"] == 4
    assert counts["D3 gradient embedding"] == counts["D3 gradient confidence"] == 2
    assert counts["class contrast of the scores"] == 2


@pytest.mark.optimized
def test_parameters_stay_far_inside_their_tolerance(comparison, cegzsl_comparison):
    """A tighter line than the tolerance, so that a slow drift is seen before it matters."""
    for name, row in (comparison.rows | cegzsl_comparison.rows).items():
        if row.tolerance is PARAMETER:
            assert row.in_units < 0.005, name


def perturbed(tmp_path, recording=WGAN, **changes):
    arrays = dict(np.load(recording))
    for key, change in changes.items():
        arrays[key] = change(arrays[key])
    path = tmp_path / "perturbed.npz"
    np.savez(path, **{key: value for key, value in arrays.items() if value is not None})
    return path


def bump(amount, index=0):
    def change(array):
        array = array.copy()
        array.reshape(-1)[index] += amount
        return array

    return change


PERTURBATIONS = {
    "one weight": ({"init/generator/fc2.weight": bump(1e-3, 5)}, "parameters generator: step000/after/generator/fc2.weight"),
    "one teacher weight": ({"init/teacher_head/fc2.weight": bump(1e-3, 5)}, "teacher parameters: pretrain/epoch0"),
    "one draw z": ({"step003/noise/fake": bump(3.0)}, ": step003/"),
    "one draw alpha": ({"step007/noise/interp": bump(0.2)}, "parameters critic: step007/after/critic"),
    "one draw z_u": ({"step005/noise/unseen": bump(0.5)}, "parameters generator: step005/after/generator"),
    "one batch row": ({"step010/batch/features": bump(0.3)}, "term cls: step010/term/cls"),
    "one label": ({"step010/batch/label": lambda labels: np.roll(labels, 1)}, "step010/"),
    "penalty weight": ({"config/lambda1": lambda _: np.array(11)}, "gradient penalty: step000"),
    "weight of L_od": ({"config/bi_loss_para": lambda _: np.array(0.31)}, "weighted distillation: step000"),
    "weight of L_be and L_kl": ({"config/kl_loss_para": lambda _: np.array(0.51)}, "weighted distillation: step000"),
    "learning rate": ({"config/lr": lambda _: np.array(1.03e-3)}, "parameters critic: step000"),
    "beta1": ({"config/beta1": lambda _: np.array(0.6)}, "parameters critic: step001"),
    "teacher weight": ({"config/oodtrain_loss_para": lambda _: np.array(0.002)}, "teacher loss: pretrain/epoch0/loss_sum"),
    "critic updates": ({"config/critic_iter": lambda _: np.array(1)}, "counts: updates: ours 30, recorded 45"),
    "order of updates": (
        {"step021/kind": lambda _: np.array("generator")},
        "order of updates: step021/kind (1: generator)",
    ),
    "epochs": ({"config/g_epoch": lambda _: np.array(4)}, "counts: epochs: ours 4, recorded 3"),
    "a recorded rate": ({"epoch1/lr/G": lambda rate: rate * 1.09}, "learning rates: epoch1/lr/G"),
    "a recorded accuracy": ({"epoch2/unseen": bump(0.01)}, "accuracies: epoch2/unseen"),
    "a raw feature": ({"mat/features": bump(0.5, 9)}, "preprocessing: data/"),
    "NaN": ({"step004/loss": lambda _: np.array(np.nan, np.float32)}, "critic loss: step004/loss"),
}


class Caught(Exception):
    """The failure that was looked for."""


class Until(Comparison):
    """Ends a replay at a certain failure."""

    def __init__(self, where):
        super().__init__()
        self.where = where

    def add(self, quantity, *arguments):
        super().add(quantity, *arguments)
        if self.where in f"{quantity}: {self.rows[quantity].first_failure or ''}":
            raise Caught


def catches(recording, changes, where):
    """Replays a recording with these changes up to the failure that has to follow."""
    changed = Recording(recording)
    changed.arrays |= {key: change(changed.arrays[key]) for key, change in changes.items()}
    with pytest.raises(Caught):
        replay.replay(changed, out=Until(where))


@pytest.mark.parametrize("case", PERTURBATIONS)
def test_a_perturbation_is_caught(case):
    catches(WGAN, *PERTURBATIONS[case])


# What is perturbed in cegzsl.npz, and the first quantity, step and key that must be named.
CEGZSL_PERTURBATIONS = {
    "one comparator weight": ({"init/comparator/fc1.weight": bump(1e-3, 5)}, "parameters comparator: step000/after/comparator"),
    "one projection weight": ({"init/embed/fc2.weight": bump(1e-2, 5)}, "term contrastive: step000/term/contrastive"),
    "draws alpha": ({"step006/noise/interp": lambda alpha: alpha[::-1]}, "parameters critic: step006/after/critic"),
    "temperature of instances": ({"config/ins_temp": lambda _: np.array(0.11)}, "term contrastive: step000"),
    "temperature of classes": ({"config/cls_temp": lambda _: np.array(0.11)}, "term class: step000"),
    "weight of instances": ({"config/ins_weight": lambda _: np.array(0.31)}, "generator loss: step002/loss"),
    "weight of classes": ({"config/cls_weight": lambda _: np.array(0.21)}, "generator loss: step002/loss"),
    "decay": ({"config/lr_decay_epoch": lambda _: np.array(2)}, "learning rates: epoch0/lr/G"),
    "one classifier batch": ({"classifier0/batch003/features": bump(0.5)}, "classifier parameters: classifier0/after/fc.weight"),
    "one classifier weight": ({"classifier1/init/fc.weight": bump(1e-2)}, "classifier parameters: classifier1/after/fc.weight"),
    "classifier rate": ({"classifier0/lr": lambda _: np.array(1.1e-3)}, "classifier parameters: classifier0/after"),
    "order of synthesized rows": ({"classifier1/train_label": lambda y: y[::-1]}, "classifier rows: classifier1/train_label"),
    "an accuracy": ({"classifier1/last_seen": bump(0.01)}, "accuracies: classifier1/last_seen"),
    "a D3 draw": ({"distill/noise/unseen": bump(5.0)}, "D3 gradient student_head: distill/grad/student_head/fc1"),
    "a D3 head weight": ({"distill/params/student_head/fc2.weight": bump(0.01)}, "D3 term od: distill/term/od"),
    "the class scores": ({"scores/loop": bump(1e-3)}, "class contrast of the scores: scores/loop"),
}


@pytest.mark.parametrize("case", CEGZSL_PERTURBATIONS)
def test_a_perturbation_of_cegzsl_is_caught(case):
    catches(CEGZSL, *CEGZSL_PERTURBATIONS[case])


@pytest.mark.parametrize(
    ("recording", "changes", "where"), [(WGAN, *PERTURBATIONS["a raw feature"]), (CEGZSL, *CEGZSL_PERTURBATIONS["one classifier batch"])],
    ids=["wgan", "cegzsl"],
)
def test_the_tool_names_what_is_outside_and_exits_1(recording, changes, where, tmp_path, capsys):
    assert parity.main(["--golden", str(perturbed(tmp_path, recording, **changes))]) == 1
    assert f"outside tolerance: {where}" in capsys.readouterr().out


def test_the_tool_exits_0_when_all_is_within(capsys):
    assert parity.main(["--golden", str(WGAN)]) == 0
    assert "all quantities within tolerance" in capsys.readouterr().out


def test_a_fresh_comparator_gradient_is_not_what_was_recorded(monkeypatch):
    """The published code feeds Adam the sum since the epoch began, and the recording tells the two apart."""
    monkeypatch.setattr(replay_cegzsl.CEGZSL, "adam", lambda self, group: AdamRule())
    failures = replay.replay(Recording(CEGZSL)).failures
    assert any(failure.startswith("parameters comparator: step001/after/comparator") for failure in failures)
    assert any(failure.startswith("gradient comparator: step001/grad/comparator") for failure in failures)


BAD = {
    "missing key": ({"step003/noise/fake": lambda _: None}, "key 'step003/noise/fake' is missing"),
    "missing update": ({f"step007/{k}": lambda _: None for k in ("kind",)}, "key 'step007/kind' is missing"),
    "another width": ({"config/hidden": lambda _: np.array(31)}, "init/generator/fc1.weight has shape"),
    "another n_syn": ({"config/ood_train_syn_num": lambda _: np.array(4)}, "step000/noise/unseen has shape (12, 6)"),
    "another batch size": ({"config/batch_size": lambda _: np.array(18)}, "step000/batch/features has shape"),
    "option that is no number": ({"config/lr": lambda _: np.array(["a", "b"])}, "config/lr is <U1 of shape (2,)"),
    "unknown kind": ({"step002/kind": lambda _: np.array("critique")}, "step002/kind is 'critique'"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_exits_2(case, tmp_path, capsys):
    changes, message = BAD[case]
    assert run_command(lambda: parity.main(["--golden", str(perturbed(tmp_path, **changes))])) == 2
    captured = capsys.readouterr()
    assert message in captured.err and captured.err.count("\n") == 1


def test_recordings_without_updates_or_with_a_gap_are_refused(tmp_path):
    arrays = dict(np.load(WGAN))
    np.savez(tmp_path / "none.npz", **{key: value for key, value in arrays.items() if not key.startswith("step")})
    with pytest.raises(UserError, match="update step000 is missing"):
        replay.replay(Recording(tmp_path / "none.npz"))
    np.savez(tmp_path / "gap.npz", **{key: value for key, value in arrays.items() if not key.startswith("step007")})
    with pytest.raises(UserError, match="update step007 is missing"):
        replay.replay(Recording(tmp_path / "gap.npz"))


def test_files_that_are_no_recordings_exit_2(tmp_path, capsys):
    text, array = tmp_path / "text.npz", tmp_path / "array.npz"
    text.write_text("hello")
    with open(array, "wb") as file:
        np.save(file, np.zeros(3))
    for path, message in (
        (text, "not a readable .npz"), (array, "not a readable .npz"), (tmp_path / "none.npz", "no such recording"),
    ):
        assert run_command(lambda: parity.main(["--golden", str(path)])) == 2
        assert message in capsys.readouterr().err


@pytest.mark.optimized
def test_the_fused_step_replays_the_recording_too():
    """train_step on whole outer steps (critic phase scanned, then the generator) ends at the recorded parameters."""
    recording = Recording(WGAN)
    setup = replay_wgan.build(recording)
    objective, n = setup.objective, setup.n_critic
    teacher = replay_wgan.replay_pretraining(recording, setup, Comparison())
    state = replay_steps.initial_state(recording, setup)
    phases = objective.framework.phases(0)
    step = jax.jit(lambda *args: train_step(objective, setup.optimization, phases, args[0], teacher, setup.classes, *args[1:]))
    names, out = recording.steps(), Comparison()
    for first in range(0, len(names), n + 1):
        critic, generator = names[first : first + n], names[first + n]
        stacked = lambda key, critic=critic: jnp.stack([jnp.asarray(recording[f"{name}/{key}"]) for name in critic])  # noqa: E731
        features = stacked("batch/features")
        batches = Batch(
            features=features, labels=stacked("batch/label").astype(jnp.int32), teacher=setup.teacher.outputs(teacher, features)
        )
        names_of = {"noise": "fake", "interpolation": "interp", "unseen_noise": "unseen"}
        draws = (
            {ours: stacked(f"noise/{theirs}") for ours, theirs in names_of.items()},
            {ours: recording[f"{generator}/noise/{names_of[ours]}"] for ours in ("noise", "unseen_noise")},
        )
        state, terms = step(state, batches, draws)
        for i, name in enumerate(critic):
            out.add("critic loss", f"{name}/loss", terms["critic"]["loss"][i], recording[f"{name}/loss"], LOSS)
        out.add("generator loss", f"{generator}/loss", terms["generator"]["loss"], recording[f"{generator}/loss"], LOSS)
        for group in objective.groups:
            if recording.has(f"{generator}/after/"):
                for key, ours, theirs in recording.pairs(group, f"{generator}/after/", state.params[group]):
                    out.add("parameters", key, ours, theirs, PARAMETER, 1e-3)
    for group in objective.groups:
        for key, ours, theirs in recording.pairs(group, "epoch2/after/", state.params[group]):
            out.add("parameters", key, ours, theirs, PARAMETER, 1e-3)
    assert out.failures == [] and int(state.step) == 15
