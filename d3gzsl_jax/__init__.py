"""D3GZSL (arXiv 2402.11424) in JAX/Flax: generalized zero-shot learning by data-distribution distillation."""

__version__ = "0.1.0"
