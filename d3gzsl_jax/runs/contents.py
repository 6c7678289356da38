"""What a run folder holds, and by what it is known: nothing else is written over, or removed."""

import contextlib
import json
import os
import re
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs.storage import lock
from d3gzsl_jax.system import atomic, paths
from d3gzsl_jax.text import shortened

MODEL, TEACHER = "model", "teacher"
FILES = (
    "config.json", "overrides.json", "environment.json", "metrics.jsonl", "results.json", "validation.json", "diagnostics.npz",
    "report.html", lock.NAME, lock.MARKER,
)  # fmt: skip
FIRST_STAGE = "first_stage"
FOLDERS = ("checkpoints", MODEL, TEACHER, FIRST_STAGE, "plots", "validation", "trials", "tensorboard", "wandb")
_EVALUATION = re.compile(r"evaluation-\d+\.json")
_SEED = re.compile(r"seed-\d+")
OLD_PROBE = ".writable"
# What else may lie in a folder that a run is started in: logs of the shell and of job queues, and what systems leave.
_ASIDE = re.compile(r".*\.(log|out|err)|\.nfs.*|\.DS_Store|\.gitignore|\.gitkeep|lost\+found")
_OF_MODEL = re.compile(r"arrays|notes|digests|_CHECKPOINT_METADATA|commit_success\.txt|[a-z_]+\.json")
_LONGEST_JSON = 2**28


class _Names:
    """The names of a run's files and folders, for `in`."""

    def __contains__(self, name: object) -> bool:
        return str(name) in (*FILES, *FOLDERS) or bool(_EVALUATION.fullmatch(str(name)) or _SEED.fullmatch(str(name)))


NAMES = _Names()


def is_seed(folder: Path) -> bool:
    """Whether a folder is called as that of one of several seeds."""
    return _SEED.fullmatch(folder.name) is not None


def is_config(path: Path) -> bool:
    """Whether a file is the config.json of a run, or of a baseline."""
    found = _object(path)
    return {"dataset", "seed", "data"} <= found.keys() and isinstance(found["data"], dict)


def is_results(path: Path) -> bool:
    """Whether a file is the results.json of a run, of seeds, or of a baseline."""
    return {"dataset", "framework"} <= _object(path).keys()


def is_run(folder: Path) -> bool:
    """Whether `folder` holds a run, a beginning of one, or the runs of several seeds."""
    return _is_one(folder) or any(_is_one(path) for path in folder.glob("seed-*"))  # no more: a study may call a method seed-1


def _is_one(folder: Path) -> bool:
    """Whether `folder` holds one run, or a beginning of it, or what sums up several."""
    if is_config(folder / "config.json") or is_results(folder / "results.json"):
        return True
    return any(_is_one(path) for path in folder.glob("validation/fold-*"))


def is_saved(folder: Path) -> bool:
    """Whether `folder` is what `checkpoints.save_once` writes, and nothing else lies in it."""
    try:
        names = {entry.name for entry in os.scandir(folder)} if not folder.is_symlink() else set()
    except OSError:
        return False
    return {"arrays", "notes"} <= names and all(map(_OF_MODEL.fullmatch, names))


def is_model(folder: Path) -> bool:
    """Whether `folder` is a saved model."""
    return is_saved(folder) and {"format", "class_names", "scaling"} <= _object(folder / "notes" / "metadata").keys()


def no_run(folder: Path) -> str:
    """What is said of a folder without config.json."""
    if is_model(folder):
        return "is a saved model, not the run that it came from, whose folder is needed"
    return "holds no run (no config.json)"


def require_run(folder: Path) -> None:
    """Refuses a folder without config.json.

    Raises:
        UserError: naming it.
    """
    if not paths.is_there(folder / "config.json"):
        raise UserError(f"--workdir={folder}: {no_run(folder)}")


def require_model(folder: Path) -> None:
    """Refuses a folder without a saved model, for a command that takes no checkpoint in its place.

    Raises:
        UserError: naming it.
    """
    model_folder(folder, f"--workdir={folder}")


def model_folder(folder: Path, called: str = "", hint: str = "") -> Path:
    """Where the saved model of a run lies, or the one that `folder` is.

    Args:
        folder: of the run or the model.
        called: what messages call it, its path if ''.
        hint: what they say at their end.

    Raises:
        UserError: there is none.
    """
    called = called or str(folder)
    if not paths.is_there(folder):
        raise UserError(f"{called}: no such folder; name that of a run or of a saved model")
    path = folder / MODEL if paths.is_folder(folder / MODEL) else folder
    if not paths.is_folder(path / "notes"):
        raise UserError(f"{called}: holds no saved model; a run saves one at its end{hint}")
    return path


