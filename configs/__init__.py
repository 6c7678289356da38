"""Experiment configurations, one file a benchmark; default.py has every field, the others start from it."""
