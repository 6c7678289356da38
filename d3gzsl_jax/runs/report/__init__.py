"""The report of a run: its record, its plots, its page."""
