"""The representation of a row: a further array beside its features, as ZeroDiff takes one (Ye et al. 2025, arXiv 2406.02929).

It comes with the data, one vector a row, and is then given behind the features; or, where the data has none, it is what a frozen
embedding, trained to tell the seen classes apart, makes of the features, scaled as features are.
"""

import jax

from d3gzsl_jax.frameworks import networks
from d3gzsl_jax.frameworks.structures import Params

ENCODER = "representation_encoder"
"""The frozen group of that embedding: {'embedding', 'scale' (dr,), 'offset' (dr,)}; not there where representations come with the
data."""


def split_rows(params: Params, rows: jax.Array, features: int) -> tuple[jax.Array, jax.Array]:
    """Features (..., dx) and representations (..., dr) of real rows.

    Args:
        params: all groups of the method.
        rows: (..., dx + dr), representations behind the features; or (..., dx) where the encoder makes them.
        features: dx.
    """
    if ENCODER in params:
        return rows, encode(params[ENCODER], rows)
    return rows[..., :features], rows[..., features:]


def encode(encoder: Params, features: jax.Array) -> jax.Array:
    """Representations (..., dr) of scaled features (..., dx), within [0, 1] on the rows that the scaling was fitted to."""
    embedding = networks.embed(encoder["scale"].shape[0], encoder["embedding"], features)
    scale, offset = (encoder[name].reshape((1,) * (features.ndim - 1) + (-1,)) for name in ("scale", "offset"))
    return jax.lax.stop_gradient(embedding * scale + offset)
