"""What a run goes on from: the state of its newest whole checkpoint, else a fresh one."""

from collections.abc import Callable
from typing import Any

import jax

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.frameworks.finite_check import check_finite
from d3gzsl_jax.frameworks.structures import Params, TrainState
from d3gzsl_jax.runs import file_schemas, json_files
from d3gzsl_jax.runs.run import Run
from d3gzsl_jax.system import processes
from d3gzsl_jax.system.keys_ahead import KeysAhead
from d3gzsl_jax.training.states import initial_state
from d3gzsl_jax.training.tally import Tally


def restore_or_initialise(run: Run, empty: Tally, first_stage: Callable[[], Params]) -> tuple[TrainState, Tally, int]:
    """State, tally and outer step to go on from; those of the first process, in all of them.

    Args:
        run: its teacher is there, and its real rows are on the device.
        empty: a tally of no steps.
        first_stage: trains what is trained before, where there is nothing to go on from, and returns what is frozen of it.
    """
    shapes = {"state": run.abstract_state, "tally": jax.eval_shape(lambda: empty)}
    found = processes.agreed(lambda: _newest(run, shapes))
    training, goes_on = found and found[1], processes.told_by_first(found and [found[0], found[2]])
    if goes_on:
        step, history = goes_on
        run.journal.recall(history)
        run.display.say(f"going on from outer step {step} (epoch {step / run.per_epoch:g}) of {run.folder.path}")
    else:
        frozen, step = run.frozen() | first_stage(), 0
        advice = f"see its options, config.{run.settings.framework}"
        check_finite(frozen, "fitting the frozen part of the base method", advice)
        training = {"state": _initial_state((run.model.objective, run.model.optimization), run.key, frozen), "tally": empty}
    training = run.sharding.replicate(processes.arrays_of_first(training, shapes))
    return training["state"], training["tally"], step


def _newest(run: Run, shapes: dict[str, Any]) -> tuple[int, Any, dict[str, Any]] | None:
    """The newest checkpoint that is whole, see `Checkpoints.restore_newest`."""
    there = bool(run.checkpoints.steps)
    found = run.checkpoints.restore_newest(shapes)
    if found:
        json_files.checked(found[2], file_schemas.History, run.folder.path / "checkpoints" / str(found[0]) / "history")
    elif there and run.settings.must_resume:
        raise UserError(f"{run.folder.path}: no checkpoint is whole, and config.train.resume=must; with auto it starts anew")
    return found


_initial_state = KeysAhead(initial_state)
