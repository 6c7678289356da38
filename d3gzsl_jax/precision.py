"""How exact the products of the networks are: float32, TF32 where the chip has it, or bfloat16 operands.

Parameters, optimiser states, activations, scores (products with one vector), losses and metrics stay float32 in each of them: what
is no product of a network by `product` and the like says `precision=EXACT`. The choice is JAX's own setting of the default matmul
precision, which is part of what a traced function is cached by. A run sets it for itself (`scope`); outside of one it is float32
(system/startup.py).
"""

import contextlib
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax
from jax.experimental.layout import Layout, with_layout_constraint

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
    def row_major(x: jax.Array, pulls: jax.Array) -> jax.Array:
        last = x.ndim - 1
        return _row_major_dot16(jnp.moveaxis(x, last, 0), pulls, ((tuple(range(1, x.ndim)), tuple(range(last))), ((), ())))

    return _by_platform(x, pulls, row_major, lambda x, pulls: _dot16(x, pulls, _leading(x)))


def _leading(x: jax.Array) -> tuple[tuple[tuple[int, ...], tuple[int, ...]], tuple[tuple[()], tuple[()]]]:
    axes = tuple(range(x.ndim - 1))
    return (axes, axes), ((), ())


@jax.custom_vjp
def _rounded(x: jax.Array, kernel: jax.Array) -> jax.Array:
    return _product16(x, kernel)


def _product16(x: jax.Array, kernel: jax.Array) -> jax.Array:
    dimensions = (((x.ndim - 1,), (0,)), ((), ()))
    dots = (lambda x, y, dot=dot: dot(x, y, dimensions) for dot in (_row_major_dot16, _dot16))
    return _by_platform(x, kernel, *dots)


_Dot = Callable[[jax.Array, jax.Array], jax.Array]


def _by_platform(x: jax.Array, y: jax.Array, cpu: _Dot, other: _Dot) -> jax.Array:
    """One of two products of x and y, rounded to bfloat16, by what the program is compiled for.

    With several devices it is the `other` on CPUs too: XLA does not split what has a layout constraint, and would gather all rows.
    """
    x, y = x.astype(jnp.bfloat16), y.astype(jnp.bfloat16)
    if jax.default_backend() != "cpu" or jax.device_count() > 1:
        return other(x, y)
    return lax.platform_dependent(x, y, cpu=cpu, default=other)  # a CPU's process may compile for other chips


def _dot16(x: jax.Array, y: jax.Array, dimensions: lax.DotDimensionNumbers) -> jax.Array:
    return lax.dot_general(x, y, dimensions, preferred_element_type=jnp.float32)


def _row_major_dot16(x: jax.Array, y: jax.Array, dimensions: lax.DotDimensionNumbers) -> jax.Array:
    """`_dot16` of operands that lie row by row: others XLA's fast bfloat16 kernel for CPUs (AVX512-BF16) does not take."""
    x, y = (with_layout_constraint(of, Layout(tuple(range(of.ndim)))) for of in (x, y))
    return _dot16(x, y, dimensions)


def _forward(x: jax.Array, kernel: jax.Array) -> tuple[jax.Array, tuple[jax.Array, jax.Array]]:
    return _product16(x, kernel), (x, kernel)


def _backward(kept: tuple[jax.Array, jax.Array], pulls: jax.Array) -> tuple[jax.Array, jax.Array]:
    x, kernel = kept
    return _product16(pulls, kernel.T), _weight_product16(x, pulls)


_rounded.defvjp(_forward, _backward)
