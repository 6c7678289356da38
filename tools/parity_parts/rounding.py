"""Parameters that the rounding of a gradient moves, in a replay.

Some gradients cancel exactly but for rounding: the critic's hidden bias where a unit is active for as many real as synthesized
rows, a comparator's unit that is on one side of its kink for every class. Adam divides such rounding by its own size, so that two
correct programs differ by up to a learning rate there, and by more the longer it lasts. Where the recorded gradient and ours agree
to rounding, and what they differ by still moves Adam's step noticeably, the replay goes on from the recorded value of that one
entry. Such entries are counted, and how far they were off is shown, in a row of their own.
"""

import jax
import jax.numpy as jnp
import numpy as np

from d3gzsl_jax.frameworks.adam import divided_by
from d3gzsl_jax.frameworks.structures import Params, TrainState
from d3gzsl_jax.training.optimizers import Optimization
from tools.parity_parts.comparison import PARAMETER, Comparison, Tolerance
from tools.parity_parts.recording import Recording

LEFT_TO_ROUNDING = Tolerance(np.inf, 0.0, "none: the gradient is rounding")
ROUNDING = 1e-6  # gradients agree to rounding if they differ by at most this, of the tensor's largest
NOTICEABLE = 0.1 * PARAMETER.absolute  # of a learning rate
BETA2, EPSILON = 0.999, 1e-8


class Rounding:
    """Takes over recorded values where rounding decides Adam's step, update by update.

    An update without recorded gradients and parameters is left as it is.
    """

    def __init__(self, recording: Recording, optimization: Optimization, out: Comparison) -> None:
        self.recording, self.optimization, self.out = recording, optimization, out
        self.first: dict[str, Params] = {}  # group -> difference of the first moments of Adam, at most

    def take_over(self, name: str, gradients: Params, state: TrainState, rates: dict[str, float]) -> TrainState:
        """The state after the update `name` with the recorded value of every entry that rounding decides.

        Args:
            name: of the update.
            gradients: ours, of the groups it steps.
            state: ours after it.
            rates: learning rates by group.
        """
        if not (self.recording.has(f"{name}/grad/") and self.recording.has(f"{name}/after/")):
            return state
        params = dict(state.params)
        for group, ours in gradients.items():
            adam, beta1 = self.optimization.adam_state(group, state.opt_state), self.optimization.rule(group).beta1
            assert beta1 is not None
            count = float(adam.count)
            theirs = self.recording.load(group, f"{name}/grad/", ours)
            recorded = self.recording.load(group, f"{name}/after/", params[group])
            difference = jax.tree.map(lambda o, t: jnp.abs(o - t), ours, theirs)
            before = self.first.get(group, jax.tree.map(jnp.zeros_like, difference))
            self.first[group] = jax.tree.map(lambda b, d, m=beta1: m * b + (1 - m) * d, before, difference)

            def decided(
                d: jax.Array, e: jax.Array, t: jax.Array, v: jax.Array, count: float = count, beta1: float = beta1
            ) -> np.ndarray:
                moved = e / (1 - beta1**count) / (jnp.sqrt(v / (1 - BETA2**count)) + EPSILON)
                # A single number has no others to be small against.
                return np.asarray((d.size > 1) & (d <= ROUNDING * jnp.abs(t).max()) & (moved > NOTICEABLE))

            masks = jax.tree.map(decided, difference, self.first[group], theirs, divided_by(adam))
            for mask, found, expected in zip(*map(jax.tree.leaves, (masks, params[group], recorded)), strict=True):
                for entry in np.argwhere(mask):
                    at = tuple(entry)
                    self.out.add(
                        "entries left to rounding", f"{name}/{group}", found[at], expected[at], LEFT_TO_ROUNDING, rates[group]
                    )
            params[group] = jax.tree.map(jnp.where, masks, recorded, params[group])
        return state.replace(params=params)
