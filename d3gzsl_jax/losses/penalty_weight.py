"""The adaptive weight of the gradient penalty in the published TF-VAEGAN (Narayan et al. 2020, arXiv 2003.07833): start * 1.1^k.

After the critic updates of an outer step the mean m of their unweighted penalties moves the exponent: k + 1 if m > 1.05, k - 1 if
m < 1.001. The exponent is what is kept, an exact integer, and never reset.
"""

import jax
import jax.numpy as jnp
import numpy as np

BASE = 1.1
RAISED_ABOVE = 1.05
LOWERED_BELOW = 1.001
LARGEST_EXPONENT = 800  # 1.1 to this power is 1e33, and to its negative 8e-34: float32 has both


def adapted_exponent(exponent: jax.Array, mean_penalty: jax.Array) -> jax.Array:
    """The exponent after an outer step, () int32 in [-800, 800].

    Args:
        exponent: () int32, k before it.
        mean_penalty: () float32, m. NaN leaves the exponent as it is.
    """
    step = (mean_penalty > RAISED_ABOVE).astype(jnp.int32) - (mean_penalty < LOWERED_BELOW).astype(jnp.int32)
    return jnp.clip(exponent + step, -LARGEST_EXPONENT, LARGEST_EXPONENT)


def penalty_weight(start: float, exponent: jax.Array) -> jax.Array:
    """lambda = start * 1.1^k, () float32.

    Args:
        start: lambda at k = 0, positive.
        exponent: () int32, k in [-800, 800].
    """
    # Formed in double: in float32 the rounding of 1.1 itself would grow with k.
    weights = start * BASE ** np.arange(-LARGEST_EXPONENT, LARGEST_EXPONENT + 1, dtype=np.float64)
    return jnp.asarray(np.minimum(weights, np.finfo(np.float32).max), jnp.float32)[exponent + LARGEST_EXPONENT]
