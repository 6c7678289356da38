"""Runs gathered into tables: Markdown, LaTeX, HTML, CSV."""
