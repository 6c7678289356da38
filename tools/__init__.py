"""Command-line tools around the package; run them from the repository root."""
