"""The lock of a run folder in an object store: an object that can be created only where there is none.

No kernel frees it: its holder writes it anew every few seconds; one that has not been written for a while is of a process that
is gone, and is taken over, as is one of a process of this machine that has ended. It is as good as the store's promise to
create only what is not there, and best effort where a process was stopped for minutes and goes on.
"""

import contextlib
import json
import os
import secrets
import socket
import threading
import time
from typing import Any

import psutil

from d3gzsl_jax.errors import UserError, reason
from d3gzsl_jax.runs.storage.lock import Held

BEAT_SECONDS = 20.0
"""Between two times that a holder writes its lock."""
STALE_SECONDS = 180.0
"""After so long without one a holder is taken for gone."""


class BucketLock:
    """Use it as a context; `require` asks whether it is held still.

    Args:
        files: fsspec's file system.
        path: of the object.
        url: of the folder, for messages.
    """

    def __init__(self, files: Any, path: str, url: str) -> None:
        self._files, self._path, self._url = files, path, url
        self._token, self._end, self._since = secrets.token_hex(8), threading.Event(), time.strftime("%Y-%m-%dT%H:%M:%S%z")

    def __enter__(self) -> "BucketLock":
        self._refuse_if_held()
        if not self._create():
            self._refuse_if_held()
            self._write("overwrite")
            time.sleep(0.5)  # of two that take over, the one that wrote last goes on
        if not self.is_ours():
            self._refuse_if_held()
            raise Held(f"--workdir={self._url}: its run.lock cannot be made; name another folder")
        threading.Thread(target=self._beat, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        with contextlib.suppress(Exception):
            if self.is_ours():
                self._files.rm_file(self._path)

    def _refuse_if_held(self) -> None:
        """Of a store that does not keep its promise this finds what is there longer than a moment."""
        found = self._read()
        if found and not _is_gone(found):
            raise Held(
                f"--workdir={self._url}: is being written by process {found.get('process')} on {found.get('host')} since "
                f"{found.get('since')}; wait until it is done, or, if it is gone, remove {self._url}/run.lock"
            )

    def is_ours(self) -> bool:
        """Whether the object is still the one that was written here."""
        return self._read().get("token") == self._token

    def require(self) -> None:
        """Refuses to go on writing what another process has taken over, or what was removed.

        Raises:
            UserError: so it is.
        """
        if not self.is_ours():
            raise UserError(f"--workdir={self._url}: its run.lock was removed or taken over by another process; the run is stopped")

    def _content(self) -> bytes:
        found = {
            "process": os.getpid(), "host": socket.gethostname(), "since": self._since, "token": self._token, "beat": time.time(),
            "started": psutil.Process().create_time(),
        }  # fmt: skip
        return json.dumps(found).encode()

    def _write(self, mode: str) -> None:
        try:
            self._files.pipe_file(self._path, self._content(), mode=mode)
        except FileExistsError:
            raise
        except Exception as error:
            raise UserError(f"{self._url}: cannot be written ({reason(error)})") from None

    def _create(self) -> bool:
        try:
            self._write("create")
        except FileExistsError:
            return False
        except UserError:
            if self._read():  # some stores tell it so
                return False
            raise
        return True

    def _read(self) -> dict[str, Any]:
        try:
            found = json.loads(self._files.cat_file(self._path))
        except FileNotFoundError:
            return {}
        except (ValueError, RecursionError):
            return {}
        except Exception as error:
            raise UserError(f"{self._url}: cannot be read ({reason(error)})") from None
        return found if isinstance(found, dict) else {}

    def _beat(self) -> None:
        while not self._end.wait(BEAT_SECONDS):
            with contextlib.suppress(Exception):  # the store will be there again; else sending says so
                if self.is_ours() and not self._end.is_set():
                    self._write("overwrite")


def _is_gone(found: dict[str, Any]) -> bool:
    beat, process = found.get("beat"), found.get("process")
    if not isinstance(beat, int | float) or time.time() - beat > STALE_SECONDS:
        return True
    if found.get("host") != socket.gethostname() or not isinstance(process, int):
        return False
    try:
        return abs(psutil.Process(process).create_time() - found.get("started", 0.0)) > 1.0
    except psutil.Error:
        return True
