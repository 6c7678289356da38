"""Ctrl-C and SIGTERM ask a run to stop; it stops at the end of the call under way."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class Stop:
    """What a run was asked. `interrupted`: ctrl-C, finish with what there is; `terminated`: SIGTERM, save and leave."""

    def __init__(self) -> None:
        self.interrupted = self.terminated = False

    @property
    def asked(self) -> bool:
        """Whether to stop."""
        return self.interrupted or self.terminated

    @contextmanager
    def listening(self, say: Callable[[str], None]) -> Iterator[None]:
        """Within it the first ctrl-C only asks, and the second stops at once; SIGTERM only asks."""

        def interrupt(number: int, frame: Any) -> None:
            if self.interrupted:
                raise KeyboardInterrupt
            self.interrupted = True
            say("interrupted: finishing with what there is (again to stop at once)")

        def terminate(number: int, frame: Any) -> None:
            self.terminated = True

        handlers, previous = {signal.SIGINT: interrupt, signal.SIGTERM: terminate}, {}
        try:
            for number, handler in handlers.items():
                previous[number] = signal.signal(number, handler)
        except ValueError:  # not the main thread: whoever runs this there listens for himself
            pass
        try:
            yield
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
