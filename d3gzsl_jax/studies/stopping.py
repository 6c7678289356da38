"""How a command that does many runs is stopped: ctrl-C and SIGTERM leave what is saved, and the same command goes on."""

import signal
import sys
from collections.abc import Callable
from typing import Any

from d3gzsl_jax.errors import Terminated


def stoppable(name: str, run: Callable[[], int]) -> int:
    """What `run` returns, an exit code; 130 or 143, and a line that says so, where it was stopped. `name`: of the command."""

    def terminate(number: int, frame: Any) -> None:
        raise Terminated

    previous = signal.signal(signal.SIGTERM, terminate)
    try:
        return run()
    except (KeyboardInterrupt, Terminated) as stopped:
        print(f"d3gzsl {name}: stopped; the same command goes on", file=sys.stderr)
        return 143 if isinstance(stopped, Terminated) else 130
    finally:
        signal.signal(signal.SIGTERM, previous)
