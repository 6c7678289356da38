"""metrics.jsonl, and the same as TensorBoard events where asked for."""

import importlib.util
from collections.abc import Callable, Iterator
from typing import Any

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs.folder import RunFolder

NAME = "metrics.jsonl"


def require_tensorboard() -> None:
    """Refuses `config.log.tensorboard` where the package is not there.

    Raises:
        UserError: with what to install.
    """
    if importlib.util.find_spec("tensorboardX") is None:
        raise UserError("config.log.tensorboard=True needs tensorboardX: pip install tensorboardX, or the extra `tensorboard`")


class Log:
    """The log of a run.

    Args:
        folder: the run folder.
        tensorboard: also write events to its folder 'tensorboard'.
        keep: which lines of an earlier start stay (they are of steps before the one that goes on).
        step: the outer step that goes on.
    """

    def __init__(self, folder: RunFolder, tensorboard: bool, keep: Callable[[dict[str, Any]], bool], step: int) -> None:
        self._folder, self._events = folder, None
        folder.keep_lines(NAME, keep)
        if tensorboard:
            from tensorboardX import SummaryWriter

            # Events of steps that are done over are taken back.
            self._events = SummaryWriter(str(folder.path / "tensorboard"), purge_step=step if step else None)

    def write(self, line: dict[str, Any]) -> None:
        """One evaluation."""
        self._folder.append(NAME, line)
        if self._events:
            for name, value in _scalars({key: value for key, value in line.items() if key not in ("step", "kind")}):
                self._events.add_scalar(name, value, line["step"])
            self._events.flush()

    def close(self) -> None:
        """Ends the events file."""
        if self._events:
            self._events.close()


def _scalars(tree: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, float]]:
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from _scalars(value, f"{prefix}{name}/")
        elif isinstance(value, int | float):
            yield prefix + name, value
