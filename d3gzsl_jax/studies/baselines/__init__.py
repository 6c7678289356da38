"""Baselines without synthesis that a generative method has to beat, chosen and evaluated as trained runs are."""
