"""The run folder: config.json, metrics.jsonl, results.json and the like, each whole or absent."""

import datetime
import json
import math
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.text import folder_name


class RunFolder:
    """A folder that holds one run.

    Args:
        path: the folder. Empty: a new one, runs/<dataset>-<time> under the working directory.
        dataset: names the default folder.

    Raises:
        UserError: it cannot be written.
    """

    def __init__(self, path: str, dataset: str) -> None:
        self.path = Path(path or "runs")
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            if not path:
                # Unique even among runs started within a second.
                stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
                self.path = Path(tempfile.mkdtemp(prefix=f"{folder_name(dataset)}-{stamp}-", dir=self.path))
            probe = self.path / ".writable"
            probe.write_text("x")
            probe.unlink()
        except OSError as error:
            raise UserError(f"--workdir={self.path}: cannot be written ({error.strerror}); name a folder that can") from None

    def require_space(self, needed: int) -> None:
        """Refuses a disk without `needed` bytes.

        Raises:
            UserError: with both figures.
        """
        free = shutil.disk_usage(self.path).free
        if free < needed:
            raise UserError(
                f"--workdir={self.path}: {free / 2**20:.1f} MiB are free there and the run's checkpoints need "
                f"{needed / 2**20:.1f} MiB; free space, name another folder, or lower config.checkpoint.keep"
            )

    def write(self, name: str, content: Any) -> Path:
        """Writes a JSON file atomically; NaN becomes null.

        Raises:
            UserError: it cannot be written; what was there stays.
        """
        return self._replace(name, json.dumps(plain(content), indent=2) + "\n")

    def read(self, name: str) -> Any:
        """What a JSON file holds, None without one.

        Raises:
            UserError: it is no JSON.
        """
        path = self.path / name
        try:
            return json.loads(path.read_text()) if path.is_file() else None
        except ValueError as error:
            raise UserError(f"{path}: not readable ({error}); remove it, or name another folder") from None

    def remove(self, name: str) -> None:
        """Removes a file or folder of the run, if it is there."""
        path = self.path / name
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)

    def append(self, name: str, content: dict[str, Any]) -> None:
        """Appends one JSON line.

        Raises:
            UserError: it cannot be written.
        """
        try:
            with open(self.path / name, "a") as file:
                file.write(json.dumps(plain(content)) + "\n")
        except OSError as error:
            raise self._refusal(name, error) from None

    def lines(self, name: str) -> list[dict[str, Any]]:
        """The lines of a JSON-lines file; a last one that a killed process left unfinished is skipped."""
        found, path = [], self.path / name
        for line in path.read_text().splitlines() if path.is_file() else []:
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
        return found

    def keep_lines(self, name: str, keep: Callable[[dict[str, Any]], bool]) -> None:
        """Drops the lines of a JSON-lines file that `keep` says no to."""
        if (self.path / name).is_file():
            self._replace(name, "".join(json.dumps(line) + "\n" for line in self.lines(name) if keep(line)))

    def _replace(self, name: str, text: str) -> Path:
        target, part = self.path / name, self.path / f"{name}.part"
        try:
            part.write_text(text)
            os.replace(part, target)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise self._refusal(name, error) from None
        return target

    def _refusal(self, name: str, error: OSError) -> UserError:
        return UserError(
            f"{self.path / name}: cannot be written ({error.strerror}); free space there and run the same command again: it goes "
            "on from the last checkpoint"
        )


def plain(value: Any) -> Any:
    """What JSON can hold: arrays become lists, non-finite floats None."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
