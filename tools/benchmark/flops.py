"""Counts the floating-point operations of the matrix products a function really needs."""

import math
from collections.abc import Callable
from typing import Any

import jax
from jax.extend import core


def matmul_flops(function: Callable, *arguments: Any, branch: int = 0) -> float:
    """2 m k n summed over the matrix products in the jaxpr of `function`, loops unrolled, those whose result is unused left out.

    Of what is done on a condition, the branch of this number is counted, or the last where there are fewer.
    """
    closed = jax.make_jaxpr(function)(*arguments)
    return _count(closed.jaxpr, [True] * len(closed.jaxpr.outvars), branch)


def _count(jaxpr: Any, used: list[bool], branch: int) -> float:
    live = {v for v, is_used in zip(jaxpr.outvars, used, strict=True) if is_used and isinstance(v, core.Var)}
    total = 0.0
    for equation in reversed(jaxpr.eqns):
        outputs = [v in live for v in equation.outvars]
        if not any(outputs):
            continue
        live.update(v for v in equation.invars if isinstance(v, core.Var))
        if equation.primitive.name == "dot_general":
            (contracted, _), _ = equation.params["dimension_numbers"]
            left, out = equation.invars[0].aval.shape, equation.outvars[0].aval.shape
            total += 2.0 * math.prod(out) * math.prod(left[i] for i in contracted)
        times = equation.params.get("length", 1) if equation.primitive.name == "scan" else 1
        for inner in _inner(equation.params, branch):
            same = len(inner.outvars) == len(outputs) and times == 1
            total += times * _count(inner, outputs if same else [True] * len(inner.outvars), branch)
    return total


def _inner(params: dict[str, Any], branch: int) -> list[Any]:
    found, branches = [], params.get("branches", ())
    for value in [*params.values(), *branches[min(branch, len(branches) - 1) :][:1]]:
        if isinstance(value, core.ClosedJaxpr):
            found.append(value.jaxpr)
        elif isinstance(value, core.Jaxpr):
            found.append(value)
    return found
