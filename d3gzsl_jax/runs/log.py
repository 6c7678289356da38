"""metrics.jsonl, and the same as TensorBoard events or to Weights & Biases where asked for."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from d3gzsl_jax.runs.folder import RunFolder
from d3gzsl_jax.system.extras import require

NAME = "metrics.jsonl"


def require_tensorboard() -> None:
    """Refuses `config.log.tensorboard` where the package is not there.

    Raises:
        UserError: with what to install.
    """
    require("tensorboardX", "tensorboard", "config.log.tensorboard=True")


class Copy(Protocol):
    """Where the numbers of metrics.jsonl go besides."""

    def write(self, values: Mapping[str, float], step: int) -> None:
        """Numbers by name at an outer step."""

    def conclude(self, results: Mapping[str, Any]) -> None:
        """What results.json holds; perhaps more than once."""

    def close(self) -> None:
        """Ends it."""


class TensorBoardEvents:
    """Events in the folder 'tensorboard' of a run folder.

    Args:
        folder: of the run.
        step: the outer step that goes on: events of steps that are done over are taken back.
    """

    def __init__(self, folder: Path, step: int) -> None:
        from tensorboardX import SummaryWriter

        self._events = SummaryWriter(str(folder / "tensorboard"), purge_step=step if step else None)

    def write(self, values: Mapping[str, float], step: int) -> None:
        """Numbers by name at an outer step."""
        for name, value in values.items():
            self._events.add_scalar(name, value, step)
        self._events.flush()

    def conclude(self, results: Mapping[str, Any]) -> None:
        """Nothing: events are numbers by step."""

    def close(self) -> None:
        """Ends the events file."""
        self._events.close()


class Log:
    """The log of a run.

    Args:
        folder: the run folder.
        copies: where its numbers go besides.
        keep: which lines of an earlier start stay (they are of steps before the one that goes on).
    """

    def __init__(self, folder: RunFolder, copies: Sequence[Copy], keep: Callable[[dict[str, Any]], bool]) -> None:
        self._folder, self._copies = folder, copies
        folder.keep_lines(NAME, keep)

    def write(self, line: dict[str, Any]) -> None:
        """One evaluation."""
        self._folder.append(NAME, line)
        values = dict(_scalars({key: value for key, value in line.items() if key not in ("step", "kind")}))
        for copy in self._copies:
            copy.write(values, line["step"])

    def conclude(self, results: Mapping[str, Any]) -> None:
        """What results.json holds, as it was written; perhaps more than once."""
        for copy in self._copies:
            copy.conclude(results)

    def close(self) -> None:
        """Ends the copies."""
        for copy in self._copies:
            copy.close()


def _scalars(tree: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _scalars(value, f"{prefix}{name}/")
        elif isinstance(value, int | float):
            yield prefix + name, value
