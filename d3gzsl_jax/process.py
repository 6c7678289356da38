"""Process-wide settings, in one place for every entry point."""

import os

import jax


def configure() -> None:
    """Makes results independent of the environment; call it before anything is computed.

    Float32 products at the highest precision, JAX's random bits in their documented form, no float64. TensorFlow, which only orders
    rows here and is imported later, is told to keep its start-up messages off the screen.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    jax.config.update("jax_default_matmul_precision", "highest")
    jax.config.update("jax_threefry_partitionable", True)
    jax.config.update("jax_enable_x64", False)
