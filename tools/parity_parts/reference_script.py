"""Runs a published PyTorch training script, unmodified, on a machine without CUDA and without its side packages.

Nothing of a checkout is changed or written: its script is run as it stands, in a temporary folder, and is watched from outside.
Around it: moving to CUDA does nothing, packages that are not installed and that only log or plot are stand-ins (wandb always, so
that nothing leaves the machine), and every step of an Adam is seen. This module and those built on it import torch, never JAX.
"""

import contextlib
import importlib
import io
import os
import runpy
import sys
import tempfile
import types
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from d3gzsl_jax.errors import UserError, reason

# Packages of the scripts that touch no number of training, stood in for where they are missing.
SIDE_PACKAGES = ("matplotlib", "matplotlib.pyplot", "seaborn", "turtle", "h5py")


class Enough(Exception):
    """Raised by a watcher to end the script."""


class StandIn(types.ModuleType):
    """A module any attribute of which is a function that does nothing."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *args, **kwargs: None


def import_torch() -> Any:
    """torch.

    Raises:
        UserError: it is not installed here.
    """
    try:
        import torch
    except ImportError:
        message = f"torch is not installed for {sys.executable}: pip install torch scikit-learn scipy, or name another interpreter"
        raise UserError(message) from None
    return torch


def find_script(checkout: Path, script: str, source: str) -> Path:
    """The script's path in a checkout.

    Raises:
        UserError: it is not there.
    """
    path = checkout.resolve() / script
    if not path.is_file():
        raise UserError(f"{checkout}: holds no {script}; name a checkout of {source}")
    return path


def variable(name: str) -> Any:
    """A global variable of the running script.

    Raises:
        UserError: the script has none of that name (any more).
    """
    script = vars(sys.modules["__main__"])
    if name not in script:
        raise UserError(f"the script has no variable {name!r} at this point; it is not the version this tool knows")
    return script[name]


def is_variable(value: object, name: str) -> bool:
    """Whether `value` is what the running script calls `name`."""
    return vars(sys.modules["__main__"]).get(name) is value


def stand_in(name: str, always: bool = False) -> None:
    """Puts a stand-in where a module cannot be imported."""
    if not always:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
            return
    sys.modules[name] = StandIn(name)


def watch_steps(before: Callable[[Any], None], after: Callable[[Any], None]) -> None:
    """Calls `before` and `after` with the optimiser around every step of every Adam."""
    torch = import_torch()
    plain = torch.optim.Adam.step

    def step(self: Any, *args: object, **kwargs: object) -> object:
        before(self)
        result = plain(self, *args, **kwargs)
        after(self)
        return result

    torch.optim.Adam.step = step


def run_script(
    path: Path, arguments: list[str], write_data: Callable[[Path], None], prepare: Callable[[], None],
    missing: Iterable[str] = (),
) -> None:
    """Runs a script to its end, or until a watcher raises `Enough`.

    Args:
        path: of the script; its folder is where it imports from.
        arguments: its command line.
        write_data: writes what it reads into the folder it runs in.
        prepare: called when the script's own modules can be imported and have not been: the place for watchers and options.
        missing: modules of its own that the script imports and the checkout may lack.

    Raises:
        UserError: the script failed, or a watcher did not find what it looked for; the message names the script.
    """
    torch = import_torch()
    torch.Tensor.cuda = torch.nn.Module.cuda = lambda self, *args, **kwargs: self
    sys.dont_write_bytecode = True
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        write_data(Path(folder))
        os.chdir(folder)
        sys.path.insert(0, str(path.parent))
        sys.argv = [path.name, *arguments]
        stand_in("wandb", always=True)
        for name in (*SIDE_PACKAGES, *missing):
            stand_in(name)
        try:
            with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(Enough):
                warnings.simplefilter("ignore")
                prepare()
                runpy.run_path(str(path), run_name="__main__")
        except UserError as error:
            raise UserError(f"{path}: {error}") from None
        except (Exception, SystemExit) as error:  # whatever a changed or broken script may do
            raise UserError(f"{path}: stopped with {reason(error)}") from None
        finally:
            os.chdir(before)


def set_options(options_class: type, values: dict[str, Any]) -> Callable[[], Any]:
    """A function that makes the script's options object with other values of options it has.

    Raises (when called):
        UserError: it has no such option.
    """

    def make() -> Any:
        options = options_class()
        for name, value in values.items():
            if not hasattr(options, name):
                raise UserError(f"its options have no {name!r}; it is not the version this tool knows")
            setattr(options, name, value)
        return options

    return make


def narrow(widths: dict[int, int]) -> None:
    """Gives linear layers other widths than the ones written into the script's networks: {written: wanted}."""
    torch = import_torch()
    plain = torch.nn.Linear.__init__

    def init(self: Any, in_features: int, out_features: int, *args: object, **kwargs: object) -> None:
        plain(self, widths.get(in_features, in_features), widths.get(out_features, out_features), *args, **kwargs)

    torch.nn.Linear.__init__ = init
