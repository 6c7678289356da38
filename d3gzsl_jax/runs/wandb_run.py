"""A run's log, configuration and results as a run of Weights & Biases, where `config.log.wandb` asks for it."""

import os
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from d3gzsl_jax.errors import UserError, reason
from d3gzsl_jax.runs.folder import RunFolder, plain
from d3gzsl_jax.system import atomic, extras, processes
from d3gzsl_jax.text import one_line

FOLDER = "wandb"
"""Of the run folder: what Weights & Biases writes, and the id that a resumed run goes on under."""
_ID = "run-id"
_PARTS = re.compile(r"seed-\d+|first_stage")  # folders within a run's, that say little by themselves
_UNSENT = ("offline", "disabled", "dryrun")


def require_wandb() -> None:
    """Refuses `config.log.wandb` where the package is not there, or nobody is logged in; only the first process sends anything.

    Raises:
        UserError: with what to do.
    """
    if not processes.is_first():
        return
    extras.require("wandb", "wandb", "config.log.wandb=True")
    if os.environ.get("WANDB_MODE", "").lower() in _UNSENT:
        return
    import wandb

    try:
        found = wandb.setup().settings.mode in _UNSENT or wandb.login(prompt=False)  # `wandb offline` is kept in a file
    except Exception as error:  # a key of the wrong form, no network
        raise UserError(f"config.log.wandb=True: {reason(error)}; wandb login, or WANDB_MODE=offline") from None
    if not found:
        raise UserError("config.log.wandb=True: nobody is logged in; wandb login, or set WANDB_MODE=offline and send it later")


class WandbRun:
    """The run as Weights & Biases has it; a start that goes on with a run has the id of the first one.

    Outer steps that are done over have the same figures: what was sent of them stays. Should its service fail, the run goes on
    without it.

    Args:
        folder: the run folder; project and run are called after data and folder (WANDB_PROJECT and WANDB_NAME call them otherwise).
        dataset: name of the data.
        title: names the run where its folder has no name of its own, in a bucket.
        config: of the run, nested.
        say: told where it is, and once if it fails.

    Raises:
        UserError: it cannot be begun.
    """

    def __init__(
        self, folder: RunFolder, dataset: str, title: str, config: Mapping[str, Any], say: Callable[[str], None]
    ) -> None:
        import wandb

        self._say, self._done = say, False
        path = folder.path.resolve()
        name = f"{path.parent.name}-{path.name}" if _PARTS.fullmatch(path.name) else path.name
        # Nothing is printed over the run's own lines, and no link is made: a run folder holds none.
        settings = wandb.Settings(silent=True, console="off", symlink=False)
        try:
            self._run: Any = wandb.init(
                project=os.environ.get("WANDB_PROJECT") or f"d3gzsl-{_project(dataset)}",
                name=os.environ.get("WANDB_NAME") or (title if folder.is_sent else name),
                dir=str(folder.path), id=_kept_id(folder), resume="allow", reinit="create_new", config=plain(dict(config)),
                settings=settings,
            )  # fmt: skip
        except UserError:
            raise
        except Exception as error:
            raise UserError(f"config.log.wandb=True: {one_line(reason(error))}; set WANDB_MODE=offline, or leave it out") from None
        if self._run.offline:
            say(f"W&B: offline; wandb sync {self._run.settings.sync_dir} sends it")
        elif self._run.url:
            say(f"W&B: {self._run.url}")

    def write(self, values: Mapping[str, float], step: int) -> None:
        """Numbers by name at an outer step."""
        self._try(lambda run: run.log(dict(values), step=step))

    def conclude(self, results: Mapping[str, Any]) -> None:
        """The figures of results.json as the summary."""
        self._done = True
        shown = {key: results.get(key) for key in ("metrics", "teacher", "epochs", "steps", "seconds", "prediction", "interrupted")}
        predictors = {name: {"metrics": of.get("metrics")} for name, of in (results.get("predictions") or {}).items()}
        summary = plain({"results": shown, "predictions": predictors, "warnings": list(results.get("warnings") or [])})
        self._try(lambda run: run.summary.update(summary))

    def close(self) -> None:
        """Ends it: as failed, where there are no results."""
        self._try(lambda run: run.finish(exit_code=0 if self._done else 1))
        self._run = None

    def _try(self, do: Callable[[Any], Any]) -> None:
        if self._run is None:
            return
        try:
            do(self._run)
        except Exception as error:  # its service must not cost the run
            self._run = None
            self._say(f"warning: nothing more is sent to W&B ({one_line(reason(error))}); the run goes on")


def _project(dataset: str) -> str:
    """What of a name the service takes in that of a project."""
    return re.sub(r"[^\w.-]+", "-", dataset)[:100].strip("-") or "data"


def _kept_id(folder: RunFolder) -> str:
    """The id of this run, made at its first start."""
    path = folder.path / FOLDER / _ID
    try:
        found = path.read_text(encoding="utf-8").strip() if path.is_file() else ""
    except (OSError, UnicodeDecodeError):
        found = " "
    if found:
        if not re.fullmatch("[0-9a-f]{12}", found):
            raise UserError(f"{path}: holds no id of a W&B run; remove it, and a new run is begun there")
        return found
    found = uuid.uuid4().hex[:12]
    path.parent.mkdir(exist_ok=True)
    atomic.write_text(path, f"{found}\n")
    return found
