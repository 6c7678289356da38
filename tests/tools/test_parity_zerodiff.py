"""The recording of ZeroDiff's two loops replayed in full, and proof that this replay can fail."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.frameworks.diffusion import Diffusion
from d3gzsl_jax.frameworks.schedule import AdamRule
from d3gzsl_jax.frameworks.structures import Batch
from d3gzsl_jax.frameworks.zerodiff import FROZEN, ZeroDiff
from d3gzsl_jax.system.terminal import run_command
from d3gzsl_jax.training.step import train_step
from tests.conftest import GOLDEN
from tests.tools.test_parity import bump, catches
from tools import parity
from tools.parity_parts import replay, replay_steps, replay_zerodiff
from tools.parity_parts.comparison import LOSS, PARAMETER, Comparison
from tools.parity_parts.recording import Recording
from tools.parity_parts.replay_denoising import DRAWS, ROUNDING
from tools.parity_parts.replay_phases import NETWORK

pytestmark = pytest.mark.slow

ZERODIFF = GOLDEN / "zerodiff.npz"


@functools.cache
def compared():
    return replay.replay(Recording(ZERODIFF))


def test_everything_is_within_tolerance():
    assert compared().failures == []


def test_parameters_stay_far_inside_their_tolerance():
    """A tighter line than the tolerance, so that a slow drift is seen before it matters; one layer is left to PyTorch's rounding."""
    rows = compared().rows
    for key, row in rows.items():
        if row.tolerance in (NETWORK, PARAMETER):
            assert row.in_units < 0.25 * NETWORK.absolute, key
    assert [key for key, row in rows.items() if row.tolerance is ROUNDING] == ["drg parameters critic_xt, fc1"]


def test_nothing_recorded_is_left_out():
    counts = {key: row.count for key, row in compared().rows.items()}
    # In each stage 8 outer steps of 2 critic updates and 1 generator update; all parameters after each, gradients at the first.
    for stage, critics in (("drg", ("x0", "xt")), ("dfg", ("x0", "xt", "xc"))):
        terms = ("real", "fake", "penalty", *(f"penalty_{name}" for name in critics))
        assert {counts[f"{stage} term {term}"] for term in terms} == {16} and counts[f"{stage} critic loss"] == 16
        assert {counts[f"{stage} term {name}"] for name in critics} == {8} and counts[f"{stage} generator loss"] == 8
        assert counts[f"{stage} penalty weight"] == counts[f"{stage} batch semantics"] == 24
        assert counts[f"{stage} parameters critic_x0"] == 16 * 5 and counts[f"{stage} preprocessing"] == 9
    assert counts["drg parameters critic_xt"] + counts["drg parameters critic_xt, fc1"] == 16 * 11
    assert counts["drg parameters generator"] == 8 * 11 and counts["drg parameters decoder"] == 16 * 4
    assert counts["dfg parameters critic_xt"] == 16 * 16 and counts["dfg parameters critic_xc"] == 16 * 9
    assert counts["dfg parameters generator"] == 8 * 16 and counts["dfg parameters encoder"] == 8 * 8
    assert counts["dfg parameters decoder"] == 24 * 4  # in the generator's updates too, where it rests
    assert counts["dfg term mutual"] == counts["drg term semantic"] == 16 and counts["dfg term semantic"] == 24
    assert counts["dfg term reconstruction"] == counts["dfg term kl"] == 8 and counts["schedule"] == 8
    assert counts["drg synthesis"] == 2 and counts["dfg synthesis, single"] == counts["dfg synthesis, progressive"] == 3
    assert counts["drg classifier parameters"] == 2 and counts["dfg classifier parameters"] == 4
    assert counts["dfg T1 classifier parameters"] == 2 and counts["drg accuracies"] == 1 and counts["dfg accuracies"] == 3


def number(value):
    return lambda _: np.array(value)


def backwards(array):
    return array[::-1]


