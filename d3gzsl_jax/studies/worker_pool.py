"""Jobs handed out to processes, each pinned to cores of its own; they end with the process that started them, and never before they
have saved what they have."""

import contextlib
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from typing import Any, NamedTuple

from d3gzsl_jax.errors import Terminated, reason
from d3gzsl_jax.system import accelerators

# How long workers have to save before they are ended: a call of the compiled loop, or a compilation, and a checkpoint.
_GRACE_SECONDS = 120.0
_NONE = object()  # in the place of a job: there is no further one


class Failed(NamedTuple):
    """In place of a job's value: the exception's type, '' where the process ended without one, and what it says, in one line."""

    kind: str
    message: str


def cores() -> list[int]:
    """The cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def default_workers() -> int:
    """One a core; one in all where there is an accelerator, which processes would fight for."""
    return len(cores()) if accelerators.platform() == "cpu" else 1


def shares(available: Sequence[int], workers: int) -> list[list[int]]:
    """The cores of each worker: neighbours, as many for each, since the last digits of a job can depend on their number; the rest
    are left idle. With more workers than cores, one each, in turn."""
    size = max(len(available) // workers, 1)
    return [[available[(index * size + place) % len(available)] for place in range(size)] for index in range(workers)]


def attempt(work: Callable[[Any], Any], job: Any) -> Any:
    """What `work` returns for the job, or how it failed; ctrl-C and SIGTERM pass."""
    try:
        return work(job)
    except (KeyboardInterrupt, Terminated):
        raise
    except Exception as error:  # one job's failure, whatever it is, must not cost the others
        known = type(error).__module__.startswith("d3gzsl_jax.")
        return Failed(type(error).__name__, str(error) if known else reason(error))


class Here:
    """Jobs done one after the other in this process, in place of a `Pool`; how they stop is up to them."""

    def __init__(self, work: Callable[[Any], Any]) -> None:
        self._work = work

    def __enter__(self) -> "Here":
        return self

    def __exit__(self, *raised: object) -> None:
        return None

    def finished(self, jobs: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        """Each job with its value or `Failed`; the next is asked for when what became of the one before has been taken."""
        for job in jobs:
            yield job, attempt(self._work, job)


class Pool:
    """Processes that do jobs, each one job at a time; a context manager.

    Left by an exception, ctrl-C among them, it sends every process SIGTERM and waits until they have saved; another ctrl-C ends
    them at once. They take no ctrl-C from the terminal, and when the process that started them dies they get SIGTERM too.

    Args:
        work: called with a job, in a process of its own; both must pickle.
        workers: how many processes share the cores, >= 1.
        processes: how many of them there are, where there is not enough to do for all; None for all. Each has its share of the
            cores, no larger for those that are missing.
    """

    def __init__(self, work: Callable[[Any], Any], workers: int, processes: int | None = None) -> None:
        self._work, self._context = work, multiprocessing.get_context("spawn")
        if workers > 1 and (platform := accelerators.platform()) != "cpu":
            os.environ.setdefault("XLA_PYTHON_CLIENT_MEM_FRACTION", f"{0.9 / workers:.3f}")  # each would take most of its memory
            if platform in accelerators.GPUS:
                os.environ["XLA_FLAGS"] = accelerators.with_flags(os.environ.get("XLA_FLAGS", ""), accelerators.UNTUNED)
        self._workers = [_Worker(self._context, work, share) for share in shares(cores(), workers)[:processes]]

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, kind: type | None, *raised: object) -> None:
        for worker in self._workers:
            worker.leave(at_once=kind is not None)
        deadline = time.monotonic() + _GRACE_SECONDS
        try:
            for worker in self._workers:
                worker.process.join(max(deadline - time.monotonic(), 0.0))
        finally:
            for worker in self._workers:
                worker.process.kill()

    def finished(self, jobs: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
        """Each job with its value or `Failed`, as they are done; they are begun in order, and each is asked for when a process is
        free for it."""
        waiting = iter(jobs)
        while True:
            for worker in self._workers:
                if not worker.busy and (job := next(waiting, _NONE)) is not _NONE:
                    worker.give(job)
            busy = {worker.connection: worker for worker in self._workers if worker.busy}
            if not busy:
                return
            for ready in wait(list(busy)):
                worker = busy[ready]
                job, value, alive = worker.take()
                if not alive:
                    self._workers[self._workers.index(worker)] = _Worker(self._context, self._work, worker.cores)
                yield job, value


class _Worker:
    """A process, and the job it has."""

    def __init__(self, context: Any, work: Callable[[Any], Any], share: list[int]) -> None:
        self.cores, self.busy, self._job = share, False, None
        self.connection, other = context.Pipe()
        self.process = context.Process(target=_serve, args=(other, work), daemon=True)
        pins = hasattr(os, "sched_setaffinity")
        mine = os.sched_getaffinity(0) if pins else None
        # The process begins on its cores and without ctrl-C, as this one is at that moment: every thread pool it makes, in whatever
        # library, has as many threads as it has cores.
        previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            if pins:
                os.sched_setaffinity(0, share)
            self.process.start()
        finally:
            if mine is not None:
                os.sched_setaffinity(0, mine)
            signal.signal(signal.SIGINT, previous)
        other.close()

    def give(self, job: Any) -> None:
        """Hands it a job. One that is dead already loses it, which `take` tells."""
        self._job, self.busy = job, True
        with contextlib.suppress(OSError):
            self.connection.send(job)

    def take(self) -> tuple[Any, Any, bool]:
        """The job, its value or `Failed`, and whether the process is still there."""
        job, self._job, self.busy = self._job, None, False
        try:
            return job, self.connection.recv(), True
        except (EOFError, OSError):
            self.process.join()
            code = self.process.exitcode
            why = "killed: out of memory?" if code == -signal.SIGKILL else f"signal {-code}" if code < 0 else f"exit code {code}"
            return job, Failed("", f"its process ended by itself ({why})"), False

    def leave(self, at_once: bool) -> None:
        """Asks it to end: when its job is done, or as soon as it has saved."""
        if at_once:
            self.process.terminate()
        self.connection.close()


def _serve(connection: Connection, work: Callable[[Any], Any]) -> None:
    """The life of a worker: jobs until the other end is closed."""
    os.setpgid(0, 0)  # a run listens to ctrl-C itself, and the terminal would send it here too
    if parent := multiprocessing.parent_process():
        threading.Thread(target=_follow, args=(parent.sentinel,), daemon=True).start()
    while True:
        try:
            job = connection.recv()
        except (EOFError, OSError):
            return
        try:
            value = attempt(work, job)
        except (KeyboardInterrupt, Terminated) as error:
            value = Failed(type(error).__name__, "stopped")
        try:
            connection.send(value)
        except OSError:
            return


def _follow(parent: int) -> None:
    wait([parent])
    os.kill(os.getpid(), signal.SIGTERM)
