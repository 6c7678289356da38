"""The configuration: its fields, how it is loaded, and what its values must be."""
