"""Metrics of generalized zero-shot learning, and their evaluation on a trained student and its teacher."""
