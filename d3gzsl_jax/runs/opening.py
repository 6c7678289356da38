"""Opening a run folder to train in: refused where it holds another run, held while it is written, or found finished already."""

import contextlib
import json
import time
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from d3gzsl_jax.config import saved_config
from d3gzsl_jax.config.load import flat
from d3gzsl_jax.data import batches
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs import resume
from d3gzsl_jax.runs.checkpoints import Checkpoints
from d3gzsl_jax.runs.contents import FIRST_STAGE, TEACHER
from d3gzsl_jax.runs.display import Display
from d3gzsl_jax.runs.environment import environment, revision
from d3gzsl_jax.runs.folder import RunFolder
from d3gzsl_jax.runs.other_processes import NoCheckpoints, NoFolder
from d3gzsl_jax.runs.run import Run
from d3gzsl_jax.runs.storage.probe import require_writable
from d3gzsl_jax.system import processes


class Start(NamedTuple):
    """How a run is started.

    Attributes:
        config, workdir: its configuration and its folder.
        title: what begins every line on it, '' where it is alone.
        listener: called with fold and epoch after each evaluation of a whole epoch of a fold of a validation; what it raises
            ends the run. None for none.
        is_within: whether it is trained within another run, which says what there is to say of the data.
    """

    config: ConfigDict
    workdir: str = ""
    title: str = ""
    listener: Callable[..., None] | None = None
    is_within: bool = False


class OpenRun(NamedTuple):
    """An open run folder, its checkpoints, its own lines of the display; and the results of a run that is finished already."""

    start: Start
    display: Display
    folder: RunFolder
    checkpoints: Checkpoints
    results: dict[str, Any] | None


def open_run(
    start: Start, name: str, digest: str, per_epoch: int, display: Display, is_fold: bool, held: contextlib.ExitStack
) -> OpenRun:
    """Opens the run folder and adds it to what is `held`.

    Args:
        start: of the run.
        name, digest: of its data.
        per_epoch: outer steps of an epoch.
        display: where progress goes.
        is_fold: whether it is a fold of a validation, which lies in the folder of its run.
        held: what is let go when the run is over.

    Raises:
        UserError: it holds another run, no checkpoint can be written, or the processes of the run differ.
    """
    config, display = start.config, display.titled(start.title)
    if config.train.resume == "must" and not start.workdir:
        raise UserError("config.train.resume=must: name the folder of the run to go on with, --workdir=RUN")
    resolved = config.to_dict()
    _require_alike(resolved, digest)

    def opened() -> tuple[RunFolder, Checkpoints, dict[str, Any] | None]:
        if not processes.is_first():
            return NoFolder(), NoCheckpoints(), None
        folder, of = RunFolder(start.workdir, name), config.checkpoint
        held.enter_context(folder.held())
        if folder.holds_seeds():
            raise UserError(f"--workdir={folder.path}: holds the runs of several seeds; name one of its folders, or another one")
        checkpoints = Checkpoints(folder.path / "checkpoints", of.keep, of.best, of.every_minutes, display.say)
        resume.check(folder, resolved, digest, bool(checkpoints.steps))
        resume.check_epochs(folder, max(checkpoints.steps, default=0), config.train.epochs * per_epoch, per_epoch)
        if (results := resume.finished(folder, resolved)) is not None:
            return folder, checkpoints, results
        if not is_fold:
            require_writable(checkpoints.folder)
        return folder, checkpoints, None

    folder, checkpoints, results = processes.agreed(opened)
    results = processes.told_by_first(results)
    if results is not None:
        lengths = "--config.train.epochs" + (" and --config.train.outer_steps" if config.train.outer_steps else "")
        display.say(f"{folder.path}: finished already, {results['epochs']} epochs; raise {lengths} to train on")
    return OpenRun(start, display, folder, checkpoints, results)


def put_longer_aside(run: Run) -> None:
    """Puts the checkpoints of a run aside that has come further than validation chooses now, on longer folds or others: it is
    trained anew, as the run that was asked for so at once."""
    done, chosen = max(run.checkpoints.steps, default=0), run.evaluation_steps.last
    if done <= chosen:
        return
    if (results := run.folder.read("results.json")) is not None:
        run.folder.write("results.json", results | {"concluded": False})  # else the next start would ask for their checkpoint
    names = run.checkpoints.put_aside()
    run.display.say(
        f"warning: validation chooses {chosen / run.per_epoch:g} epochs, and the run in {run.folder.path} has done "
        f"{done / run.per_epoch:g}: it is trained anew; its checkpoints are put aside as {', '.join(names)}"
    )


def record_start(
    run: Run, config: Mapping[str, Any], digest: str, overrides: Mapping[str, Any] | None, runs: int
) -> None:
    """Writes what is known before training, where there is room for the checkpoints of so many `runs` like it.

    Args:
        run: its folder is open.
        config: as it was asked for, resolved and nested.
        digest: of the data.
        overrides: which fields were set by hand.
        runs: how many runs like it share the disk.
    """
    folder, reached = run.folder, max(run.checkpoints.steps, default=0)
    folder.require_space(runs * run.bytes_of_checkpoint * run.settings.kept)
    if not run.checkpoints.steps and resume.why_another(folder, config, digest):
        for name in (TEACHER, FIRST_STAGE):  # of a start that got no further, with other settings
            folder.remove(name)
    folder.write("config.json", saved_config.content(config))
    folder.write("overrides.json", dict(overrides or {}))
    here = {"time": time.strftime("%Y-%m-%dT%H:%M:%S%z"), **environment(), "git": revision(), "from_step": reached}
    here["devices"] = run.sharding.devices
    earlier = ((folder.read("environment.json") or {}).get("starts") or []) if reached else []
    folder.write("environment.json", {"data": {"name": run.data.name, "sha256": digest}, "starts": [*earlier, here]})
    folder.need("config.json", "overrides.json", "environment.json")
    folder.send()
    for field, what in (("versions", "other versions of the libraries"), ("devices", "another number of devices")):
        if earlier and earlier[-1].get(field, here[field]) != here[field]:
            run.display.say(f"warning: {what} than at the start before (environment.json): last digits may differ")


def _require_alike(config: Mapping[str, Any], digest: str) -> None:
    """Refuses processes that would not train the same: on other data, or as another configuration says."""
    if processes.alone():
        return
    processes.require_equal(digest, "data")
    places = ("data.root", "data.manual_dir")  # each machine has its own
    processes.require_equal(json.dumps([entry for entry in sorted(flat(config)) if entry[0] not in places]), "a configuration")
    processes.require_equal(batches.resolve_mode(config["data"]["pipeline"]), "an input pipeline (config.data.pipeline=auto)")
