"""Whether checkpoints can be written to a folder, found out before anything is computed."""

import contextlib
import os
import shutil
from pathlib import Path

import numpy as np

from d3gzsl_jax.errors import UserError, cannot_write
from d3gzsl_jax.runs.checkpoints import PROBE, load_once, save_once


def require_writable(folder: Path) -> None:
    """Writes a tiny checkpoint to `folder`, as those of the run are written, and reads it back; nothing of it stays.

    Raises:
        UserError: it cannot be written, or holds something else afterwards.
    """
    path, content = Path(os.path.abspath(folder)) / PROBE, np.arange(16, dtype=np.float32)
    try:
        path.parent.mkdir(exist_ok=True)
        save_once(path, {"probe": content}, {})
        found = load_once(path)[0]["probe"]
    except OSError as error:
        raise cannot_write(folder, error) from None
    finally:
        shutil.rmtree(path, ignore_errors=True)
        with contextlib.suppress(OSError):
            path.parent.rmdir()  # if there is nothing else in it
    if not np.array_equal(found, content):
        raise UserError(f"{folder}: a checkpoint written there is another when it is read back; name another place")
