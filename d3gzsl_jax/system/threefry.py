"""How random bits are made on a CPU: Threefry's 20 rounds one after another, as JAX has them on other devices.

JAX rolls them up into a loop there, which takes LLVM five times as long to compile, a quarter of a second for each array of random
numbers in a program, and keeps the rounds from being one pass over memory. The bits are the same: they are integers.
"""

import contextlib
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_PARITY = np.uint32(0x1BD11BDA)


def unroll() -> None:
    """Has programs for CPUs that are lowered from here on make their bits so, where JAX offers to say how."""
    with contextlib.suppress(ImportError, AttributeError):
        from jax.extend.random import threefry2x32_p
        from jax.interpreters import mlir

        mlir.register_lowering(threefry2x32_p, mlir.lower_fun(threefry, multiple_results=True), platform="cpu")


def threefry(key1: jax.Array, key2: jax.Array, high: jax.Array, low: jax.Array) -> Sequence[Any]:
    """Threefry-2x32 (Salmon et al. 2011) of two counters by two halves of a key, uint32 arrays that broadcast."""
    keys = (key1, key2, key1 ^ key2 ^ _PARITY)
    one, other = high + keys[0], low + keys[1]
    for turn in range(5):
        for bits in _ROTATIONS[turn % 2]:
            one = one + other
            other = ((other << np.uint32(bits)) | (other >> np.uint32(32 - bits))) ^ one
        one, other = one + keys[(turn + 1) % 3], other + keys[(turn + 2) % 3] + np.uint32(turn + 1)
    return one, other
