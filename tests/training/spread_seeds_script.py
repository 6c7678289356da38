"""Run by test_sharding.py in a process of its own, with many devices: seeds spread over them, against each alone on one.

Prints JSON: the largest distance of a number of a state or tally, which collectives the program has, and on how many devices states lie.
Arguments: framework, devices, seeds.
"""

import json
import re
import sys

import jax
import jax.numpy as jnp
import numpy as np

from d3gzsl_jax.system.startup import configure
from d3gzsl_jax.training.joint_loop import JointLoop
from d3gzsl_jax.training.loop import Loop
from d3gzsl_jax.training.sharding import over_devices
from tests import small


def main():
    framework, (devices, seeds) = sys.argv[1], map(int, sys.argv[2:])
    configure()
    found = [small.problem(seed=seed, framework=framework) for seed in range(seeds)]
    first = found[0]
    loop = Loop(first.objective, first.optimization, first.n_critic, first.batch)
    many = Loop(first.objective, first.optimization, first.n_critic, first.batch, sharding=over_devices(devices))
    joint = JointLoop.of(many, "map", seeds)
    copied = [jax.tree.map(jnp.array, p.state) for p in found]
    state = joint.stack(copied)
    tally = joint.stack([loop.empty_tally(p.state, p.constants, None) for p in found])
    constants = joint.stack([p.constants for p in found])
    text = joint.compile(state, tally, constants, None, 0, 2).as_text()
    for count in (1, 7):
        state, tally = joint.run(state, tally, constants, None, 0, count)
    lies = {len({shard.device for shard in leaf.addressable_shards}) for leaf in jax.tree.leaves(state.params)}
    parts = {leaf.addressable_data(0).shape[0] for leaf in jax.tree.leaves(state.params)}
    far = 0.0
    for index, p in enumerate(found):
        end = loop.run(jax.tree.map(jnp.array, p.state), loop.empty_tally(p.state, p.constants, None), p.constants, None, 0, 8)
        pairs = zip(*map(jax.tree.leaves, ((joint.one(state, index), joint.one(tally, index)), end)), strict=True)
        for a, b in pairs:
            far = max(far, float(np.abs(np.asarray(a, np.float64) - np.asarray(b, np.float64)).max()))
    collectives = sorted(set(re.findall(r"\b(all-reduce|all-gather|all-to-all|collective-permute|reduce-scatter)\(", text)))
    print(json.dumps({"far": far, "collectives": collectives, "devices": sorted(lies), "seeds_each": sorted(parts)}))


if __name__ == "__main__":
    main()
