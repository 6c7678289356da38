"""Pure functions of arrays: no keys, no configuration, no networks. They import jax, numpy and optax.losses only."""