# What is perturbed, and the first quantity, step and key that must be named.
PERTURBATIONS = {
    "a weight of stage 1": ({"drg/init/generator/fc2.weight": bump(1e-2, 5)}, "drg parameters generator: drg/step002/after/generator"),
    "a weight of time's embedding": ({"drg/init/critic_xt/time_embed.model.0.weight": bump(1e-2, 3)}, "drg parameters critic_xt: drg/step000/after/critic_xt"),
    "a decoder weight": ({"drg/init/decoder/fc3.weight": bump(1e-2, 5)}, "drg term semantic: drg/step000/term/semantic"),
    "a weight of stage 2": ({"dfg/init/critic_xc/con_emb_layers.model.2.weight": bump(1e-2, 5)}, "dfg parameters critic_xc: dfg/step000/after/critic_xc"),
    "an encoder weight": ({"dfg/init/encoder/fc2.weight": bump(1e-2, 5)}, "dfg parameters encoder: dfg/step002/after/encoder"),
    "a frozen weight": ({"dfg/init/representation/fc2.weight": bump(1e-2, 5)}, "dfg synthesis, progressive: dfg/synthesis_progressive/contrastive"),
    "latents of stage 1": ({"drg/step003/noise/latent": backwards}, "drg parameters critic_x0: drg/step003/after/critic_x0"),
    "latents of stage 2": ({"dfg/step005/noise/latent": backwards}, "dfg parameters generator: dfg/step005/after/generator"),
    "timesteps of stage 1": ({"drg/step004/timestep": backwards}, "drg term penalty_xt: drg/step004/term/penalty_xt"),
    "a timestep of stage 2": ({"dfg/step004/timestep": lambda t: (t + 1) % 4}, "dfg term mutual: dfg/step004/term/mutual"),
    "noise of a step": ({"dfg/step003/noise/step": backwards}, "dfg parameters critic_xt: dfg/step003/after/critic_xt"),
    "noise of a level": ({"drg/step003/noise/diffuse": backwards}, "drg parameters critic_xt: drg/step003/after/critic_xt"),
    "noise of the posterior": ({"dfg/step003/noise/posterior": backwards}, "dfg parameters critic_xt: dfg/step003/after/critic_xt"),
    "draws alpha": ({"dfg/step003/noise/interp_xc": backwards}, "dfg parameters critic_xc: dfg/step003/after/critic_xc"),
    "a row's representation": ({"dfg/step003/batch/contrastive": bump(0.3)}, "dfg batch rows: dfg/step003/batch/contrastive"),
    "a row's features": ({"dfg/step003/batch/features": bump(0.3)}, "dfg batch rows: dfg/step003/batch/features"),
    "the batch of a generator update": ({"drg/step005/batch/contrastive": bump(0.3)}, "drg batch rows: drg/step005/batch/contrastive"),
    "a label": ({"drg/step003/batch/label": lambda labels: np.roll(labels, 1)}, "drg batch semantics: drg/step003/batch/att"),
    "a raw representation": ({"mat/con_paco": bump(0.5, 9)}, "drg preprocessing: drg/data/"),
    "a raw feature": ({"mat/ce_ce": bump(0.5, 9)}, "dfg preprocessing: dfg/data/"),
    "weight of mutual learning": ({"config/gamma_dist": number(5.1)}, "dfg term mutual: dfg/step000/term/mutual"),
    "exponent of mutual learning": ({"config/factor_dist": number(1.4)}, "dfg term mutual: dfg/step000/term/mutual"),
    "adversarial weight": ({"config/gamma_ADV": number(10.1)}, "dfg term penalty: dfg/step000/term/penalty"),
    "weight of the VAE": ({"config/gamma_VAE": number(1.1)}, "dfg generator loss: dfg/step002/loss"),
    "weight of the semantic error": ({"config/gamma_recons": number(1.1)}, "dfg term semantic: dfg/step000/term/semantic"),
    "weight of a critic": ({"config/gamma_xt": number(1.1)}, "drg term penalty: drg/step000/term/penalty"),
    "weight of the other critic": ({"config/gamma_x0": number(1.1)}, "drg term penalty: drg/step000/term/penalty"),
    "penalty weight": ({"config/lambda1": number(11.0)}, "drg penalty weight: drg/step000/penalty_weight"),
    "noise of the diffusion": ({"config/ddpmbeta2": number(19)}, "schedule: schedule/sqrt_alphas_bar"),
    "learning rate of the decoder": ({"config/dec_lr": number(1.1e-4)}, "drg parameters decoder: drg/step000/after/decoder"),
    "epochs": ({"config/nepoch": number(1)}, "drg counts: drg/updates: ours 12, recorded 24"),
    "order of updates": ({"dfg/step004/kind": number("generator")}, "dfg order of updates: dfg/step004/kind (1: generator)"),
    "noise of a representation": ({"drg/synthesis/draw1": bump(1.0)}, "drg synthesis: drg/synthesis/features"),
    "noise of a row": ({"dfg/synthesis/draw0": bump(3.0)}, "dfg synthesis, single: dfg/synthesis/features"),
    "noise of a level of a row": ({"dfg/synthesis_progressive/draw6": bump(3.0)}, "dfg synthesis, progressive: dfg/synthesis_progressive/features"),
    "a classifier batch": ({"dfg/classifier_gzsl_VCS/batch_index": bump(1, 30)}, "dfg classifier parameters: dfg/classifier_gzsl_VCS/after"),
    "a weight of T1's classifier": ({"dfg/classifier_zsl_VCS/init/fc.weight": bump(1e-2)}, "dfg T1 classifier parameters: dfg/classifier_zsl_VCS/after/fc.weight"),
    "an accuracy": ({"dfg/classifier_gzsl_V/accuracies": bump(0.01)}, "dfg accuracies: dfg/classifier_gzsl_V/accuracies"),
    "NaN": ({"drg/step002/loss": number(np.float32(np.nan))}, "drg generator loss: drg/step002/loss"),
}  # fmt: skip


