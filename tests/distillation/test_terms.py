"""D3's part of a step: how L_od's score is formed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from d3gzsl_jax.losses.distillation import SCORES, in_distribution_score
from tests import small
from tests.training.test_step import inputs_of


@pytest.mark.parametrize("score", SCORES)
def test_scores_of_rows_apart_are_those_of_the_rows_together(score, rng):
    """To the bit: so nothing changes where synthesized and real rows are scored apart."""
    unseen, real = (jnp.asarray(rng.normal(scale=5, size=(rows, 13)), jnp.float32) for rows in (23, 16))
    of = lambda logits: in_distribution_score(logits, score)  # noqa: E731
    together = jax.jit(lambda a, b: of(jnp.concatenate([a, b])))(unseen, real)
    apart = jax.jit(lambda a, b: jnp.concatenate([of(a), of(b)]))(unseen, real)
    np.testing.assert_array_equal(apart, together)


@pytest.mark.slow
@pytest.mark.parametrize("score", SCORES)
def test_no_softmax_or_maximum_is_taken_of_a_concatenation(score):
    """XLA of JAX 0.10.2 fuses them into a kernel that does not compile for an H100."""
    p = small.problem(score=score)
    batches, (draws, _) = inputs_of(p)
    phase, update = small.update_of(p.objective.framework, "critic")
    at = lambda tree: jax.tree.map(lambda leaf: leaf[0], tree)  # noqa: E731

    def loss(params, batch, drawn):
        constants = p.constants
        return p.objective.loss(phase, update, params, constants.teacher, constants.classes, batch, drawn, {}, jnp.int32(0))[0]

    jaxpr = jax.make_jaxpr(loss)(p.state.params, at(batches), at(draws)).jaxpr
    joints = (equation for equation in jaxpr.eqns if equation.primitive.name == "concatenate")
    joined = {id(one) for joint in joints for one in joint.outvars if one.aval.dtype == jnp.float32}  # labels may be joined
    takers = {equation.primitive.name for equation in jaxpr.eqns if any(id(variable) in joined for variable in equation.invars)}
    assert "dot_general" in takers  # rows for the networks are joined
    assert not takers & {"reduce_max", "exp", "custom_jvp_call", "jit", "pjit", "stop_gradient"}, takers
