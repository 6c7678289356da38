import json
import sys

import jax
import jax.numpy as jnp
import pytest

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.system.terminal import run_command
from tools.benchmark import outer_step
from tools.benchmark.flops import matmul_flops
from tools.benchmark.rivals import PublicLoop, published
from tools.benchmark.sizes import SIZES, build


def test_products_are_counted_once_each_and_dead_ones_not():
    a, b = jnp.ones((3, 4)), jnp.ones((4, 5))

    def function(a, b):
        unused = a @ b
        del unused
        return jax.nn.relu(a @ b) @ b.T

    assert matmul_flops(function, a, b) == 2 * 3 * 4 * 5 * 2


def test_loops_are_unrolled():
    step = lambda x: jax.lax.scan(lambda c, _: (c @ c, None), x, None, length=7)[0]  # noqa: E731
    assert matmul_flops(step, jnp.ones((2, 2))) == 7 * 16


def test_of_a_condition_one_branch_is_counted():
    small, large = (lambda x: (x[:1] @ x).sum()), (lambda x: (x @ x).sum())
    step = lambda x: jax.lax.switch(x[0, 0].astype(int), [small, large], x)  # noqa: E731
    counts = [matmul_flops(step, jnp.ones((2, 2)), branch=branch) for branch in (0, 1, 2)]
    assert counts == [8, 16, 16]


@pytest.mark.slow
def test_the_step_needs_what_the_method_says():
    """Counted by hand from the sizes: 5 critic updates and 1 generator update at 'tiny'."""
    loop, state, constants = build(SIZES["tiny"])
    rows = jnp.zeros((5, 16), jnp.int32)
    dx, da, seen, unseen, h, e, b = 32, 8, 6, 4, 64, 32, 16
    m, c = 2 * unseen, seen + unseen
    # Noise is as wide as semantics. The semantic part of a first layer is made per class: a batch has more rows than two a class.
    classes, generator = (seen + unseen) * da * h, (b + m) * (da * h + h * dx)
    student = (b + m) * (dx * e + e * c + c * 2)
    # Backward: weight gradients of all layers, input gradients of all but the first.
    student_back = student + (b + m) * (e * c + c * 2)
    teacher = m * (dx * e + e * seen)
    pairs = b * b * e + (b + m) ** 2 * 2
    pairs_back = b * b * e + 2 * (b + m) ** 2 * 2
    shared = student + student_back + teacher + pairs + pairs_back
    # Critic: real and synthesized rows, the gradient at the interpolates, one weight gradient for all three; semantics per class
    # there and back, through a one-hot product; scores are products with one vector.
    critic = 2 * b * dx * h + b * dx * h + 3 * b * dx * h + 2 * seen * da * h + seen * b * h + 2 * b * h
    one_generator = (
        2 * classes + seen * b * h + 3 * generator - (b + m) * da * h + shared + (b + m) * dx * e + teacher
        + 2 * b * dx * h + seen * da * h
    )  # fmt: skip
    counted = matmul_flops(loop.one_step, state, constants, rows)
    assert counted == pytest.approx(2 * (5 * (generator + shared + critic) + classes + one_generator), rel=0.01)


@pytest.mark.slow
def test_the_benchmark_runs(capsys, tmp_path):
    output = tmp_path / "found.json"
    sizes = ["cegzsl_tiny", "cadavae_tiny", "tfvaegan_tiny", "tiny", "free_tiny", "zerodiff_tiny", "zerodiff_representation_tiny"]
    assert outer_step.main(["--size", *sizes, "--repeats", "1", "--steps", "1", "--output", str(output)]) == 0
    table = capsys.readouterr().out
    assert "| cegzsl_tiny |" in table and "| tiny |" in table
    found = json.loads(output.read_text())
    assert [one["size"] for one in found] == sizes and found[0]["rivals"] == {}
    assert 0 < found[3]["share_of_machine_rate"] < 1 and found[3]["passes"] == []
    plain, fed = (one["matmul_flops_per_step"] for one in found[2]["passes"])
    assert fed > 1.2 * plain and found[2]["matmul_flops_per_step"] == (plain + fed) / 2
    assert "| free_tiny |" in table and found[4]["passes"] == []  # two, alike
    assert found[5]["matmul_flops_per_step"] > found[6]["matmul_flops_per_step"]  # the second stage has an encoder, a critic more
    assert "| tfvaegan_tiny, pass 1 |" in table and "| tfvaegan_tiny, mean |" in table


