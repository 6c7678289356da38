"""Whether parameters and rows are finite, and what to say where they are not."""

from typing import Any

import jax
import numpy as np

from d3gzsl_jax.errors import DivergenceError
from d3gzsl_jax.frameworks.structures import Params

ADVICE = "lower config.train.learning_rate, or the weights in config.distillation"



def check_finite(params: Params, where: str, advice: str = ADVICE) -> None:
    """Looks at parameters themselves, whose last update no loss has seen yet.

    Args:
        params: by group.
        where: begins the message.
        advice: ends it.

    Raises:
        DivergenceError: naming the parameter groups.
    """
    # On the host: a program for it takes longer to compile than all looks of a short run.
    bad = [group for group, tree in params.items() if not all(_is_finite(leaf) for leaf in jax.tree.leaves(tree))]
    if bad:
        raise DivergenceError(f"{where}: not finite: parameters of {', '.join(bad)}; {advice}")



def blamed_input(features: Any, otherwise: str) -> str:
    """What to say where a fit to real rows `features` (n, dx) broke down: which row is not finite, or `otherwise`."""
    finite = np.isfinite(np.asarray(features)).all(axis=1)
    return otherwise if finite.all() else f"training row {int(np.argmin(finite))}, scaled, is not finite itself: see the data"



def _is_finite(leaf: Any) -> bool:
    return bool(np.isfinite(np.asarray(leaf)).all())

