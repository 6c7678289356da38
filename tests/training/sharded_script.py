"""Run by test_sharding.py in a process of its own, which can have many devices: trains the small problem on one and on others.

Prints JSON: by number of devices, the largest distance of a parameter to the run on one, in learning rates, and the largest one
of a term. Arguments: framework, 32 or 64 (the precision), numbers of devices.
"""

import json
import sys

import jax
import jax.numpy as jnp
import numpy as np

from d3gzsl_jax.system.startup import configure
from d3gzsl_jax.training.loop import Loop
from d3gzsl_jax.training.sharding import over_devices
from tests import small

STEPS, RATE = 20, 1e-3


def main():
    framework, (bits, *counts) = sys.argv[1], map(int, sys.argv[2:])
    configure()
    given = small.problem(framework=framework)
    jax.config.update("jax_enable_x64", bits == 64)
    if bits == 64:
        wide = lambda leaf: leaf.astype(jnp.float64) if leaf.dtype == jnp.float32 else leaf  # noqa: E731
        given.state, given.constants = jax.tree.map(wide, (given.state, given.constants))
    ends, found = {}, {}
    for count in (1, *counts):
        sharding = over_devices(count)
        loop = Loop(given.objective, given.optimization, given.n_critic, given.batch, sharding=sharding)
        step = jax.jit(lambda state, constants: loop.one_step(state, constants, None), out_shardings=sharding.replicated)
        state, constants = sharding.replicate((given.state, given.constants))
        for _ in range(STEPS):
            state, terms = step(state, constants)
        assert sharding.devices == count and all(len(leaf.devices()) == count for leaf in jax.tree.leaves(state))
        ends[count] = jax.device_get((state.params, terms))
        far = lambda a, b: float(np.abs(a - b).max())  # noqa: E731
        params, terms = (jax.tree.leaves(jax.tree.map(far, a, b)) for a, b in zip(ends[1], ends[count], strict=True))
        if count > 1:
            found[count] = (max(params) / RATE, max(terms))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
