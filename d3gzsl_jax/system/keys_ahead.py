"""A compiled function whose keys are made ahead of the program that draws by them.

A fresh network is a dozen arrays of random numbers, and each has a key of its own, folded from the run's in three or four steps.
Within one program XLA repeats those steps in the loop of every array, and takes three seconds to compile what is done in
milliseconds. Here the steps are done one by one, all by the one small program that JAX has for them.
"""

import dataclasses
from collections.abc import Callable, Hashable
from typing import Any

import jax
from jax.extend import core


class KeysAhead:
    """`function`(*static, key, *arrays), compiled; to the bit what jax.jit makes of it.

    Args:
        function: returns a tree of arrays.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function, self._programs = function, dict[Hashable, _Program]()

    def __call__(self, static: tuple[Hashable, ...], key: jax.Array, *arrays: Any) -> Any:
        """The tree, for hashable arguments `static`, a key and trees of arrays."""
        leaves, structure = jax.tree.flatten(arrays)
        of = (static, key.dtype, structure, tuple((leaf.shape, leaf.dtype) for leaf in leaves))
        if of not in self._programs:
            self._programs[of] = _split(lambda key, *arrays: self._function(*static, key, *arrays), key, arrays)
        program = self._programs[of]
        return jax.tree.unflatten(program.structure, program.draw(*program.keys(key), *leaves))


@dataclasses.dataclass(frozen=True)
class _Program:
    """keys: of the given one, all that are drawn by, one operation after another. draw: of these and the leaves of the arrays,
    those of the result, compiled. structure: of the result."""

    keys: Callable[..., list[jax.Array]]
    draw: Callable[..., list[jax.Array]]
    structure: Any


def _split(function: Callable[..., Any], key: jax.Array, arrays: tuple[Any, ...]) -> _Program:
    closed, shapes = jax.make_jaxpr(function, return_shape=True)(key, *arrays)
    jaxpr = closed.jaxpr
    of_key, own = jaxpr.invars[:1], jaxpr.invars[1:]
    known, ahead, after = set(of_key), [], []
    for step in jaxpr.eqns:
        given = [value for value in step.invars if not isinstance(value, core.Literal)]
        makes_keys = all(jax.dtypes.issubdtype(made.aval.dtype, jax.dtypes.prng_key) for made in step.outvars)
        if makes_keys and known.issuperset(given):
            known.update(step.outvars)
            ahead.append(step)
        else:
            after.append(step)
    used = {value for step in after for value in step.invars if not isinstance(value, core.Literal)}
    keys = [value for value in (*of_key, *(made for step in ahead for made in step.outvars)) if value in used]
    first = jaxpr.replace(constvars=[], invars=of_key, outvars=keys, eqns=ahead)
    rest = jaxpr.replace(invars=[*keys, *own], eqns=after)
    drawn = core.jaxpr_as_fun(core.ClosedJaxpr(rest, closed.consts))

    @jax.jit
    def draw(*given: jax.Array) -> list[jax.Array]:
        return drawn(*given)

    return _Program(core.jaxpr_as_fun(core.ClosedJaxpr(first, [])), draw, jax.tree.structure(shapes))
