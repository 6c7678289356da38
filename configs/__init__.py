"""Experiment configurations; default.py documents every field, the others start from it."""
