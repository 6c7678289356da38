"""Generative base methods behind one small interface; D3 attaches to any of them by composition (distillation/objective.py)."""
