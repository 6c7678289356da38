"""Jobs submitted to a cluster by submitit, in place of a `Pool`: Slurm's queue, or processes of this machine."""

import contextlib
import difflib
import importlib
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from d3gzsl_jax.errors import Terminated, UserError, reason
from d3gzsl_jax.studies.worker_pool import Failed, attempt
from d3gzsl_jax.system import paths
from d3gzsl_jax.system.options import require_same
from d3gzsl_jax.text import cut, one_line

KINDS = ("slurm", "local")
"""What submitit can submit to."""

_WHOLE, _NUMBER = "a whole number", "a number"
_SHARED = {  # by submitit, of every kind
    "name": "a text", "timeout_min": _WHOLE, "mem_gb": _NUMBER, "cpus_per_task": _WHOLE, "gpus_per_node": _WHOLE,
    "stderr_to_stdout": "True or False",
}  # fmt: skip
_TYPES: Mapping[str, tuple[type, ...]] = {"a text": (str,), _WHOLE: (int,), _NUMBER: (int, float), "True or False": (bool,)}
_ONE_PROCESS = ("nodes", "tasks_per_node")
_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "slurm": {"timeout_min": 240, "name": "d3gzsl"},
    "local": {"timeout_min": 7 * 24 * 60, "name": "d3gzsl"},
}
_TIMEOUTS = 100  # so often a job that has run out of its time is queued again: it goes on from its run's newest checkpoint
_POLL_SECONDS = 0.5
_GRACE_SECONDS, _AGAIN_SECONDS = 120.0, 10.0  # for processes of this machine to save, as in a `Pool`; between two signals


def parameters_of(text: str) -> dict[str, Any]:
    """'KEY=VALUE,KEY=VALUE' as a dict: numbers where submitit wants some, True and False as such, and texts as they are, which an
    account called 0012 or a quality of service called 1e3 must stay.

    Raises:
        UserError: it is no such thing, has a key with two values, or asks for several processes a job.
    """
    found: dict[str, Any] = {}
    given: dict[str, tuple[str, str]] = {}
    for part in filter(None, text.split(",")):
        key, equals, value = part.partition("=")
        if not (key and equals and value):
            raise UserError(f"--executor-parameters: {part} must be KEY=VALUE, as in partition=gpu,timeout_min=120")
        name = _bare(key)
        if name in _ONE_PROCESS:
            raise UserError(f"--executor-parameters: {part}: a job here is one process; leave it out")
        before, value_before = given.setdefault(name, (key, value))
        require_same(f"--executor-parameters: {before}", value_before, key, value)
        found.setdefault(before, _value(name, value))
    return found


def _bare(key: str) -> str:
    """A parameter without what says which cluster it is of."""
    for kind in KINDS:
        key = key.removeprefix(f"{kind}_")
    return key


def _value(name: str, text: str) -> Any:
    if text in ("True", "False"):
        return text == "True"
    for kind in {_WHOLE: (int,), _NUMBER: (int, float)}.get(_SHARED.get(name, ""), ()):
        with contextlib.suppress(ValueError):
            return kind(text)
    return text


