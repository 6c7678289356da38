"""What stops a trial early: a comparison with the others at the same fold, seed and epoch, and with nothing else."""

from typing import Any

import numpy as np
import optuna


class MedianAtStep(optuna.pruners.BasePruner):
    """Stops a trial that is worth less than the median of those that are done, at the step it has come to.

    What is reported at a step is the best so far already, as a mean over the folds so far: it falls where a fold begins that is
    harder than those before. Optuna's MedianPruner takes the highest value of all a trial's steps, and so compares what it reached
    on the first fold with what others have on later ones.

    Args:
        startup: how many trials must be done before one is stopped, >= 1.
    """

    def __init__(self, startup: int) -> None:
        self._startup = startup

    def prune(self, study: Any, trial: Any) -> bool:
        """Whether the trial (of Optuna, as it is stored) is to be stopped."""
        done = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
        step = trial.last_step
        if step is None or len(done) < self._startup:
            return False
        others = [one.intermediate_values[step] for one in done if step in one.intermediate_values]
        return bool(others) and trial.intermediate_values[step] < float(np.median(others))
