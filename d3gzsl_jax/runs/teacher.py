"""The frozen teacher of a run: read where an earlier start left it, else fitted and left in the run folder."""

import dataclasses
from pathlib import Path

import jax

from d3gzsl_jax.config.budget import epochs_of_teacher
from d3gzsl_jax.distillation.teacher import pretrain
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.frameworks.structures import Params
from d3gzsl_jax.keys import stream
from d3gzsl_jax.runs import file_schemas, json_files
from d3gzsl_jax.runs.checkpoints import load_once, save_once
from d3gzsl_jax.runs.run import Run
from d3gzsl_jax.system import processes
from d3gzsl_jax.system.signals import Signals
from d3gzsl_jax.training.states import same_shapes

_REMEDY = "put a copy of that folder back, or remove it: it is fitted anew then, to the same bits on the same machine"


@dataclasses.dataclass(frozen=True)
class FrozenTeacher:
    """Parameters of the teacher, {} without D3; its figures on the test rows, None without D3, {} before they were looked at; and
    its embedding, where the base method takes representations and the data has none ({} elsewhere)."""

    params: Params
    figures: dict[str, float] | None
    encoder: Params = dataclasses.field(default_factory=dict)


NO_TEACHER = FrozenTeacher({}, None)


def prepare(run: Run, signals: Signals) -> FrozenTeacher:
    """The teacher of a run with D3, and its embedding where representations are made by it; else none.

    Raises:
        DivergenceError: its fit broke down. KeyboardInterrupt, Terminated: a signal came, and there is nothing to save yet.
    """
    active = run.model.objective.distillation.active
    if not (active or run.encodes):
        return NO_TEACHER
    found = _prepare(run, signals, looks=active and run.looks_early)
    encoder = found.params["embedding"] if run.encodes else {}
    return FrozenTeacher(found.params, found.figures, encoder) if active else FrozenTeacher({}, None, encoder)


def _prepare(run: Run, signals: Signals, looks: bool) -> FrozenTeacher:
    """The teacher, read or fitted; `looks`: evaluated on the test rows."""
    path = run.folder.path / "teacher"
    if processes.told_by_first(path.is_dir()):
        return read(run)
    settings, rows = run.settings, run.arrays.train_features
    batch = settings.teacher_batch_size
    epochs = epochs_of_teacher(settings.teacher_epochs, settings.teacher_updates, len(rows), batch)
    run.display.start("fitting the teacher", epochs)

    def epoch_is_done() -> None:
        run.display.advance(1)
        signals.settle()
        signals.leave_untrained()

    params = pretrain(
        run.model.teacher, run.model.teacher_training, stream(run.key, "teacher"), rows, run.setup.seen_index, epochs, batch,
        run.setup.mode != "stream", epoch_is_done,
    )
    params = _of_first(run, params)
    run.display.stop()
    figures = evaluate(run, params) if looks else {}
    processes.agreed(lambda: save_once(path, params, figures) if processes.is_first() else None)
    run.folder.need("teacher")
    return FrozenTeacher(params, figures)


def read(run: Run) -> FrozenTeacher:
    """The teacher that an earlier start left in the folder of a run with D3; another one would make another run.

    Raises:
        UserError: it is missing or damaged.
    """
    path = run.folder.path / "teacher"

    def found() -> tuple[Params | None, dict[str, float] | None]:
        return _read(run, path) if processes.is_first() else (None, None)

    params, figures = processes.agreed(found)
    params = _of_first(run, params)
    run.folder.need("teacher")
    return FrozenTeacher(params, figures)


def evaluate(run: Run, params: Params) -> dict[str, float]:
    """The teacher's figures on the test rows, told."""
    found = run.evaluator.teacher(run.model.teacher, params, run.settings.teacher_threshold)
    if len(run.data.test_seen):
        apart = f", seen against unseen rows AUROC {found['auroc']:.3f}, FPR@95 {found['fpr_at_95']:.3f}"
        run.display.say(f"teacher: seen accuracy {100 * found['seen_accuracy']:.1f}" + apart * bool(len(run.data.test_unseen)))
    return found


def _shapes(run: Run) -> Params:
    return jax.eval_shape(lambda: run.model.teacher.init(run.key, run.data.feature_size))


def _of_first(run: Run, teacher: Params | None) -> Params:
    """The first process's teacher in all of them: each fitted its own, on devices whose sums may differ in the last digit."""
    return processes.arrays_of_first(teacher, _shapes(run))


def _read(run: Run, path: Path) -> tuple[Params, dict[str, float]]:
    try:
        found, figures = load_once(path)
    except UserError as error:
        raise UserError(f"{error}; {_REMEDY}") from None
    json_files.checked(figures, file_schemas.Numbers, path, _REMEDY)
    if not same_shapes(found, _shapes(run)):
        raise UserError(f"{path}: not the teacher of this run: its arrays are of other shapes; {_REMEDY}")
    return found, figures
