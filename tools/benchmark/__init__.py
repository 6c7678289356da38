"""Timings: of the outer step, of seeds, of checkpoints, of prediction."""
