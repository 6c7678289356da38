"""Many devices compute what one does: on the small problem, in processes that can have many."""

import json
import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from d3gzsl_jax.training.sharding import Sharding, over_devices
from tests.conftest import ROOT

LIMIT = 0.01  # learning rates, after 20 outer steps


def trained(framework, bits, *counts):
    env = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=8", "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-m", "tests.training.sharded_script", framework, str(bits), *map(str, counts)]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_two_and_eight_devices_train_as_one_does():
    for count, (parameters, terms) in trained("wgan", 32, 2, 8).items():
        assert parameters < LIMIT and terms < 1e-3, count


@pytest.mark.parametrize("framework", ["wgan", "cegzsl"])
def test_what_is_left_is_rounding(framework):
    """In double precision the distance is that of double precision. In single, CE-GZSL's comparator has gradients that are zero but
    for rounding, of which Adam makes steps: its distance says nothing."""
    for count, (parameters, terms) in trained(framework, 64, 8).items():
        assert parameters < 1e-5 and terms < 1e-9, count


def test_one_device_is_left_as_it_is():
    sharding = over_devices(1)
    assert sharding == Sharding() and sharding.devices == 1 and sharding.replicated is None
    tree = {"a": jnp.arange(3.0)}
    for found in (sharding.replicate(tree), sharding.local(tree), sharding.constrain_rows(tree, 0), sharding.constrain_replicated(tree)):
        assert found is tree
    assert sharding.part(8) == slice(0, 8)
    np.testing.assert_array_equal(sharding.place_rows(np.arange(4), 0), np.arange(4))
    assert "sharding_constraint" not in str(jax.make_jaxpr(lambda t: sharding.constrain_rows(t, 0))(tree))
