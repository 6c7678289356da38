"""Many devices compute what one does: on the small problem, in processes that can have many."""

import json
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from d3gzsl_jax.training.joint_loop import JointLoop
from d3gzsl_jax.training.loop import Loop
from d3gzsl_jax.training.sharding import Sharding, over_devices
from tests import small
from tests.conftest import ROOT
from tools.robustness import launch

LIMIT = 0.01  # learning rates, after 20 outer steps


def with_eight_devices(script, *arguments):
    """What a script of this folder prints last."""
    env = launch.environment(8)
    command = [sys.executable, "-m", f"tests.training.{script}", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def trained(framework, bits, *counts):
    return with_eight_devices("sharded_script", framework, bits, *counts)


@pytest.mark.slow
def test_two_and_eight_devices_train_as_one_does():
    for count, (parameters, terms) in trained("wgan", 32, 2, 8).items():
        assert parameters < LIMIT and terms < 1e-3, count


@pytest.mark.slow
@pytest.mark.parametrize("framework", ["wgan", "cegzsl", "tfvaegan", "cadavae", "zerodiff", "free"])
def test_what_is_left_is_rounding(framework):
    """In double precision the distance is that of double precision. In single, CE-GZSL's comparator has gradients that are zero but
    for rounding, of which Adam makes steps: its distance says nothing. CADA-VAE's terms are sums of absolute differences over rows
    and dimensions, thousands of times the others."""
    for count, (parameters, terms) in trained(framework, 64, 8).items():
        assert parameters < 1e-5 and terms < (1e-8 if framework == "cadavae" else 1e-9), count


@pytest.mark.slow
def test_no_device_does_the_critics_product_whole():
    """Its rows are real, synthesized and penalised ones, three of each: (3, B, width). Gathered, every device would form the product
    of all of them."""
    found = with_eight_devices("split_rows_script")
    for precision, (alone, of_eight) in found["flops"].items():
        assert of_eight / alone < 0.15, precision  # an eighth, and adding up
    critic = {(3, 16, 30), (3, 16, 18)}  # of the small problem: features, and hidden units of the critic
    for framework, shapes in found["gathered"].items():
        assert len(shapes) > 5, framework  # there are others, as of pair losses
        assert not critic & set(map(tuple, shapes)), framework


@pytest.mark.slow
@pytest.mark.parametrize("framework", ["wgan", "cadavae"])
def test_seeds_that_divide_evenly_have_devices_of_their_own(framework):
    found = with_eight_devices("spread_seeds_script", framework, 2, 4)
    assert found["collectives"] == [] and found["devices"] == [2] and found["seeds_each"] == [2]
    assert found["far"] < 1e-4  # rounding; terms of CADA-VAE are in the hundreds


def test_seeds_that_do_not_divide_share_the_devices():
    p = small.problem()
    loop = Loop(p.objective, p.optimization, p.n_critic, p.batch)
    assert JointLoop.of(loop, "map", 3) == JointLoop(loop, "map")


def test_one_device_is_left_as_it_is():
    sharding = over_devices(1)
    assert sharding == Sharding() and sharding.devices == 1 and sharding.replicated is None
    tree = {"a": jnp.arange(3.0)}
    for found in (sharding.replicate(tree), sharding.local(tree), sharding.constrain_rows(tree, 0), sharding.constrain_replicated(tree)):
        assert found is tree
    assert sharding.part(8) == slice(0, 8)
    np.testing.assert_array_equal(sharding.place_rows(np.arange(4), 0), np.arange(4))
    assert "sharding_constraint" not in str(jax.make_jaxpr(lambda t: sharding.constrain_rows(t, 0))(tree))
