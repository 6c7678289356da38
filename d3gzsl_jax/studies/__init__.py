"""More than one run: several seeds, validation on folds, ablations, baselines, tables over runs."""