def require_apart(path: Path, option: str) -> None:
    """Refuses to write to `path` what is no part of a run where a part of a run is, or would be.

    Raises:
        UserError: it is one of a run folder's own names, within what has one, or inside a saved model. Beside the parts of a run
        is no part of it, in the folder of one of several seeds, too.
    """
    path = Path(os.path.abspath(path))
    for place in (path, path.resolve()):
        for child, folder in zip((place, *place.parents), place.parents, strict=False):
            if child != place and is_seed(child):
                continue
            if child.name in NAMES and is_run(folder):
                raise UserError(f"{option}={path}: {child.name} is the run's own in {folder}; give another place")
            if is_saved(folder):
                raise UserError(f"{option}={path}: {folder} is a saved model or teacher; give a place outside of it")


def require_no_run(folder: Path, option: str) -> None:
    """Refuses to keep other runs, as those of a study, in the folder of a run or of a saved model, however deep.

    Raises:
        UserError: naming the folder of the run.
    """
    path = Path(os.path.abspath(folder))
    for place in dict.fromkeys((path, path.resolve())):
        for above in (place, *place.parents):
            what = "run" if is_run(above) else "saved model or teacher" if is_saved(above) else ""
            if what:
                where = f"is the folder of a {what}" if above == place else f"lies in {above}, the folder of a {what}"
                raise UserError(f"{option}={folder}: {where}; give another folder")


def is_empty(path: Path) -> bool:
    """Whether nothing would be lost: a file of no length, or a folder without entries. What cannot be known is no."""
    with contextlib.suppress(PermissionError):
        return not any(path.iterdir()) if path.is_dir() else path.is_file() and not path.stat().st_size
    return False


def output(
    given: str | os.PathLike[str], option: str, is_ours: Callable[[Path], bool], what: str, inputs: Sequence[Path] = (),
) -> Path:
    """`paths.clean_output` that is no part of a run either; an empty file or folder may be replaced, whatever it was made for."""
    path = paths.clean_output(given, option, lambda path: is_empty(path) or is_ours(path), what, inputs)
    require_apart(path, option)
    return path


def require_ours(folder: Path, option: str = "--workdir") -> None:
    """Refuses to write a run into a folder that holds other things, or a run whose parts are not what they should be.

    Raises:
        UserError: naming the first of them.
    """
    entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    for entry in entries:
        if entry.name in NAMES:
            _require_plain(folder, entry, option)
    config = folder / "config.json"
    if config.exists() and not is_config(config):
        raise UserError(f"{option}={folder}: its config.json is of no run of this program, and stays; name another folder")
    for name in (MODEL, TEACHER):
        path = folder / name
        if path.is_dir() and not is_saved(path) and any(path.iterdir()):
            raise UserError(f"{option}={folder}: its {name} is no saved {name}, and stays; move it, or name another folder")
    if is_run(folder):
        return
    leftovers = {path.name for path in atomic.left_behind(folder, NAMES)} | {lock.NAME, lock.MARKER, OLD_PROBE}
    for entry in entries:
        empty = entry.is_dir() and entry.name in NAMES and not _files_below(Path(entry))
        if not (entry.name in leftovers or empty or _ASIDE.fullmatch(entry.name)):
            raise UserError(
                f"{option}={folder}: holds no run, but other things, such as {shortened(entry.name)}, which stay; name a new or an "
                "empty folder"
            )


def _require_plain(folder: Path, entry: os.DirEntry[str], option: str) -> None:
    """Refuses symbolic links, and a file for a folder, where the run has a part; a folder's own entries are looked at as well."""
    wanted = "folder" if entry.name in FOLDERS or _SEED.fullmatch(entry.name) else "file"
    kind = _kind(entry.stat(follow_symlinks=False).st_mode)
    if kind != wanted:
        raise UserError(
            f"{option}={folder}: {entry.name} is a {kind} where the run has a {wanted} of that name; move it, or name another place"
        )
    if kind == "folder":
        for below in os.scandir(entry):
            if below.is_symlink():
                raise UserError(
                    f"{option}={folder}: {entry.name}/{shortened(below.name)} is a symbolic link, which is not written through; "
                    "remove it, or name another folder"
                )


def _kind(mode: int) -> str:
    kinds = ((stat.S_ISLNK, "symbolic link"), (stat.S_ISDIR, "folder"), (stat.S_ISREG, "file"))
    return next((name for is_kind, name in kinds if is_kind(mode)), "device or pipe")


def _files_below(folder: Path) -> bool:
    """Whether there is any file but locks and what was never finished."""
    names = (name for _, _, found in os.walk(folder) for name in found)
    return any(name not in (lock.NAME, lock.MARKER) and not name.endswith(atomic.PART) for name in names)


def _object(path: Path) -> dict[str, Any]:
    """What a JSON file holds if it is an object; else {}."""
    try:
        if not path.is_file() or path.stat().st_size > _LONGEST_JSON:
            return {}
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
