"""Run by test_sharding.py in a process of its own, which can have many devices: compiles, and runs nothing.

Prints JSON: 'flops' of `weight_product` on one device, and on each of eight with its rows split; the shapes of what an outer step
gathers, by base method.
"""

import json
import re

import jax
import jax.numpy as jnp

from d3gzsl_jax.precision import scope, weight_product
from d3gzsl_jax.system.startup import configure
from d3gzsl_jax.training.loop import Loop
from d3gzsl_jax.training.sharding import over_devices
from tests import small


def flops(count: int, precision: str) -> float:
    sharding = over_devices(count)
    rows = [jax.ShapeDtypeStruct((3, 16, width), jnp.float32, sharding=sharding.rows(1)) for width in (40, 24)]
    with scope(precision):
        compiled = jax.jit(weight_product, out_shardings=sharding.replicated).lower(*rows).compile()
    assert "all-gather" not in compiled.as_text()
    return compiled.cost_analysis()["flops"]


def gathered(framework: str) -> list[list[int]]:
    """Shapes (as compiled, so with axes of their own) of the results of all gathers of an outer step."""
    given, sharding = small.problem(framework=framework), over_devices(8)
    loop = Loop(given.objective, given.optimization, given.n_critic, given.batch, sharding=sharding)
    step = jax.jit(lambda state, constants: loop.one_step(state, constants, None), out_shardings=sharding.replicated)
    text = step.lower(*sharding.replicate((given.state, given.constants))).compile().as_text()
    lines = re.findall(r"= (.*?) all-gather(?:-start)?\(", text)
    return [[int(size) for size in shape.split(",")] for line in lines for shape in re.findall(r"f32\[([\d,]+)\]", line)]


if __name__ == "__main__":
    configure()
    print(json.dumps({
        "flops": {precision: [flops(count, precision) for count in (1, 8)] for precision in ("float32", "bfloat16")},
        "gathered": {framework: gathered(framework) for framework in ("wgan", "cegzsl", "fclswgan")},
    }))  # fmt: skip
