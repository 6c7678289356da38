"""Figures of the pages, drawn from run folders."""
