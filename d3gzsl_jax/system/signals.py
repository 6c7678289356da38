"""Ctrl-C and SIGTERM ask a run to stop; it stops at the end of the call under way."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from d3gzsl_jax.errors import Terminated
from d3gzsl_jax.system import processes


class Signals:
    """What a command was asked. `interrupted`: ctrl-C, finish with what there is; `terminated`: SIGTERM, save and leave.

    There is one of a command, however many runs follow one another in it, so that what comes while one of them is concluded counts
    before the next begins.

    In a run of many processes a signal may reach one of them, or all at different moments: there it counts from the next `settle`.
    """

    def __init__(self) -> None:
        self.interrupted = self.terminated = False
        self._heard = {"interrupted": False, "terminated": False}

    @property
    def asked(self) -> bool:
        """Whether to stop."""
        return self.interrupted or self.terminated

    def leave_untrained(self) -> None:
        """Stops a run that has nothing to show yet, where that was asked.

        Raises:
            KeyboardInterrupt, Terminated: it was.
        """
        if self.interrupted:
            raise KeyboardInterrupt
        if self.terminated:
            raise Terminated("SIGTERM: nothing was trained yet; the same command starts again")

    def leave_after(self, done: str) -> None:
        """Stops between two parts of a command, where that was asked; `done`: what is finished, for the message.

        Raises:
            KeyboardInterrupt, Terminated: it was.
        """
        self.leave_if_terminated(done)
        if self.interrupted:
            raise KeyboardInterrupt(f"{done}; the same command goes on")

    def leave_if_terminated(self, done: str) -> None:
        """Stops where SIGTERM came, which is asked of all processes; `done`: what is there to go on from, for the message.

        Raises:
            Terminated: it did.
        """
        self.settle()
        if self.terminated:
            raise Terminated(f"SIGTERM: {done}; the same command goes on")

    def settle(self, number: int = 0) -> int:
        """Agrees with the other processes on what was asked so far, and on `number`: returns that of the first process."""
        if processes.alone():
            return number
        told = processes.gather([number, *self._heard.values()])
        self.interrupted, self.terminated = (bool(heard) for heard in told[:, 1:].max(axis=0))
        return int(told[0, 0])

    @contextmanager
    def listening(self, say: Callable[[str], None]) -> Iterator[None]:
        """Within it the first ctrl-C only asks, and the second stops at once; SIGTERM only asks."""

        def hear(what: str) -> None:
            self._heard[what] = True
            if processes.alone():
                setattr(self, what, True)

        def interrupt(number: int, frame: Any) -> None:
            if self.interrupted or self._heard["interrupted"]:
                raise KeyboardInterrupt
            hear("interrupted")
            say("interrupted: finishing with what there is (again to stop at once)")

        def terminate(number: int, frame: Any) -> None:
            hear("terminated")

        handlers = {signal.SIGINT: interrupt, signal.SIGTERM: terminate}
        previous: dict[signal.Signals, Any] = {}
        try:
            for number, handler in handlers.items():
                previous[number] = signal.signal(number, handler)
        except ValueError:  # not the main thread: whoever runs this there listens for himself
            pass
        try:
            yield
        finally:
            for number, before in previous.items():
                signal.signal(number, signal.SIG_DFL if before is None else before)
