"""What a process other than the first has in place of a run folder: nothing is read there, and nothing written."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from d3gzsl_jax.runs.checkpoints import Checkpoints
from d3gzsl_jax.runs.folder import RunFolder


class NoFolder(RunFolder):
    """A run folder that holds nothing and takes nothing."""

    def __init__(self) -> None:
        self.path = Path(os.devnull)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Nobody writes it."""
        yield

    def require_space(self, needed: int) -> None:
        """There is enough."""

    def holds_seeds(self) -> bool:
        """No."""
        return False

    def send(self) -> None:
        """There is nothing."""

    def read(self, name: str) -> Any:
        """None: there is no such file."""
        return None

    def remove(self, name: str) -> None:
        """There is nothing."""

    def append(self, name: str, content: dict[str, Any]) -> None:
        """Not written."""

    def lines(self, name: str) -> list[dict[str, Any]]:
        """None."""
        return []

    def keep_lines(self, name: str, keep: Callable[[dict[str, Any]], bool]) -> None:
        """There are none."""

    def _replace(self, name: str, text: str) -> Path:
        return self.path


class NoCheckpoints(Checkpoints):
    """Checkpoints that are another process's business."""

    def __init__(self) -> None:
        pass

    @property
    def steps(self) -> list[int]:
        """None that this process knows of."""
        return []

    def due(self) -> bool:
        """Never."""
        return False

    def better(self, metrics: dict[str, float]) -> bool:
        """Nothing is kept."""
        return False

    def save(self, step: int, training: Any, history: dict[str, Any], metrics: dict[str, float] | None, wait: bool = False) -> bool:
        """Not saved, and nothing failed."""
        return True

    def newest(self) -> Path | None:
        """None that this process knows of."""
        return None

    def restore_newest(self, abstract: Any) -> None:
        """None that this process knows of."""
        return None

    def close(self) -> None:
        """Nothing is being written."""
