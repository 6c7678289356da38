"""Run folders in object stores, gs://bucket/run and s3://bucket/run.

A run works in a local copy of the folder, which is sent whenever there is something whole to send: at its start, after every
checkpoint and evaluation, and at its end, however that comes. So a machine that vanishes leaves in the bucket what was sent last,
and the same command goes on from there on another one. An object store renames nothing: what must be whole or absent (checkpoints,
teacher, model) has one file that is sent last, without which the rest counts as absent.
"""

import contextlib
import functools
import importlib
import logging
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from d3gzsl_jax.errors import DivergenceError, Terminated, UserError, reason
from d3gzsl_jax.runs import contents
from d3gzsl_jax.runs.display import Display
from d3gzsl_jax.runs.storage import lock
from d3gzsl_jax.runs.storage.bucket_lock import BucketLock
from d3gzsl_jax.system import atomic
from d3gzsl_jax.system.paths import BUCKETS, scheme_of
from d3gzsl_jax.text import shortened

_PACKAGES = {"gs": "gcsfs", "s3": "s3fs"}
_LAST = "_CHECKPOINT_METADATA"
"""The file of what must be whole or absent that is sent last."""
_UNFINISHED = (".orbax-checkpoint-tmp", atomic.PART)
_OPEN: dict[Path, "Bucket"] = {}
"""By local copy, what is being written in this process."""


def is_in_one(given: str | os.PathLike[str]) -> bool:
    """Whether a path is in an object store."""
    return scheme_of(given) in BUCKETS


def file_system(scheme: str, url: str) -> Any:
    """fsspec's file system of a scheme.

    Raises:
        UserError: the package it needs is not there, or it cannot be opened.
    """
    package = _PACKAGES[scheme]
    try:
        importlib.import_module(package)
    except ImportError:
        raise UserError(f"{url}: {scheme}:// needs the package {package}: pip install {package}; or give a local folder") from None
    import fsspec

    logging.getLogger(package).setLevel(logging.ERROR)  # it warns of what it does without
    try:
        return fsspec.filesystem(scheme, use_listings_cache=False, skip_instance_cache=True)
    except Exception as error:  # of the libraries below: credentials, environment
        raise UserError(f"{url}: cannot be opened ({reason(error)}); see the documentation of {package} for credentials") from None


class _Unsent(UserError):
    """What was written last could not be sent."""


class Bucket:
    """A folder of an object store and its local copy.

    Args:
        url: gs://bucket/folder or s3://bucket/folder.
        local: an empty folder.

    Raises:
        UserError: it cannot be opened or listed.
    """

    def __init__(self, given: str | os.PathLike[str], local: Path) -> None:
        scheme, self.url = _parted(given)
        self.local = local
        self._sent: dict[str, Any] = {}
        self._files, self._root = file_system(scheme, self.url), self.url.partition("://")[2]
        self.lock = BucketLock(self._files, f"{self._root}/{lock.NAME}", self.url)
        self.look()

    @staticmethod
    def shown(given: str | os.PathLike[str]) -> str:
        """The address of a folder."""
        return _parted(given)[1]

    def look(self) -> None:
        """Looks what is there now."""
        self.names = self._listed()

    def _try(self, do: Callable[[], Any], what: str = "reached") -> Any:
        try:
            return do()
        except UserError:
            raise
        except Exception as error:  # of aiohttp, botocore, google.auth and so on
            raise UserError(f"{self.url}: cannot be {what} ({reason(error)})") from None

    def _listed(self) -> dict[str, int]:
        """Sizes of all objects below the folder, by name."""
        def find() -> dict[str, Any]:
            try:
                return self._files.find(self._root, detail=True)
            except FileNotFoundError:
                return {}

        start = len(self._root) + 1
        return {name.strip("/")[start:]: of.get("size") or 0 for name, of in self._try(find).items() if name.strip("/")[start:]}

    def fetch(self, wanted: Callable[[str], bool]) -> None:
        """Copies the objects that are `wanted` by name here, but of what must be whole or absent nothing that is not whole."""
        whole = {name.rpartition("/")[0] for name in self.names if name.endswith(f"/{_LAST}") or name == _LAST}
        for name in self.names:
            if wanted(name) and not any(name.startswith(f"{folder}/") for folder in self._halves(whole)):
                target = self.local / name
                target.parent.mkdir(parents=True, exist_ok=True)
                self._try(functools.partial(self._files.get_file, f"{self._root}/{name}", str(target)), "read")
                self._sent[name] = _state(target)

    def _halves(self, whole: set[str]) -> set[str]:
        """Folders of checkpoints, teachers and models whose last file is not there."""
        folders = set()
        for name in self.names:
            parts = name.split("/")
            for place, part in enumerate(parts[:-1]):
                if part in (contents.MODEL, contents.TEACHER) or (place and parts[place - 1] == "checkpoints"):
                    folders.add("/".join(parts[: place + 1]))
                    break
        return folders - whole

    def send(self) -> None:
        """Makes the folder in the store what the local copy is now; what is half-written here is not sent.

        Raises:
            UserError: it cannot be written.
        """
        now = {name: _state(self.local / name) for name in _local_names(self.local)}
        changed = [name for name, state in now.items() if state and self._sent.get(name) != state]
        gone = [name for name in self._sent if name not in now]
        touched = {name.rpartition("/")[0] for name in changed}
        for folder in touched:  # what is replaced is not whole until its last file is there again
            if (last := f"{folder}/{_LAST}") in self._sent and last in changed:
                self._remove([last])
        for name in sorted(changed, key=_order):
            try:
                self._try(functools.partial(self._files.put_file, str(self.local / name), f"{self._root}/{name}"), "written")
            except UserError:
                if (self.local / name).exists():
                    raise
                continue  # a checkpoint that has had its time
            self._sent[name] = now[name]
        self._remove(sorted(gone, key=lambda name: not name.endswith(_LAST)))

    def _remove(self, names: list[str]) -> None:
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                self._try(functools.partial(self._files.rm_file, f"{self._root}/{name}"), "written")
            self._sent.pop(name, None)


