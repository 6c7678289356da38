"""Where the tests, and the processes they start, keep compiled programs. JAX is not imported here."""

import atexit
import os
import shutil
import tempfile

from d3gzsl_jax.system import compiled_folder


def folder() -> str:
    """What the environment says; else a folder of this machine and user; where the user has none, one of these tests alone."""
    if "JAX_COMPILATION_CACHE_DIR" in os.environ:
        return os.environ["JAX_COMPILATION_CACHE_DIR"]
    try:
        return str(compiled_folder.prepared("compiled-by-tests"))
    except OSError:
        alone = tempfile.mkdtemp(prefix="d3gzsl-jax-tests-")
        atexit.register(shutil.rmtree, alone, ignore_errors=True)
        return alone
