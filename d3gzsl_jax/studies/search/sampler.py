"""Optuna's TPE with a seed a trial: what a trial tries follows from its number and from what the trials before it reached."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from optuna.samplers import BaseSampler, TPESampler

_SEED = 0


class SeededByTrial(BaseSampler):
    """Tree-structured Parzen estimators (Bergstra et al. 2011), whose random numbers begin anew with each trial: a search that was
    stopped and gone on with draws what it would have drawn at once, and not its first numbers again.

    Args:
        own: by name the configuration's own settings, which are the first trial.
    """

    def __init__(self, own: Mapping[str, Any]) -> None:
        self._own, self._sampler = dict(own), TPESampler(seed=_SEED)

    def reseed_rng(self) -> None:
        """Nothing: the random numbers are those of the trial."""

    def before_trial(self, study: Any, trial: Any) -> None:
        """Begins the random numbers of a trial."""
        seed = int(np.random.SeedSequence([_SEED, trial.number]).generate_state(1)[0])
        self._sampler = TPESampler(seed=seed)
        self._sampler.before_trial(study, trial)

    def infer_relative_search_space(self, study: Any, trial: Any) -> dict[str, Any]:
        """The fields that are drawn together; none for the first trial."""
        return self._sampler.infer_relative_search_space(study, trial) if trial.number else {}

    def sample_relative(self, study: Any, trial: Any, search_space: dict[str, Any]) -> dict[str, Any]:
        """Their values."""
        return self._sampler.sample_relative(study, trial, search_space)

    def sample_independent(self, study: Any, trial: Any, param_name: str, param_distribution: Any) -> Any:
        """The value of one field, as long as there are few trials."""
        if not trial.number:
            return self._own[param_name]
        return self._sampler.sample_independent(study, trial, param_name, param_distribution)

    def after_trial(self, study: Any, trial: Any, state: Any, values: Any) -> None:
        """Ends a trial."""
        self._sampler.after_trial(study, trial, state, values)
