"""Run by test_compile_for.py in a process of its own, which can have many devices: compiles, and runs nothing.

Prints JSON: what is read of a small program on eight devices; the faults of outer steps; and those of WGAN's where the critic's product
merges its leading axes into one, as it once did.
"""

import json

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from d3gzsl_jax.losses import adversarial
from d3gzsl_jax.system.startup import configure
from tools.benchmark import chips
from tools.benchmark.compile_for import measured
from tools.benchmark.compiled_program import Reading
from tools.benchmark.sizes import SIZES


def small() -> dict[str, object]:
    """A sum over the rows of all devices, seven times; and one gather of all rows."""
    mesh = Mesh(np.array(jax.devices()), ("data",), axis_types=(AxisType.Auto,))
    rows, whole = (NamedSharding(mesh, PartitionSpec(*names)) for names in (("data",), ()))

    def function(x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, jax.Array]:
        turn = lambda kernel, _: (kernel - x.T @ (x @ kernel), None)  # noqa: E731
        return jax.lax.scan(turn, kernel, None, length=7)[0], 2.0 * x

    shapes = jax.ShapeDtypeStruct((16, 3), jnp.float32, sharding=rows), jax.ShapeDtypeStruct((3, 5), jnp.float32, sharding=whole)
    read = Reading(jax.jit(function, out_shardings=whole).lower(*shapes).compile().as_text())
    moved = [[one.kind, one.size, one.times] for one in read.collectives]
    return {"moved": moved, "flops": read.product_flops, "unknown": read.unknown_loops}


def merged(x: jax.Array, pulls: jax.Array) -> jax.Array:
    """`weight_product` with one axis for all rows: no split of them can be told."""
    return x.reshape(-1, x.shape[-1]).T @ pulls.reshape(-1, pulls.shape[-1])


def faults(size: str) -> list[str]:
    """Of an outer step."""
    return measured(chips.CHIPS["cpu"], jax.devices(), SIZES[size], "step")["faults"]


if __name__ == "__main__":
    chips.prepare()
    configure(keep_compiled=False)
    found = {"small": small(), "faults": {size: faults(size) for size in ("tiny", "cegzsl_tiny", "cadavae_tiny")}}
    adversarial.weight_product = merged
    jax.clear_caches()  # an outer step is traced once
    print(json.dumps(found | {"merged": faults("tiny")}))
