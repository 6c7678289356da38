"""One run from top to bottom: this page is all of it.

    open the run folder -> data, networks, compiled loop -> teacher -> restore or initialise
    -> until the last outer step: outer steps, evaluate, checkpoint -> conclude: final classifier, details, model, report

What is handed on:

    OpenRuns    data, networks and devices of all runs, and of each an OpenRun: its folder (held by a lock) and checkpoints
    Setup       what the runs share: scaled rows, the evaluator of the test rows, the compiled loop
    Run         one seed: its typed RunSettings, folder, journal (evaluations, log, results.json), checkpoints
    Group       runs whose outer steps are one program: their states, and a Tally of the losses since the last evaluation

The configuration ends in `_build`; below it, objects have typed fields. Initial values come in this order: the teacher (fitted
once, then read), what a base method fits and freezes (ZeroDiff's first stage goes through this page itself), then the newest
checkpoint that is whole, else fresh ones.

Nearly always there is one run, and every list here has one item. Several seeds that differ in nothing else go through the page
together, an item a seed, and are one compiled program. Folds of a validation, lists of seeds and studies are laid around it
(studies/), and so are the processes of a run on several machines: every process goes through the page, the first one writes and
prints, and what only one can know is told in system/processes.py.
"""

import contextlib
import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from d3gzsl_jax.config import check
from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.errors import DivergenceError, UserError
from d3gzsl_jax.frameworks.structures import Params, TrainState
from d3gzsl_jax.precision import scope
from d3gzsl_jax.runs import feature_settings, finish, first_stage, log, resume, teacher, wandb_run
from d3gzsl_jax.runs.display import Display
from d3gzsl_jax.runs.group import Group
from d3gzsl_jax.runs.opening import OpenRun, Start, open_run, put_longer_aside, record_start
from d3gzsl_jax.runs.restore import restore_or_initialise
from d3gzsl_jax.runs.results import method
from d3gzsl_jax.runs.run import Run
from d3gzsl_jax.runs.settings import RunSettings
from d3gzsl_jax.runs.setup import Setup
from d3gzsl_jax.runs.teacher import FrozenTeacher
from d3gzsl_jax.runs.validation_plan import Plan
from d3gzsl_jax.system import processes
from d3gzsl_jax.system.signals import Signals
from d3gzsl_jax.training import build, memory
from d3gzsl_jax.training.build import Model
from d3gzsl_jax.training.sharding import Sharding
from d3gzsl_jax.training.states import Beginning


@dataclasses.dataclass(frozen=True)
class OpenRuns:
    """Runs whose folders are open and held: one, or several that differ in their seed alone.

    Attributes:
        data, model, sharding: of all of them.
        digest: of the data.
        display: where progress goes.
        runs: each with its folder; one that is finished already has its results.
        is_fold: whether they are a fold of a validation, whose figures are for choosing only.
        signals: what the command that they are part of was asked.
    """

    data: GZSLData
    model: Model
    sharding: Sharding
    digest: str
    display: Display
    runs: list[OpenRun]
    is_fold: bool
    signals: Signals

    @property
    def unfinished(self) -> list[OpenRun]:
        """Those that are to be trained."""
        return [run for run in self.runs if run.results is None]

    def results(self, trained: Sequence[dict[str, Any]]) -> list[tuple[Path, dict[str, Any]]]:
        """By run its folder and what its results.json holds; `trained`: of those that were `unfinished`, in order."""
        found = iter(trained)
        return [(run.folder.path, run.results if run.results is not None else next(found)) for run in self.runs]