@pytest.mark.parametrize("case", PERTURBATIONS)
def test_a_perturbation_is_caught(case):
    catches(ZERODIFF, *PERTURBATIONS[case])


# Options that the published code does not have, and what another value of theirs must be caught by.
OPTIONS = {
    "penalty rule": ("zerodiff", "penalty_rule", "dfg penalty weight: dfg/step002/penalty_weight"),
    "semantic error": ("zerodiff", "semantic_loss", "dfg term semantic: dfg/step000/term/semantic"),
    "what stage 1 sees": ("zerodiff_representation", "conditioned_on", "drg gradient critic_x0: drg/step000/grad/critic_x0/fc1.weight (features)"),
}


@pytest.mark.parametrize("case", OPTIONS)
def test_what_is_described_is_not_what_was_recorded(case, monkeypatch):
    stage, option, where = OPTIONS[case]
    fields_of = replay_zerodiff.fields_of
    changed = lambda recording, name: fields_of(recording, name) | ({f"{name}.{option}": "described"} if name == stage else {})  # noqa: E731
    monkeypatch.setattr(replay_zerodiff, "fields_of", changed)
    catches(ZERODIFF, {}, where)


def test_a_decoder_that_learns_in_the_generators_phase_is_caught():
    """Its gradients there were never recorded."""
    changed = Recording(ZERODIFF)
    changed.arrays["config/freeze_dec"] = np.array(False)
    with pytest.raises(UserError, match=r"key 'dfg/step002/grad/decoder/fc1\.weight' is missing"):
        replay.replay(changed)


def test_the_encoder_forgets_more_slowly_than_the_rest(monkeypatch):
    adam = ZeroDiff.adam
    monkeypatch.setattr(ZeroDiff, "adam", lambda self, group: AdamRule() if group == "encoder" else adam(self, group))
    catches(ZERODIFF, {}, "dfg parameters encoder: dfg/step005/after/encoder")


