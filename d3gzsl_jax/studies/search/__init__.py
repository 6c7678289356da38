"""Settings searched on validation folds: as many trials for every configuration."""