@contextlib.contextmanager
def open_runs(
    data: GZSLData, starts: Sequence[Start], display: Display, is_fold: bool = False, signals: Signals | None = None
) -> Iterator[OpenRuns]:
    """Builds what the configurations ask for, refuses what cannot be trained, and opens the run folders.

    A folder that holds an interrupted run of the same configuration and data is gone on with, to the same bits as if it had never
    stopped; a finished one is left as it is, or trained on if config.train.epochs has grown.

    Raises:
        UserError: bad configuration, data or folder, or too little memory.
    """
    for start in starts:
        check.check(start.config)
        check.check_known(start.config, bool(len(data.test_seen)), bool(len(data.test_unseen)))
        if start.config.seeds:
            raise UserError(f"config.seeds={start.config.seeds!r}: several seeds are trained by studies.seeds.train_seeds")
    says = [display.say, *[None] * (len(starts) - 1)]  # it is the same for all of them
    starts = [one._replace(config=feature_settings.resolved(one.config, data, say)) for one, say in zip(starts, says, strict=True)]
    config = starts[0].config
    sharding = build.sharding_of(config)
    if config.log.tensorboard:
        log.require_tensorboard()
    if config.log.wandb:
        processes.agreed(wandb_run.require_wandb)
    model = build.build(config, data)
    feature_settings.check_suited(config, data, model.objective.framework)
    data = first_stage.named(data, model.objective.framework.takes_representations)
    if not is_fold:  # of a whole that was looked at
        processes.agreed(lambda: memory.check(config, data, len(starts), sharding.devices))
    per_epoch = model.optimization.steps_per_epoch
    of_teacher = len(data.trainval) // config.teacher.batch_size if check.has_distillation(config) else 0
    check.check_counters(config, per_epoch * build.updates_of_step(config, model.objective.framework), of_teacher)
    digest = resume.digest(data)
    with contextlib.ExitStack() as held:
        runs = [open_run(start, data.name, digest, per_epoch, display, is_fold, held) for start in starts]
        for one in () if is_fold else runs:
            processes.agreed(functools.partial(first_stage.require_earlier, one, data, model))
        yield OpenRuns(data, model, sharding, digest, display, runs, is_fold, signals or Signals())


