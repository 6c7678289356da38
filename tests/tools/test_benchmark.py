import sys

import jax
import jax.numpy as jnp
import pytest

from d3gzsl_jax.errors import UserError
from tools import benchmark
from tools.flops import matmul_flops


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


def test_the_step_needs_what_the_method_says():
    """Counted by hand from the sizes: 5 critic updates and 1 generator update at 'tiny'."""
    loop, state, constants = benchmark.build("tiny")
    rows = jnp.zeros((5, 16), jnp.int32)
    dx, da, seen, unseen, h, e, b = 32, 8, 6, 4, 64, 32, 16
    m, c = 2 * unseen, seen + unseen
    generator = (b + m) * ((da + da) * h + h * dx)
    student = (b + m) * (dx * e + e * c + c * 2)
    # Backward: weight gradients of all layers, input gradients of all but the first.
    student_back = student + (b + m) * (e * c + c * 2)
    teacher = m * (dx * e + e * seen)
    pairs = b * b * e + (b + m) ** 2 * 2
    pairs_back = b * b * e + 2 * (b + m) ** 2 * 2
    # Critic: both halves and the semantics forward, the gradient at the interpolates, their weight gradients, and the two
    # products behind the gradient penalty; scores and slopes are products with one vector.
    critic = 2 * b * dx * h + b * da * h + b * dx * h
    critic_back = 2 * b * dx * h + b * da * h + 2 * b * dx * h
    vectors = b * h
    low = 5 * (generator + student + student_back + teacher + pairs + pairs_back + critic + critic_back)
    assert 2 * low < matmul_flops(loop.one_step, state, constants, rows)
    one_critic = 2 * (generator + student + student_back + teacher + pairs + pairs_back + critic + critic_back)
    one_generator = 2 * (
        2 * generator + (b + m) * h * dx + student + student_back + (b + m) * dx * e + 2 * teacher + pairs + pairs_back
        + 2 * b * dx * h + b * da * h
    )  # fmt: skip
    counted = matmul_flops(loop.one_step, state, constants, rows)
    assert counted == pytest.approx(5 * one_critic + one_generator + 2 * vectors * 30, rel=0.03)


def test_the_benchmark_runs(capsys):
    assert benchmark.main(["--size", "cegzsl_tiny", "--repeats", "1", "--steps", "1", "--json"]) == 0
    assert '"ratio"' in capsys.readouterr().out


def test_a_public_loop_that_cannot_be_run_is_named(tmp_path):
    for arguments, message in (
        ((str(tmp_path), sys.executable), "holds no CE_GZSL.py"), ((str(tmp_path), str(tmp_path / "python")), "cannot be run"),
    ):
        with pytest.raises(UserError, match=message):
            benchmark.public_critic_seconds(*arguments)