def test_a_table_with_rivals():
    of = {"seconds_per_step": 4.0, "ratio": 2.0, "peak_resident_gib": 1.0, "times": [4.0]}
    one = {"size": "cub", "seconds_per_step": 2.0, "matmul_flops_per_step": 3e11, "machine_matmul_flops": 2e11,
           "share_of_machine_rate": 0.75, "first_call_seconds": 7.0, "peak_resident_gib": 1.5, "device_memory_gib": None}  # fmt: skip
    table = outer_step.markdown([one | {"rivals": {"oracle eager": of}}, one | {"rivals": {"released loop": of}}])
    assert "oracle eager: step, ratio, peak | released loop: step, ratio, peak |" in table
    assert table.splitlines()[2].endswith("| 4 s, **2.00**, 1.0 GiB |  |")


def test_the_mean_of_passes_has_the_ratio_of_their_sums():
    passes = [outer_step.Rounds(), outer_step.Rounds()]
    for one, ours, theirs in zip(passes, (1.0, 3.0), (4.0, 4.0), strict=True):
        one.rates, one.times = [10.0], [ours]
        one.add("public loop", theirs, 0.5 * ours)
    found = outer_step.mean_of(passes).found(10.0)
    assert found["seconds_per_step"] == 2.0 and found["share_of_machine_rate"] == 0.5
    assert found["rivals"]["public loop"] == {"seconds_per_step": 4.0, "ratio": 2.0, "peak_resident_gib": 1.5, "times": [4.0]}


@pytest.mark.parametrize(("arguments", "message"), [
    (["--size", "cub", "--tfvaegan", "x"], "--tfvaegan is not for --size cub"),
    (["--size", "tfvaegan_cub", "--cadavae", "x"], "--cadavae is not for --size tfvaegan_cub"),
    (["--size", "cub", "--free", "x"], "--free is not for --size cub"),
    (["--size", "free_cub", "--zerodiff", "x"], "--zerodiff is not for --size free_cub"),
    (["--size", "zerodiff_awa2", "--free", "x"], "--free is not for --size zerodiff_awa2"),
    (["--size", "cadavae_cub", "--oracle", "eager"], "--oracle is not for --size cadavae_cub"),
    (["--size", "cub", "--cegzsl", "x"], "--cegzsl is not for --size cub"),
    (["--size", "cegzsl_cub", "--reference", "x"], "--reference is not for --size cegzsl_cub"),
    (["--reference", "x", "--repeats", "1"], "at least 2 --repeats"),
    (["--repeats", "0"], "must be at least 1"),
])  # fmt: skip
def test_bad_arguments_are_refused(arguments, message):
    with pytest.raises(UserError, match=message):
        outer_step.main(arguments)


@pytest.mark.slow
def test_rivals_that_cannot_be_run_are_named(tmp_path, capsys):
    for python, message in ((sys.executable, "holds no CE_GZSL.py"), (str(tmp_path / "python"), "cannot be run")):
        with pytest.raises(UserError, match=message):
            published(python, "cegzsl", str(tmp_path), "tiny", 2, updates=2)
    for python, message in ((sys.executable, "holds no train_images.py"), (str(tmp_path / "python"), "cannot be run")):
        with pytest.raises(UserError, match=message):
            PublicLoop(python, "tfvaegan", str(tmp_path), "tiny", 2, 1, 1).turn()
    assert run_command(lambda: outer_step.main(["--size", "tiny", "--oracle", "eager", "--torch-python", str(tmp_path / "python")])) == 2
    assert "--torch-python" in capsys.readouterr().err