def _parted(given: str | os.PathLike[str]) -> tuple[str, str]:
    """Scheme and address of a folder."""
    scheme, rest = scheme_of(given), os.fspath(given).partition(":")[2].strip("/")
    if "/" not in rest:
        raise UserError(f"{scheme}://{rest}: names no folder in a bucket; give one, as {scheme}://{rest or 'bucket'}/run")
    return scheme, f"{scheme}://{rest}"


def _state(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def _local_names(local: Path) -> list[str]:
    """Of the files that are to be sent."""
    names = []
    for root, folders, files in os.walk(local):
        folders[:] = [name for name in folders if not any(mark in name for mark in _UNFINISHED)]
        here = Path(root).relative_to(local)
        files = [name for name in files if name not in (lock.NAME, lock.MARKER) and not name.endswith(atomic.PART)]
        names += [(here / name).as_posix() for name in files]
    return names


def _order(name: str) -> tuple[int, str]:
    """Checkpoints, teacher and model first, their last files after them, then all else, and results.json at the very end."""
    base = name.rpartition("/")[2]
    inside = any(part in ("checkpoints", contents.TEACHER, contents.MODEL) for part in name.split("/")[:-1])
    return (4 if base == "results.json" else 1 if base == _LAST else 0 if inside else 2), name


def check(given: str | os.PathLike[str]) -> None:
    """Refuses at once a run folder in a bucket that cannot be worked with here; nothing is read.

    Raises:
        UserError: a package is missing, or no folder is named.
    """
    if is_in_one(given):
        file_system(*_parted(given))


@contextlib.contextmanager
def local(
    given: str | os.PathLike[str], display: Display | None = None, write: bool = True, checkpoints: bool = True, only: str = ""
) -> Iterator[str]:
    """The local copy of a run folder (or saved model) in a bucket; of a local folder itself.

    Args:
        given: as the user has it.
        display: says the bucket's name for the local one meanwhile.
        write: hold its lock, and send what was written at the end, however the block ends.
        checkpoints: whether they are needed.
        only: the one file name that is needed, at whatever depth; '' for all.

    Raises:
        UserError: it cannot be read or written, holds something else, or is being written by another process.
    """
    if not is_in_one(given):
        yield os.fspath(given)
        return
    copy, kept = Path(tempfile.mkdtemp(prefix="d3gzsl-jax-")), False
    try:
        with contextlib.ExitStack() as stack:
            bucket = Bucket(given, copy)
            if display is not None:
                stack.enter_context(_named(display, str(copy), bucket.url))
            if write:
                stack.enter_context(_written(bucket))
            _fetch(bucket, write, checkpoints, only)
            yield str(copy)
    except (UserError, DivergenceError, Terminated, KeyboardInterrupt) as error:
        kept = isinstance(error, _Unsent)
        text = str(error).replace(str(copy), Bucket.shown(given)) + (f"; what was not sent is kept in {copy}" if kept else "")
        raise (UserError if kept else type(error))(text) from None
    finally:
        if not kept:
            shutil.rmtree(copy, ignore_errors=True)


@contextlib.contextmanager
def _written(bucket: "Bucket") -> Iterator[None]:
    """Holds the lock, and sends what is there when the block ends by an exception, too."""
    if bucket.names and not any(name.split("/")[0] in contents.NAMES for name in bucket.names):
        first = shortened(min(bucket.names))
        raise UserError(f"--workdir={bucket.url}: holds no run, but other things, such as {first}, which stay; name another folder")
    with bucket.lock:
        bucket.look()
        _OPEN[bucket.local] = bucket
        try:
            yield
        finally:
            del _OPEN[bucket.local]
            try:
                bucket.lock.require()
                bucket.send()
            except UserError as error:
                raise _Unsent(str(error)) from None


def _fetch(bucket: "Bucket", write: bool, checkpoints: bool, only: str) -> None:
    """What is needed of a run, of a saved model, or of a folder of runs."""
    names = bucket.names
    is_run = write or "config.json" in names or any(name.startswith(f"{contents.MODEL}/") for name in names)

    def wanted(name: str) -> bool:
        top, base = name.partition("/")[0], name.rpartition("/")[2]
        if only:
            return base == only
        return base != lock.NAME and (not is_run or (top in contents.NAMES and (checkpoints or top != "checkpoints")))

    bucket.fetch(wanted)
    if not write and not any(bucket.local.iterdir()):
        raise UserError(f"{bucket.url}: holds no run and no saved model")


def send(folder: Path) -> None:
    """Sends what was written in a local copy of a folder in a bucket, or in a folder of it; elsewhere nothing happens.

    Raises:
        UserError: it cannot be written, or is not this process's to write any more.
    """
    if (bucket := _of(folder)) is not None:
        bucket.lock.require()
        bucket.send()


def is_sent(folder: Path) -> bool:
    """Whether what is written in `folder` goes to a bucket."""
    return _of(folder) is not None


def _of(folder: Path) -> Bucket | None:
    return next((bucket for copy, bucket in _OPEN.items() if folder == copy or copy in folder.parents), None)


@contextlib.contextmanager
def _named(display: Display, here: str, url: str) -> Iterator[None]:
    """Within it what is said of the local copy is said of the bucket."""
    say = display.say
    display.say = lambda text: say(text.replace(here, url))  # type: ignore[method-assign] # of this object, for a while
    try:
        yield
    finally:
        del display.say
