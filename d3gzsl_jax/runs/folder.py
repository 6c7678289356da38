"""The run folder: config.json, metrics.jsonl, results.json and the like, each whole or absent."""

import contextlib
import datetime
import json
import math
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from d3gzsl_jax.errors import UserError, cannot_write
from d3gzsl_jax.runs import contents, json_files
from d3gzsl_jax.runs.storage import bucket, lock
from d3gzsl_jax.system import atomic, paths
from d3gzsl_jax.text import folder_name, printable

_AGAIN = "run the same command again: it goes on from the last checkpoint"


def check_place(workdir: str | Path) -> None:
    """Refuses at once a run folder that cannot be one: in a bucket that cannot be worked with here, or among the parts of another
    run or of a saved model. A run that is there already may stand where it stands.

    Args:
        workdir: as the user has it; '' for a new one under runs/.

    Raises:
        UserError: naming it.
    """
    bucket.check(workdir)
    if os.fspath(workdir) and not bucket.is_in_one(workdir):
        path = paths.clean(workdir, "--workdir")
        if not contents.is_run(path):  # a seed may join others, in their folder
            contents.require_apart(path.parent if contents.is_seed(path) else path, "--workdir")


def made(path: str | Path, dataset: str) -> tuple[Path, list[Path]]:
    """The folder of a run, made where it is not there; and what was made, the innermost folder first.

    Args:
        path: the folder. Empty: a new one, runs/<dataset>-<time> under the working directory.
        dataset: names the default folder.

    Raises:
        UserError: it cannot be made.
    """
    folder = paths.clean(path, "--workdir") if os.fspath(path) else Path("runs")
    new = paths.missing(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.fspath(path):
            # Unique even among runs started within a second.
            stamp = datetime.datetime.now().strftime("%Y%m%d-%H%M%S")
            folder = Path(tempfile.mkdtemp(prefix=f"{folder_name(dataset)}-{stamp}-", dir=folder))
            new = [folder, *new]
    except OSError as error:
        paths.remove_empty(new)
        raise cannot_write(f"--workdir={folder}", error) from None
    return folder, new


class RunFolder:
    """A folder that holds one run, or the runs of several seeds, opened to be written; one process at a time writes it, see `held`.

    Args:
        path: the folder. Empty: a new one, see `made`.
        dataset: names the default folder.

    Raises:
        UserError: it cannot be made, or holds something else.
    """

    _identity: tuple[tuple[int, int] | None, ...] | None = None
    _needed: tuple[str, ...] = ()
    _new: Sequence[Path] = ()  # folders that were not there before

    def __init__(self, path: str | Path, dataset: str) -> None:
        self.path, self._new = made(path, dataset)
        try:
            contents.require_ours(self.path)
        except UserError:
            if (self.path / lock.NAME).is_file():  # a run that is just beginning looks like nothing yet
                with lock.writing(self.path):
                    pass
            raise
        except OSError as error:
            raise cannot_write(f"--workdir={self.path}", error) from None

    @classmethod
    def reading(cls, path: str | Path) -> "RunFolder":
        """A folder opened to be read: nothing is made, locked or written by that."""
        folder = cls.__new__(cls)
        folder.path = paths.clean(path, "--workdir")
        return folder

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Within it nobody else writes the folder; what an earlier start left half-written is removed first. A run that is refused
        before anything was written leaves the place as it was: no lock, and no folder that was made for it.

        Raises:
            lock.Held: another process does. UserError: the folder cannot be written.
        """
        made = _identity(self.path)
        try:
            with lock.writing(self.path):
                for path in (*atomic.left_behind(self.path, contents.NAMES), self.path / contents.OLD_PROBE):
                    self.remove(path.name)
                self._identity = self._now()
                try:
                    yield
                finally:
                    self._identity = None
        except UserError:
            if _identity(self.path) == made:
                paths.remove_empty(self._new)
            raise

    def require_there(self) -> None:
        """Refuses to go on where the folder that is `held`, or what of it was `need`ed, is not there any more.

        Raises:
            UserError: it was removed, or replaced.
        """
        if self._identity is None:
            return
        if self._now() != self._identity:
            raise UserError(f"--workdir={self.path}: was removed, emptied or replaced while the run wrote it; the run is stopped")
        for name in self._needed:
            if not os.path.lexists(self.path / name):
                raise UserError(f"--workdir={self.path}: {name} was removed while the run went on; the run is stopped")

    def need(self, *names: str) -> None:
        """From here on the folder holds these, or `require_there` refuses."""
        self._needed = tuple(dict.fromkeys((*self._needed, *names)))

    def holds_seeds(self) -> bool:
        """Whether runs of several seeds are in it, each in a folder of its own."""
        return any(contents.is_run(path) for path in self.path.glob("seed-*"))

    @property
    def is_sent(self) -> bool:
        """Whether what is written goes to a bucket."""
        return bucket.is_sent(self.path)

    def send(self) -> None:
        """Sends what was written to where the folder is, if that is a bucket.

        Raises:
            UserError: it cannot be written there.
        """
        bucket.send(self.path)

    def _now(self) -> tuple[tuple[int, int] | None, ...]:
        """Which folder and which lock are there."""
        return tuple(map(_identity, (self.path, self.path / lock.NAME)))

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
            UserError: it is no JSON, or of another shape than `file_schemas` says.
        """
        return json_files.read(self.path / name)

    def remove(self, name: str) -> None:
        """Removes a file or folder of the run, if it is there."""
        path = self.path / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)

    def append(self, name: str, content: dict[str, Any]) -> None:
        """Appends one JSON line.

        Raises:
            UserError: it cannot be written.
        """
        self.require_there()
        try:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
            with open(os.open(self.path / name, flags, 0o666), "a", encoding="utf-8") as file:
                file.write(json.dumps(plain(content)) + "\n")
        except OSError as error:
            raise UserError(f"{cannot_write(self.path / name, error)}; then {_AGAIN}") from None

    def lines(self, name: str) -> list[dict[str, Any]]:
        """The lines of a JSON-lines file; a last one that a killed process left unfinished is skipped.

        Raises:
            UserError: another one is damaged.
        """
        return json_files.read_lines(self.path / name)

    def keep_lines(self, name: str, keep: Callable[[dict[str, Any]], bool]) -> None:
        """Drops the lines of a JSON-lines file that `keep` says no to."""
        if (self.path / name).exists():
            self._replace(name, "".join(json.dumps(line) + "\n" for line in self.lines(name) if keep(line)))

    def _replace(self, name: str, text: str) -> Path:
        self.require_there()
        try:
            atomic.write_text(self.path / name, text)
        except UserError as error:
            raise UserError(f"{error}; then {_AGAIN}") from None
        return self.path / name


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def plain(value: Any) -> Any:
    """What JSON can hold: arrays become lists, non-finite floats None, halves of surrogate pairs escapes."""
    if isinstance(value, dict):
        return {printable(str(key)): plain(item) for key, item in value.items()}
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return printable(value) if isinstance(value, str) else value
