"""Data: one in-memory form, one reader per source, one validator, and the input pipelines."""