def test_a_schedule_in_double_is_caught(monkeypatch):
    monkeypatch.setattr(replay_steps, "_COMPILED", {})
    signal = functools.cached_property(lambda self: np.float32(np.cumprod(np.sqrt(1 - self.variance.astype(float))) * (1 - 1e-4)))
    signal.__set_name__(Diffusion, "signal")
    monkeypatch.setattr(Diffusion, "signal", signal)
    catches(ZERODIFF, {}, "schedule: schedule/sqrt_alphas_bar")


def test_the_tool_names_what_is_missing(tmp_path, capsys):
    arrays = dict(np.load(ZERODIFF))
    del arrays["dfg/step003/noise/posterior"]
    np.savez(tmp_path / "perturbed.npz", **arrays)
    assert run_command(lambda: parity.main(["--golden", str(tmp_path / "perturbed.npz")])) == 2
    assert "key 'dfg/step003/noise/posterior' is missing" in capsys.readouterr().err


def stacked(recording, names, key):
    return jnp.stack([jnp.asarray(recording[f"{name}/{key}"]) for name in names])


@pytest.mark.parametrize("stage", ["drg", "dfg"])
def test_the_fused_step_replays_it_too(stage):
    """train_step on whole outer steps, rows made ahead for all critic updates, ends at the recorded parameters."""
    found = []

    class Kept(replay_zerodiff.Stage):
        def steps(self):
            found.append(self)

    whole = Recording(ZERODIFF)
    first, second = (type(of.__name__, (Kept, of), {"steps": Kept.steps}) for of in (replay_zerodiff.FirstStage, replay_zerodiff.SecondStage))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replay_zerodiff, "FirstStage", first)
        patch.setattr(replay_zerodiff, "SecondStage", second)
        replay.replay(whole)
    of = found[stage == "dfg"]
    recording, setup, state, out = of.recording, of.setup, of.state, Comparison()
    phases = setup.objective.framework.phases(0)
    step = jax.jit(functools.partial(train_step, setup.objective, setup.optimization, phases))
    names, updates = recording.steps(), setup.n_critic + 1
    for first in range(0, len(names), updates):
        critic, generator = names[first : first + updates - 1], names[first + updates - 1]
        batches = jax.tree.map(lambda *leaves: jnp.stack(leaves), *(of.batch_of(name) for name in critic))
        assert isinstance(batches, Batch)
        draws = (
            {ours: stacked(recording, critic, f"noise/{DRAWS[ours]}") for ours in phases[0].draws},
            {ours: jnp.asarray(recording[f"{generator}/noise/{DRAWS[ours]}"]) for ours in phases[1].draws},
        )
        state, terms = step(state, {}, setup.classes, batches, draws)
        for i, name in enumerate(critic):
            out.add("critic loss", f"{name}/loss", terms["critic"]["loss"][i], recording[f"{name}/loss"], LOSS)
        out.add("generator loss", f"{generator}/loss", terms["generator"]["loss"], recording[f"{generator}/loss"], LOSS)
    for group in setup.objective.groups:
        last = names[-1] if f"{names[-1]}/after/{recording.layout[group][0].key}" in recording else names[-2]
        for key, ours, theirs in recording.pairs(group, f"{last}/after/", state.params[group]):
            tolerance = ROUNDING if stage == "drg" and "critic_xt/fc1" in key else PARAMETER
            out.add(f"parameters {key}", key, ours, theirs, tolerance, setup.optimization.learning_rates[group])
    assert out.failures == [] and int(state.step) == 8 and (FROZEN in state.params) == (stage == "dfg")


def test_both_stages_have_the_recorded_number_of_noise_levels():
    recording = Recording(ZERODIFF).stage("dfg", ZeroDiff)
    recording.arrays["config/n_T"] = np.array(3)
    fields = replay_zerodiff.fields_of(recording, "zerodiff")
    assert fields["zerodiff.timesteps"] == fields["zerodiff_representation.timesteps"] == 3