def train_open(
    opened: OpenRuns, plans: Sequence[Plan | None] = (), overrides: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """Trains the runs that are not finished, on all of trainval; returns what the results.json of each holds.

    Args:
        opened: of `open_runs`.
        plans: what validation chose, one an unfinished run; () where it was not asked.
        overrides: which fields of the configurations were set by hand: for the record, and to tell of those that mean nothing.

    Raises:
        DivergenceError: training broke down. Terminated: SIGTERM came; there is a checkpoint, or all is finished.
    """
    unfinished, display, signals, runs = opened.unfinished, opened.display, opened.signals, []
    if not unfinished:
        return []
    display.begin_run()
    try:
        setup = None
        for opened_run, plan in zip(unfinished, plans or [None] * len(unfinished), strict=True):
            config = plan.settle(opened_run.start.config) if plan else opened_run.start.config
            setup = setup or Setup(config, opened.data, opened.model, opened.sharding, len(unfinished), overrides)
            run = _build(setup, opened_run, config, plan, opened.is_fold)
            runs.append(run)
            asked = opened_run.start.config.to_dict()
            processes.agreed(functools.partial(record_start, run, asked, opened.digest, overrides, len(unfinished)))
        folders, what = ", ".join(str(run.folder.path) for run in runs), method(runs[0].settings.recorded)
        display.say(f"{what} on {runs[0].setup.described()}; in {folders}")
        if not opened.is_fold:
            display.say(runs[0].setup.looks())
        with scope(runs[0].settings.precision), signals.listening(display.say):
            return _train(runs, signals)
    finally:
        display.stop()
        for run in runs:
            run.close()


def _build(setup: Setup, opened: OpenRun, config: ConfigDict, plan: Plan | None, is_fold: bool) -> Run:
    """A run with all of its objects. Here the configuration ends: what is called from here on has typed fields."""
    settings, final = RunSettings.of(config, asked=plan.asked if plan else None), setup.model.final_classifier
    if plan and final:  # validation chose for how many epochs it is fitted
        final = build.build_final_classifier(config, setup.model.objective, setup.data.class_count)
    start = opened.start
    listener = start.listener if is_fold else None
    run = Run(
        settings, setup, opened.folder, opened.checkpoints, opened.display, final, plan, is_fold, start.title, listener,
        start.is_within,
    )
    if plan:
        processes.agreed(lambda: put_longer_aside(run))
    return run


def _train(runs: Sequence[Run], signals: Signals) -> list[dict[str, Any]]:
    """Teacher, outer steps and results of runs that are one program; of each, what its results.json holds."""
    results: dict[Run, dict[str, Any]] = {}
    failed: list[DivergenceError] = []
    # Of several seeds, an earlier start that was killed may have saved some and not others: those that begin at the same outer step
    # go through the steps together, one group after the other. A run alone is a group of one.
    for _, (members, teachers, beginnings) in sorted(_prepared(runs, signals).items()):
        ends = _trained(members, beginnings, signals, failed)
        for run, frozen, end in zip(members, teachers, ends, strict=True):
            if end is None:
                continue
            signals.leave_if_terminated(f"all outer steps of {run.folder.path} are done and saved")
            try:
                results[run] = _conclude(run, frozen, *end)
            except DivergenceError as error:  # which must not keep the others from being concluded
                failed.append(error)
        if failed:
            raise failed[0].of("; ".join(map(str, failed)), *(seed for error in failed for seed in error.seeds))
    signals.leave_if_terminated(f"finished {', '.join(str(run.folder.path) for run in runs)}")
    return [results[run] for run in runs]


def _prepared(runs: Sequence[Run], signals: Signals) -> dict[int, tuple[list[Run], list[FrozenTeacher], list[Beginning]]]:
    """By outer step the runs that begin there, their teachers, and what they go on from."""
    found: dict[int, tuple[list[Run], list[FrozenTeacher], list[Beginning]]] = {}
    for run in runs:
        with run.blamed():
            frozen = teacher.prepare(run, signals)
            with run.display.doing("preparing"):
                beginning = begin(run, frozen, signals)
        members, teachers, beginnings = found.setdefault(beginning.step, ([], [], []))
        members.append(run)
        teachers.append(frozen)
        beginnings.append(beginning)
    return found


def _trained(
    runs: list[Run], beginnings: list[Beginning], signals: Signals, failed: list[DivergenceError]
) -> list[tuple[TrainState, int] | None]:
    """`_outer_steps` of runs; where one breaks down, which is added to `failed`, of those whose last epoch was done before."""
    group = Group(runs, beginnings)
    try:
        return [*_outer_steps(group, signals)]
    except DivergenceError as error:
        failed.append(error.with_traceback(None))  # whose frames would keep the states alive
        return group.ended()


def begin(run: Run, frozen: FrozenTeacher, signals: Signals) -> Beginning:
    """What a run goes on from, with its frozen teacher: the newest checkpoint that is whole, else fresh parameters.

    Raises:
        KeyboardInterrupt, Terminated: a signal came while a first stage was trained; the same command goes on with it.
    """
    constants = run.constants(frozen.params)
    empty = run.setup.loop.empty_tally(run.abstract_state, constants, run.setup.example_inputs())
    stage = functools.partial(_first_stage, run, frozen.encoder, signals)
    return Beginning(constants, empty, *restore_or_initialise(run, empty, stage))


def _first_stage(run: Run, embedding: Params, signals: Signals) -> Params:
    """What a run freezes of the method that is trained before its own, by this page, in a folder within the run's; {} for none.

    Args:
        run: that is to begin.
        embedding: the teacher's, where representations are made by it.
        signals: what the command was asked.

    Raises:
        KeyboardInterrupt, Terminated: it was interrupted; the same command goes on with it.
    """
    if run.model.first_stage is None:
        return {}
    if earlier := first_stage.of_earlier_run(run):
        return earlier
    with open_runs(first_stage.data_of(run, embedding), [first_stage.asked(run)], run.display, run.is_fold, signals) as opened:
        train_open(opened)
    signals.leave_after(f"so far there is a first stage in {first_stage.folder(run)}")
    return first_stage.encoder(run, embedding) | first_stage.trained(run)


def _outer_steps(group: Group, signals: Signals) -> list[tuple[TrainState, int]]:
    """Trains every run of a group to its last epoch, or all to a signal, evaluating and saving on the way.

    An outer step is training/step.py's `train_step`: critic updates, then a generator update, D3's student in each.
    training/loop.py compiles it, and does many in a call.

    Returns:
        Of each its state, and the outer steps it has done.
    """
    group.begin(signals)
    for call, batches in group.calls():
        while group.step < call.end and not signals.asked:
            group.advance(call, batches, signals)
            group.checkpoint_if_due()
        if signals.asked:
            break
        group.evaluate_if_due()
    return group.leave(signals)


def _conclude(run: Run, frozen: FrozenTeacher, state: TrainState, steps: int) -> dict[str, Any]:
    """What is due after the last outer step; returns what results.json holds.

    A start that is killed within it leaves results that say they are not concluded, and the next one does all of it again.
    """
    if run.plan and steps < run.evaluation_steps.last:
        with run.blamed():
            return finish.leave_early(run, run.plan, state, frozen.params, steps)
    figures = frozen.figures
    if frozen.params and not (run.looks_early or figures):
        figures = teacher.evaluate(run, frozen.params)
    # What there is goes to disk before the final classifier is fitted, which can fail, or run out of memory.
    run.write_results(steps, figures)
    with run.blamed():
        run.journal.finish(state, steps, run.real_rows)
    run.display.stop()
    with run.display.doing("measuring what explains the figures"):
        run.journal.explain(state, frozen.params)
    run.write_results(steps, figures)  # before plots are drawn, which may fail as well
    if processes.is_first():
        finish.leave(run, state, frozen.params)
    run.folder.need("metrics.jsonl", "model")
    run.folder.require_there()
    return run.write_results(steps, figures, concluded=True)
