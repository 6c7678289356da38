"""The state of a method whose gradient penalty has a weight that follows its measured size, by losses/penalty_weight.py."""

from typing import Any

import jax
import jax.numpy as jnp

from d3gzsl_jax.frameworks.structures import Terms
from d3gzsl_jax.losses.penalty_weight import adapted_exponent, penalty_weight


def initial_state() -> dict[str, jax.Array]:
    """'penalty_exponent' () int32, k: the penalty's weight is its first one times 1.1^k."""
    return {"penalty_exponent": jnp.int32(0)}


def next_state(state: Any, terms: dict[str, Terms], rule: str) -> Any:
    """k, adapted to the mean penalty of the critic updates; as it was where the rule is 'described'."""
    if rule == "described":
        return state
    return {"penalty_exponent": adapted_exponent(state["penalty_exponent"], jnp.mean(terms["critic"]["penalty"]))}


def weight(start: float, state: Any) -> jax.Array:
    """The penalty's weight now, ()."""
    return penalty_weight(start, state["penalty_exponent"])
