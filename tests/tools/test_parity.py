"""The PyTorch recordings replayed in full, and proof that the replay can fail."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.losses.pairwise import unit_rows
from d3gzsl_jax.training.step import train_step
from d3gzsl_jax.training.structures import Batch, Draws, StepDraws, TrainState
from tests.conftest import GOLDEN
from tools import parity, replay
from tools.comparison import LOSS, PARAMETER, Comparison
from tools.recording import Recording

WGAN = GOLDEN / "wgan.npz"


@pytest.fixture(scope="module")
def comparison():
    return replay.replay(Recording(WGAN))


def test_everything_is_within_tolerance(comparison):
    assert comparison.failures == []
    counts = {name: row.count for name, row in comparison.rows.items()}
    # 45 updates in 3 epochs of 5 outer steps of 2 critic and 1 generator updates; parameters after the first 12 updates, every
    # tenth after that, and every epoch.
    assert counts["critic loss"] == 30 and counts["generator loss"] == 15 and counts["term kd"] == 45
    assert counts["parameters generator"] == (12 + 3 + 3) * 4 and counts["parameters critic"] == (12 + 3 + 3) * 5
    assert counts["learning rates"] == 15 and counts["accuracies"] == 6 and counts["teacher accuracies"] == 6
    assert counts["preprocessing"] == 10 and counts["teacher parameters"] == 8


def test_parameters_stay_far_inside_their_tolerance(comparison):
    """A tighter line than the tolerance, so that a slow drift is seen before it matters."""
    for name, row in comparison.rows.items():
        if row.tolerance is PARAMETER:
            assert row.in_units < 0.005, name


def perturbed(tmp_path, **changes):
    arrays = dict(np.load(WGAN))
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


@pytest.mark.parametrize("case", PERTURBATIONS)
def test_a_perturbation_is_caught(case, tmp_path, capsys):
    changes, where = PERTURBATIONS[case]
    assert parity.main(["--golden", str(perturbed(tmp_path, **changes))]) == 1
    assert where in capsys.readouterr().out


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
    assert parity.main(["--golden", str(perturbed(tmp_path, **changes))]) == 2
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
        (GOLDEN / "cegzsl.npz", "only the wgan kind"),
    ):
        assert parity.main(["--golden", str(path)]) == 2
        assert message in capsys.readouterr().err


def test_the_fused_step_replays_the_recording_too():
    """train_step on whole outer steps (critic phase scanned, then the generator) ends at the recorded parameters."""
    recording = Recording(WGAN)
    setup = replay.build(recording)
    objective, n = setup.objective, setup.n_critic
    teacher = replay.replay_pretraining(recording, setup, Comparison())
    fresh = objective.framework.init(jax.random.key(0)) | objective.distillation.init(jax.random.key(0), 24)
    params = {group: recording.load(group, "init/", fresh[group]) for group in replay.GROUPS}
    state = TrainState(step=jnp.int32(0), params=params, opt_state=setup.optimization.init(params))
    step = jax.jit(lambda *args: train_step(objective, setup.optimization, args[0], teacher, setup.classes, *args[1:]))
    names, out = recording.steps(), Comparison()
    for first in range(0, len(names), n + 1):
        critic, generator = names[first : first + n], names[first + n]
        stacked = lambda key, critic=critic: jnp.stack([jnp.asarray(recording[f"{name}/{key}"]) for name in critic])  # noqa: E731
        features = stacked("batch/features")
        batches = Batch(
            features=features, labels=stacked("batch/label").astype(jnp.int32), teacher=setup.teacher.outputs(teacher, features)
        )
        draws = StepDraws(
            critic=Draws(noise=stacked("noise/fake"), interpolation=stacked("noise/interp"), unseen_noise=stacked("noise/unseen")),
            generator=Draws(
                noise=recording[f"{generator}/noise/fake"], interpolation=jnp.zeros((16, 1)),
                unseen_noise=recording[f"{generator}/noise/unseen"],
            ),
        )
        state, terms = step(state, batches, draws)
        for i, name in enumerate(critic):
            out.add("critic loss", f"{name}/loss", terms["critic"]["loss"][i], recording[f"{name}/loss"], LOSS)
        out.add("generator loss", f"{generator}/loss", terms["generator"]["loss"], recording[f"{generator}/loss"], LOSS)
        for group in replay.GROUPS:
            if recording.has(f"{generator}/after/"):
                for key, ours, theirs in recording.pairs(group, f"{generator}/after/", state.params[group]):
                    out.add("parameters", key, ours, theirs, PARAMETER, 1e-3)
    for group in replay.GROUPS:
        for key, ours, theirs in recording.pairs(group, "epoch2/after/", state.params[group]):
            out.add("parameters", key, ours, theirs, PARAMETER, 1e-3)
    assert out.failures == [] and int(state.step) == 15


def test_distillation_terms_and_gradients_on_another_base():
    """The four terms, and the gradients of their sum, as recorded on the CE-GZSL embedding at given parameters."""
    arrays = dict(np.load(GOLDEN / "cegzsl.npz"))
    at = "distill/params/"
    dense = lambda name: {"kernel": jnp.asarray(arrays[f"{name}.weight"].T), "bias": jnp.asarray(arrays[f"{name}.bias"])}  # noqa: E731
    from d3gzsl_jax.frameworks.wgan import WGAN as Base
    from d3gzsl_jax.training.distillation import Distillation
    from d3gzsl_jax.training.structures import Classes, TeacherOutputs
    from d3gzsl_jax.training.teacher import Teacher

    def tree(prefix):
        return {
            "generator": {"params": {"hidden": dense(f"{prefix}generator/fc1"), "output": dense(f"{prefix}generator/fc2")}},
            "student_embedding": {"params": {"linear": dense(f"{prefix}embed/fc1")}},
            "student_head": {
                "params": {
                    "classifier": {"linear": dense(f"{prefix}student_head/fc1")},
                    "ood": {"linear": dense(f"{prefix}student_head/fc2")},
                }
            },
            "confidence": {
                "params": {
                    name: jnp.asarray(arrays[f"{prefix}confidence/{name}"]).reshape(()) for name in ("weight", "offset")
                }
            },
        }

    teacher_params = {
        "embedding": {"params": {"linear": dense(f"{at}teacher_embed/fc1")}},
        "head": {"params": {"linear": dense(f"{at}teacher_head/fc2")}},
    }
    teacher = Teacher(seen=7, embedding_width=20)
    distillation = Distillation(
        teacher=teacher, classes=11, embedding_width=20, n_syn=3, weight_cls=1.0, weight_od=1.0, weight_be=1.0, weight_kl=1.0
    )
    base = Base(feature_size=24, semantic_size=6, noise_size=6, generator_hidden=32, critic_hidden=32)
    classes = Classes(
        semantics=jnp.asarray(arrays["data/attribute"]), seen=jnp.asarray(arrays["data/seen_classes"], jnp.int32),
        unseen=jnp.asarray(arrays["data/unseen_classes"], jnp.int32),
    )
    features = jnp.asarray(arrays["distill/batch/features"])
    embedding = teacher.embedding.apply(teacher_params["embedding"], features)
    outputs = TeacherOutputs(unit_embedding=unit_rows(embedding), logits=teacher.head.apply(teacher_params["head"], embedding))
    batch = Batch(features=features, labels=jnp.asarray(arrays["distill/batch/label"], jnp.int32), teacher=outputs)

    def loss(params):
        semantics = classes.semantics[distillation.unseen_labels(classes)]
        unseen = base.synthesize(params, semantics, jnp.asarray(arrays["distill/noise/unseen"]))
        return distillation.loss(params, teacher_params, classes, batch, unseen)

    (_, terms), gradients = jax.value_and_grad(loss, has_aux=True)(tree(at))
    for ours, theirs in (("cls", "cls"), ("od", "od"), ("be", "embedding_kd"), ("kl", "label_kd")):
        np.testing.assert_allclose(terms[ours], arrays[f"distill/term/{theirs}"], rtol=1e-5, atol=5e-6)
    expected = tree("distill/grad/")
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=2e-6), gradients, expected)