class Cluster:
    """Jobs that submitit submits; a context manager.

    A job that has run out of its time is queued again by submitit, and its run goes on from its newest checkpoint. One that is sent
    SIGTERM, as by Slurm before it preempts it, saves a checkpoint and ends without a result: where Slurm queues it again it goes
    on, and is waited for. Left by an exception, ctrl-C among them, it cancels all that are not done: those that run save first.

    Args:
        work: called with a job, elsewhere; both must pickle.
        kind: one of `KINDS`.
        parameters: for submitit; those of Slurm's own need no prefix.
        folder: of submitit's files: what is sent, what comes back, and what jobs print. All machines must see it.
        most: how many are submitted at a time; 0 for all.

    Raises:
        UserError: there is no such cluster here, or it has no such parameter.
    """

    def __init__(self, work: Callable[[Any], Any], kind: str, parameters: Mapping[str, Any], folder: Path, most: int = 0) -> None:
        require(kind, parameters)
        self._task, self._kind, self._folder, self._most = _Task(work, kind == "local"), kind, folder, most
        self._new = paths.missing(folder)
        self._executor = _executor(kind, parameters, folder)
        self._submitted: dict[Any, Any] = {}  # submitit's job -> ours

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, kind: type | None, *raised: object) -> None:
        if kind is not None and self._submitted:
            self._cancel()

    def finished(self, jobs: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        """Each job with its value or `Failed`, as they are done; they are submitted in order, and each is asked for when there is
        room for it."""
        waiting, exhausted, told = iter(jobs), False, False
        while True:
            while not exhausted and not (self._most and len(self._submitted) >= self._most):
                try:
                    job = next(waiting)
                except StopIteration:
                    exhausted = True
                else:
                    self._submitted[self._submit(job)] = job
            if not self._submitted:
                return
            if not told:
                told = True
                print(self._where(), flush=True)
            done = [one for one in self._submitted if one.done()]
            for one in done:
                yield self._submitted.pop(one), _outcome(one)
            if not done:
                time.sleep(_POLL_SECONDS)

    def _submit(self, job: Any) -> Any:
        # What is started here takes no ctrl-C from the terminal: it is cancelled, and saves.
        previous = signal.signal(signal.SIGINT, signal.SIG_IGN) if self._kind == "local" else None
        before = set(self._folder.glob("*"))
        try:
            return self._executor.submit(self._task, job)
        except Exception as error:  # sbatch refuses for many reasons
            for path in set(self._folder.glob("*")) - before:  # what was to be sent
                path.unlink(missing_ok=True)
            paths.remove_empty(self._new)
            raise UserError(f"--executor={self._kind}: could not submit a job ({reason(error)})") from None
        finally:
            if previous is not None:
                signal.signal(signal.SIGINT, previous)

    def _where(self) -> str:
        ids = [one.job_id for one in self._submitted]
        named = ids[0] if len(ids) == 1 else f"{ids[0]} ... {ids[-1]}"
        see = "squeue --me lists them, scancel ID cancels one" if self._kind == "slurm" else "as processes of this machine"
        return f"submitted {len(ids)} jobs ({named}): {see}; what they print is in {self._folder}"

    def _cancel(self) -> None:
        left = [one for one in self._submitted if not one.done()]
        ids = " ".join(one.job_id for one in left)
        print(f"cancelling {len(left)} jobs: {ids}", file=sys.stderr)
        if self._kind != "local":
            for one in left:
                with contextlib.suppress(OSError):
                    one.cancel(check=False)
            return
        deadline = time.monotonic() + _GRACE_SECONDS
        while left and time.monotonic() < deadline:
            for one in left:  # submitit's own way gives them a second; one that is only starting may miss the first signal
                with contextlib.suppress(OSError):
                    os.kill(int(one.job_id), signal.SIGTERM)
            until = time.monotonic() + _AGAIN_SECONDS
            while left and time.monotonic() < until:
                time.sleep(0.1)
                left = [one for one in left if not one.done()]


def require(kind: str, parameters: Mapping[str, Any]) -> None:
    """Refuses a cluster that is not here, or has no such parameters, before anything is made; see `Cluster`.

    Raises:
        UserError: naming the parameter.
    """
    with tempfile.TemporaryDirectory() as elsewhere:  # submitit makes its folder before it looks at them
        _executor(kind, parameters, Path(elsewhere))


def _executor(kind: str, parameters: Mapping[str, Any], folder: Path) -> Any:
    """submitit's own, with its files in `folder`."""
    given = {key if key in _SHARED or key.startswith(f"{kind}_") else f"{kind}_{key}": parameters[key] for key in parameters}
    further = {"slurm_max_num_timeout": _TIMEOUTS} if kind == "slurm" else {}
    submitit, found = _submitit(), None
    try:
        found = submitit.AutoExecutor(folder, cluster=kind, **further)
        found.update_parameters(**{**_DEFAULTS[kind], **given})
    except Exception as error:  # of many kinds, AssertionError among them
        chosen = getattr(found, "_executor", None)  # not there, where there is no such cluster
        told = _refused(kind, parameters, chosen._valid_parameters()) if chosen else ""
        raise UserError(told or f"--executor={kind}: cannot be used here ({cut(one_line(error), 300)})") from None
    return found


def _refused(kind: str, parameters: Mapping[str, Any], valid: Iterable[str]) -> str:
    """What is wrong with the parameters, '' where nothing is seen to be; `valid`: those that are of this kind alone."""
    known = sorted({*_SHARED, *valid} - {*_ONE_PROCESS})
    for key, value in parameters.items():
        name, given = _bare(key), f"--executor-parameters: {cut(f'{key}={value}')}"
        if name not in known:
            near = difflib.get_close_matches(name[:100], known, n=1, cutoff=0.75)
            guess = f"did you mean {near[0]}? There are" if near else "there are"
            return f"{given}: --executor={kind} has no such parameter; {guess} {', '.join(known)}"
        if (wanted := _SHARED.get(name)) and not isinstance(value, _TYPES[wanted]):
            return f"{given}: must be {wanted}"
    return ""


def _submitit() -> Any:
    """The library, which would set up the logging of the whole process as it is imported, and close what others log to."""
    name, quiet = "SUBMITIT_LOG_LEVEL", "NOCONFIG"
    before = os.environ.get(name)
    os.environ[name] = before or quiet
    try:
        return importlib.import_module("submitit")
    finally:
        if before is None:
            del os.environ[name]


def _outcome(job: Any) -> Any:
    """What a job that is done returned, or how it failed."""
    try:
        return job.result()
    except Exception:  # what submitit says of it is many lines
        return Failed("", f"it ended without a result (state {str(job.state).lower()}); {job.paths.stderr} says more")


class _Task:
    """What is submitted: does a job, and says how it goes on where it was queued again.

    Args:
        work: called with the job.
        is_here: whether it is a process of the machine that submitted it.
    """

    def __init__(self, work: Callable[[Any], Any], is_here: bool) -> None:
        self._work, self._is_here = work, is_here

    def __call__(self, job: Any) -> Any:
        """The job's value, or `Failed`.

        Raises:
            SystemExit: SIGTERM ended it, and what it had is saved. It leaves no result behind, which would be taken for its end
            while Slurm has queued it again.
        """

        def terminate(number: int, frame: Any) -> None:
            raise Terminated

        signal.signal(signal.SIGTERM, terminate)  # submitit passes it over
        if self._is_here:
            os.setpgid(0, 0)  # a run listens to ctrl-C itself, and the terminal would send it here too
        try:
            return attempt(self._work, job)
        except Terminated:
            raise SystemExit(128 + signal.SIGTERM) from None
        except KeyboardInterrupt as error:
            return Failed(type(error).__name__, "stopped")

    def checkpoint(self, job: Any) -> Any:
        """The same once more, by which submitit queues it again: the run folder is its checkpoint."""
        return _submitit().helpers.DelayedSubmission(self, job)
