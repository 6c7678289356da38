"""How exact the products of the networks are: float32, TF32 where the chip has it, or bfloat16 operands.

Parameters, optimiser states, activations, scores (products with one vector), losses and metrics stay float32 in each of them: what
is no product of a network by `product` and the like says `precision=EXACT`. The choice is JAX's own setting of the default matmul
precision, which is part of what a traced function is cached by. A run sets it for itself (`scope`); outside of one it is float32
(system/startup.py).
"""

import contextlib

import jax
import jax.numpy as jnp
from jax import lax

PRECISIONS = {"float32": "highest", "tf32": "tensorfloat32", "bfloat16": "bfloat16"}
"""config.precision -> jax.default_matmul_precision."""

EXACT = "highest"
"""`precision` of a product that is float32 whatever the networks' are."""


def scope(name: str) -> contextlib.AbstractContextManager[None]:
    """What is traced inside has the precision of this name, a key of PRECISIONS."""
    return jax.default_matmul_precision(PRECISIONS[name])


def in_force() -> str | None:
    """The precision of products that is set, as `scope` sets it."""
    return jax.config.jax_default_matmul_precision  # type: ignore[attr-defined] # JAX declares its settings as it is imported


def product(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """x (..., k) times kernel (k, n), float32 (..., n), at the precision in force.

    In bfloat16 both operands are rounded to it, on the way back the cotangent too, and sums are float32: JAX's own setting of that
    name does the same on a TPU, and nothing on a CPU, where the effect could then not be looked at.
    """
    if in_force() == "bfloat16":
        return _rounded(x, kernel)
    return x @ kernel


def dense_product(x: jax.Array, kernel: jax.Array, dimensions: object, **_: object) -> jax.Array:
    """`product` in the place of lax.dot_general in a flax Dense layer, whose dimensions are those of `product`."""
    del dimensions
    return product(x, kernel)


def transposed_product(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """x (..., n) times the transpose of kernel (k, n), at the precision in force."""
    return product(x, kernel.T)


def weight_product(x: jax.Array, pulls: jax.Array) -> jax.Array:
    """sum over rows of x_i pulls_i^T for x (..., k), pulls (..., n): (k, n), at the precision in force.

    All leading axes are contracted as they are. Merged into one, a split of the rows over devices could not be told any more: every
    device would gather all rows and form the whole product.
    """
    if in_force() == "bfloat16":
        return _weight_product16(x, pulls)
    # The transpose of pulls^T x: where there is one device, XLA then adds in the order it would with merged axes, to the same bits.
    return lax.dot_general(pulls, x, _leading(x)).T


def _weight_product16(x: jax.Array, pulls: jax.Array) -> jax.Array:
    return lax.dot_general(x.astype(jnp.bfloat16), pulls.astype(jnp.bfloat16), _leading(x), preferred_element_type=jnp.float32)


def _leading(x: jax.Array) -> tuple[tuple[tuple[int, ...], tuple[int, ...]], tuple[tuple[()], tuple[()]]]:
    axes = tuple(range(x.ndim - 1))
    return (axes, axes), ((), ())


@jax.custom_vjp
def _rounded(x: jax.Array, kernel: jax.Array) -> jax.Array:
    return _product16(x, kernel)


def _product16(x: jax.Array, kernel: jax.Array) -> jax.Array:
    dimensions = (((x.ndim - 1,), (0,)), ((), ()))
    return lax.dot_general(
        x.astype(jnp.bfloat16), kernel.astype(jnp.bfloat16), dimensions, preferred_element_type=jnp.float32
    )


def _forward(x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return _product16(x, kernel), (x, kernel)


def _backward(kept: tuple[jax.Array, jax.Array], pulls: jax.Array) -> tuple[jax.Array, jax.Array]:
    x, kernel = kept
    return _product16(pulls, kernel.T), _weight_product16(x, pulls)


_rounded.defvjp(_forward, _backward)
