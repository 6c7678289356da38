"""Training in lockstep with the PyTorch oracle agrees, and would not if either side were changed."""

import dataclasses
import json
import sys

import jax
import numpy as np
import pytest

from d3gzsl_jax.system.terminal import run_command

# The oracle is PyTorch: the package does without it, and so do the tests of a machine that has none.
torch = pytest.importorskip("torch")
pytestmark = [pytest.mark.torch, pytest.mark.slow]

from tools import parity  # noqa: E402
from tools.parity_parts.comparison import PARAMETER  # noqa: E402
from tools.parity_parts.oracle import Lockstep, compare  # noqa: E402
from tools.parity_parts.oracle_case import Case  # noqa: E402
from tools.parity_parts.oracle_vaegan import LockstepVAEGAN  # noqa: E402
from tools.parity_parts.torch_oracle import Oracle  # noqa: E402


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Threads cost more than they save at these sizes."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


# Learning rates change after every second outer step here, and the comparator's sum starts anew.
CASES = {
    "wgan": Case(steps=5, steps_per_epoch=1),
    "wgan, described": Case(steps=3, variant="described", score="energy", target="domain"),
    "wgan alone": Case(steps=3, d3=False),
    "cegzsl": Case(steps=5, base="cegzsl", steps_per_epoch=2, decay_every=1),
    "cegzsl, described": Case(steps=3, base="cegzsl", variant="described", score="max_logit", comparator_gradient="fresh"),
    "cegzsl alone": Case(steps=3, base="cegzsl", d3=False),
}
# Every second outer step is of the pass with feedback.
TFVAEGAN = {
    "encoded": Case(steps=4, base="tfvaegan"),
    "prior": Case(steps=4, base="tfvaegan", latents="prior"),
    "alone": Case(steps=4, base="tfvaegan", d3=False),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_both_train_alike(name):
    run = Lockstep(CASES[name])
    comparison = run.compare()
    assert comparison.failures == []
    updates = CASES[name].steps * (CASES[name].n_critic + 1)
    assert comparison.rows["parameters generator"].count == 4 * updates
    assert comparison.rows["critic loss"].count + comparison.rows["generator loss"].count == updates
    for quantity, row in comparison.rows.items():
        if row.tolerance is PARAMETER:
            assert row.in_units < 0.001, quantity
    first, last = run.init["generator/fc2.weight"], run.oracle.parameters()["generator/fc2.weight"]
    assert np.abs(last - first).max() > 1e-3  # something was trained


@pytest.mark.slow
@pytest.mark.parametrize("name", TFVAEGAN)
def test_tfvaegan_trains_alike_in_both_passes(name):
    run = LockstepVAEGAN(TFVAEGAN[name])
    comparison = run.compare()
    assert comparison.failures == []
    assert comparison.rows["gradient feedback"].count == 4 * 2 and comparison.rows["gradient decoder"].count == 4 * 3 * 4
    assert run.oracle.penalty_weight != 10.0
    for quantity, row in comparison.rows.items():
        if row.tolerance is PARAMETER:
            assert row.in_units < 0.001, quantity
    for key in ("encoder/linear_means.weight", "feedback/fc1.weight", "generator/fc3.weight", "decoder/fc1.weight"):
        assert np.abs(run.oracle.parameters()[key] - run.init[key]).max() > 1e-4  # something was trained


@pytest.mark.parametrize("base", ["wgan", "cegzsl"])
def test_in_double_precision_both_train_alike_to_a_millionth_of_a_learning_rate(base):
    with jax.numpy_dtype_promotion("standard"):  # constants of the step are float32
        comparison = compare(dataclasses.replace(CASES[base], steps=3, double=True))
    assert comparison.failures == []
    for quantity, row in comparison.rows.items():
        if quantity.startswith("parameters"):
            assert row.tolerance.absolute == 1e-3 and row.in_units < 5e-6, quantity
    assert torch.get_default_dtype() == torch.float32


def weight(run, name, index=0, amount=1e-3):
    run._named[name].data.reshape(-1)[index] += amount


def options(**changes):
    def change(run):
        run.oracle.options = dataclasses.replace(run.oracle.options, **changes)

    return change


def draws(update, name, amount):
    """Changes one number of what the oracle is given in an update."""

    def change(run):
        ask, calls = run.ask_oracle, iter(range(1000))

        def asked(phase, drawn):
            if next(calls) == update:
                drawn = drawn | {name: drawn[name].copy()}
                drawn[name].reshape(-1)[0] += amount
            return ask(phase, drawn)

        run.ask_oracle = asked

    return change


def adam(group, **changes):
    def change(run):
        run.oracle.optimizers[group].param_groups[0].update(changes)

    return change


def factor(group, value):
    def change(run):
        run.oracle._factors[group] = value

    return change


# What is changed in the oracle, on which base, and which quantity has to say so.
PERTURBATIONS = {
    "one weight": ("wgan", lambda run: weight(run, "critic/fc1.weight", 5), "parameters critic"),
    "one teacher weight": ("wgan", lambda run: weight(run, "teacher_head/fc2.weight", 5, 0.05), "gradient confidence"),
    "one confidence": ("wgan", lambda run: weight(run, "confidence/offset"), "parameters confidence"),
    "one comparator weight": ("cegzsl", lambda run: weight(run, "comparator/fc1.weight", 3), "parameters comparator"),
    "one draw z": ("wgan", draws(1, "noise", 1.0), "term wasserstein"),
    "one draw alpha": ("wgan", draws(1, "interpolation", 0.3), "parameters critic"),
    "one draw z_u": ("wgan", draws(2, "unseen_noise", 1.0), "parameters generator"),
    "one feature": ("cegzsl", draws(0, "features", 0.3), "parameters embedding"),
    "weight of L_cls": ("wgan", options(weight_cls=0.3003), "term distillation"),
    "weight of L_od": ("wgan", options(weight_od=0.2002), "term distillation"),
    "weight of L_be": ("wgan", options(weight_be=0.5005), "term distillation"),
    "weight of L_kl": ("wgan", options(weight_kl=0.44), "term distillation"),
    "penalty weight": ("wgan", options(penalty_weight=10.01), "term gradient_penalty"),
    "weight of instances": ("cegzsl", options(weight_instance=0.3003), "generator loss"),
    "weight of classes": ("cegzsl", options(weight_class=0.2002), "generator loss"),
    "variant": ("wgan", options(variant="described"), "term be"),
    "score": ("wgan", options(score="energy"), "term od"),
    "target": ("wgan", options(target="domain"), "term od"),
    "comparator's gradient": ("cegzsl", options(comparator_gradient="fresh"), "gradient comparator"),
    "temperature of instances": ("cegzsl", options(temperature_instance=0.1001), "term instance_contrast"),
    "temperature of classes": ("cegzsl", options(temperature_class=0.1001), "term class_contrast"),
    "learning rate": ("wgan", adam("student_embed", lr=1.02e-3), "parameters student_embedding"),
    "beta1": ("wgan", adam("critic", betas=(0.52, 0.999)), "parameters critic"),
    "beta2": ("wgan", adam("critic", betas=(0.5, 0.95)), "parameters critic"),
    "factor of the generator": ("wgan", factor("generator", 1.08), "learning rates"),
    "factor of the confidence": ("wgan", factor("confidence", 0.98), "learning rates"),
    "when rates change": ("wgan", options(decay_every=3), "learning rates"),
    "an epoch that does not end": ("cegzsl", lambda run: setattr(run.oracle, "end_epoch", lambda: None), "gradient comparator"),
}


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_a_perturbation_is_caught(name):
    base, change, quantity = PERTURBATIONS[name]
    run = Lockstep(dataclasses.replace(CASES[base], steps=3))
    change(run)
    failures = run.compare().failures
    assert any(failure.startswith((f"{quantity}: step ", f"{quantity}: epoch ")) for failure in failures), failures


# What is changed in the oracle of TF-VAEGAN, and which quantity has to say so.
TFVAEGAN_PERTURBATIONS = {
    "latents": (options(critic_latents="prior"), "parameters generator"),
    "weight of the critic": (options(weight_critic=2.002), "critic loss"),
    "weight of the adversary": (options(weight_adversarial=3.003), "generator loss"),
    "weight of semantics": (options(weight_semantic=0.7007), "term semantic_real"),
    "feedback": (options(feedback_training=0.61), "term reconstruction"),
    "beta1 of the encoder": (adam("encoder", betas=(0.5, 0.999)), "parameters encoder"),
    "rate of the feedback": (adam("feedback", lr=3.1e-4), "parameters feedback"),
    "one draw": (draws(2, "latent", 1.0), "term kl_prior"),
    "the penalty's weight": (lambda run: setattr(run.oracle, "_adapt", run.oracle._penalties.clear), "term penalty_weight"),
}


@pytest.mark.parametrize("name", TFVAEGAN_PERTURBATIONS)
def test_a_perturbation_of_tfvaegan_is_caught(name):
    change, quantity = TFVAEGAN_PERTURBATIONS[name]
    run = LockstepVAEGAN(dataclasses.replace(TFVAEGAN["encoded"], steps=3))
    change(run)
    failures = run.compare().failures
    assert any(failure.startswith(f"{quantity}: step ") for failure in failures), failures


@pytest.mark.parametrize("base", ["wgan", "cegzsl"])
def test_the_closed_form_of_the_penalty_changes_nothing(base):
    """It is what torch.compile is given, and may be what is timed."""
    plain, closed = (Lockstep(Case(base=base, steps=1)) for _ in range(2))
    options(explicit_penalty=True)(closed)
    drawn = plain.draw()
    ours, theirs = plain.ask_oracle("critic", drawn), closed.ask_oracle("critic", drawn)
    for name, value in ours.items():
        np.testing.assert_allclose(theirs[name], value, rtol=1e-5, atol=1e-6)
    for name, gradient in plain.oracle.gradients().items():
        np.testing.assert_allclose(closed.oracle.gradients()[name], gradient, rtol=1e-4, atol=1e-5)


@pytest.mark.slow
def test_it_is_an_option_of_the_parity_tool(capsys):
    assert parity.main(["--oracle", "--steps", "1", "--d3", "off", "--set", "features=9", "--set", "batch=8", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["verdict"] == "within" and found["compared"]["features"] == 9 and not found["compared"]["d3"]
    assert found["quantities"]["parameters critic"]["max_lr"] < 0.001


BAD = {
    "another source": (["--golden", "x.npz", "--base", "wgan"], "--base: only with --oracle"),
    "a size": (["--oracle", "--size", "huge"], "--size huge: with --oracle one of small, medium, cub"),
    "no number": (["--oracle", "--set", "batch=many"], "--set batch=many: must be a whole number above 0"),
    "no field": (["--oracle", "--set", "width=3"], "--set width=3: expected NAME=NUMBER with NAME one of"),
    "no steps": (["--oracle", "--steps", "0"], "--steps must be at least 1"),
    "double": (["--golden", "x.npz", "--double"], "--double: only with --oracle"),
    "a recording": (["--oracle", "--record", "x.npz"], "--record: not with --oracle"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_exits_2(name, capsys):
    arguments, message = BAD[name]
    assert run_command(lambda: parity.main(arguments)) == 2
    captured = capsys.readouterr()
    assert message in captured.err and captured.err.count("\n") == 1


def test_without_torch_it_says_how_to_get_it(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch", None)
    monkeypatch.delitem(sys.modules, "tools.parity_parts.oracle")
    assert run_command(lambda: parity.main(["--oracle"]), "parity") == 2
    assert capsys.readouterr().err == "parity: the PyTorch oracle needs torch: pip install -e '.[parity]'\n"


def test_parameters_of_another_shape_are_refused():
    run = Lockstep(Case(steps=1))
    with pytest.raises(ValueError, match=r"critic/fc1.bias has shape \(3,\), expected \(36,\)"):
        Oracle(run.oracle.sizes, run.oracle.options, run.oracle_classes, run.init | {"critic/fc1.bias": np.zeros(3, np.float32)})
