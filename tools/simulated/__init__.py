"""Simulated benchmarks of any size."""
