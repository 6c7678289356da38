"""D3GZSL (arXiv 2402.11424) in JAX/Flax: generalized zero-shot learning by data-distribution distillation.

For notebooks: `from d3gzsl_jax import api as d3`.
"""

__version__ = "0.1.0"
