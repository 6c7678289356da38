"""What to say of a file or folder that is not there: what is there in its place."""

import errno
import os
import re
import stat
from collections.abc import Iterable, Sequence
from pathlib import Path

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.system import paths
from d3gzsl_jax.text import cut, listed, nearest_file, shortened

URL = "https://datasets.d2.mpi-inf.mpg.de/xian/xlsa17.zip"
BESIDE = "they circulate with the code of CE-GZSL (Hanzy1996/CE-GZSL on GitHub) and f-CLSWGAN"
"""Where what the archive does not hold is found."""
ARCHIVE_SIZE = "about 879 MB"
HDF5 = (".h5", ".hdf5")
ONE_FILE = (".npz", *HDF5)  # suffixes of a benchmark in one file
_MOST_ENTRIES = 1000  # of a folder that are looked at
_DEPTH = 3  # folders below folders


def state(path: Path) -> str:
    """'' of a readable file, 'folder' of a readable folder; else what is wrong with it, as 'no such file'."""
    try:
        kind = os.stat(path).st_mode
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR):
            return _absent(path)
        return error.strerror or "cannot be read"
    except ValueError:  # a zero byte
        return "no path at all"
    if stat.S_ISDIR(kind):
        return "folder" if os.access(path, os.R_OK | os.X_OK) else "a folder without permission to read it"
    if not stat.S_ISREG(kind):
        return "not a file"
    return "" if os.access(path, os.R_OK) else "no permission to read it"


def shown(path: str | Path) -> str:
    """A path for a message: on one line, and of bounded length."""
    return cut(str(path), 600)


def _absent(path: Path) -> str:
    if path.is_symlink():
        return f"a link to {shown(os.readlink(path))}, which is not there"
    for parent in path.parents:
        if parent.is_symlink() and not parent.exists():
            return f"no such file: {shown(parent)} is a link to {shown(os.readlink(parent))}, which is not there"
        if parent.is_file():
            return f"no such file: {shown(parent)} is a file, no folder"
    return "no such file"


def entries(folder: Path) -> list[Path]:
    """What is in a folder, by name, up to a bound; [] where it cannot be read."""
    try:
        with os.scandir(folder) as found:
            return sorted(Path(entry.path) for entry, _ in zip(found, range(_MOST_ENTRIES), strict=False))
    except (OSError, ValueError):
        return []


def nearby(path: Path, suffixes: Sequence[str] = ()) -> str:
    """'; did you mean FILE?' where the folder of a missing file has one of nearly that name, and one of `suffixes`; else ''."""
    there = {entry.name: entry for entry in entries(path.parent) if not suffixes or entry.suffix.lower() in suffixes}
    near = nearest_file(path.name, list(there))
    return f"; did you mean {shown(there[near])}?" if near else ""


def one_file(given: str) -> Path:
    """The path that `config.data.root` names for `source=npz`.

    Raises:
        UserError: it is not set, or no path.
    """
    if not given.strip():
        raise UserError(
            "--config.data.root is missing: it is the .npz that d3gzsl embed wrote, as --config.data.root=birds.npz, or another "
            "benchmark in one file (docs/using.md)"
        )
    return paths.clean(given, "--config.data.root")


def missing_file(path: Path) -> str:
    """What is wrong with the one file that `config.data.root` names for `source=npz`, in one line; '' if it is one."""
    found = state(path)
    given, root = shown(path), "--config.data.root"
    if found == "folder":
        inside = [entry for entry in entries(path) if entry.suffix.lower() in ONE_FILE]
        mat = [entry for entry in entries(path) if entry.suffix.lower() == ".mat"]
        if inside:
            return f"{root}={given}: is a folder; source=npz needs the file, as {root}={shown(inside[0])}"
        if mat:
            held = listed(entry.name for entry in mat)
            return f"{root}={given}: is a folder with {held}; such files need --config.data.source=mat"
        return f"{root}={given}: is a folder, without an .npz or .h5 in it; give the file"
    if not found:
        if path.suffix.lower() != ".mat":
            return ""
        return f"{root}={given}: is a .mat file; give --config.data.source=mat and its folder, {root}={shown(path.parent)}"
    hint = nearby(path, ONE_FILE) if found.startswith("no such file") else ""
    advice = hint or f"; set {root} to the .npz that d3gzsl embed writes, or to another source of data, as docs/using.md says"
    return f"{given}: {found}{advice}"


def benchmark_files(name: str, root: Path, feature_file: str | Path, semantics: str) -> tuple[Path, Path]:
    """The file of features and that of the split of a benchmark in the xlsa17 layout, which are there.

    Raises:
        UserError: one is not, or the semantics are no name of a file.
    """
    if not re.fullmatch(r"\w[\w.+-]*", semantics):
        what = "must be the NAME of a NAME_splits.mat in config.data.root, as att, sent or w2v"
        raise UserError(f"config.data.semantics={shortened(semantics)}: {what}")
    features, splits = root / feature_file, root / f"{semantics}_splits.mat"
    if problem := missing_benchmark(name, root, features, splits):
        raise UserError(problem)
    return features, splits


def missing_benchmark(name: str, root: Path, features: Path, splits: Path) -> str:
    """What is wrong with the folder of a benchmark in the xlsa17 layout, in one line; '' if both files are there.

    Args:
        name: the dataset.
        root: the folder.
        features, splits: the files that are meant.
    """
    states = {path: state(path) for path in (features, splits)}
    missing = [path for path, found in states.items() if found]
    if not missing:
        return ""
    found = state(root)
    if not found or found == "not a file":
        return _root_is_a_file(root, features)
    if found != "folder":
        return _no_root(name, root, found, (features, splits))
    odd = [f"{shown(path)}: {'is a folder' if states[path] == 'folder' else states[path]}" for path in missing]
    what = f"{name}: not found: {', '.join(shown(path) for path in missing)}"
    if any(not states[path].startswith("no such file") for path in missing):
        return f"{'; '.join(odd)}; put the file itself there, readable"
    advice = list(filter(None, (_other_features(features) if features in missing else "", *_other_splits(name, splits, missing))))
    if len(missing) == 2 or not advice:
        advice += filter(None, [_elsewhere(name, root, features, splits)])
    if not advice:
        return f"{what}; expected {' and '.join(shown(path) for path in states)}. {_download(name, root, missing)}"
    return f"{what}; {'; '.join(advice)}"


def _root_is_a_file(root: Path, features: Path) -> str:
    given, option = shown(root), "--config.data.root"
    if root.suffix.lower() in ONE_FILE:
        return f"{option}={given}: is a file; with a benchmark in one file give --config.data.source=npz as well"
    if root.suffix.lower() == ".mat":
        usual = root.name == features.name or root.name.endswith("_splits.mat")
        further = "" if usual else f" --config.data.feature_file={listed([root.name])}"
        return f"{option}={given}: is a file; give its folder, {option}={shown(root.parent)}{further}"
    return f"{option}={given}: is no folder; give the one that holds {features.name} and the split file"


def _no_root(name: str, root: Path, found: str, expected: tuple[Path, ...]) -> str:
    what = f"{name}: not found: {', '.join(shown(path) for path in expected)}"
    if found != "no such file":
        return f"{what}: --config.data.root={shown(root)}: {found}"
    if not any(state(root.parent / path.name) for path in expected):
        return f"{what}: they lie in {shown(root.parent)}: --config.data.root={shown(root.parent)}"
    if hint := nearby(root):
        return f"{what}: there is no folder {shown(root)}{hint}"
    return f"{what}; there is no folder {shown(root)}. {_download(name, root, list(expected))}"


def _other_features(features: Path) -> str:
    """What the folder of a missing feature file has in its place."""
    held = [entry.name for entry in entries(features.parent) if entry.suffix.lower() in (".mat", *HDF5)]
    held = [name for name in held if not name.endswith("_splits.mat")]
    return _instead(held, features.name, "feature_file", held)


def _other_splits(name: str, splits: Path, missing: list[Path]) -> list[str]:
    held = [entry.name for entry in entries(splits.parent) if entry.name.casefold().endswith("_splits.mat")]
    words = [file[: -len("_splits.mat")] for file in held if file.endswith("_splits.mat")]
    if splits not in missing or not held:
        return []
    further = _not_in_archive(name, [splits])
    return [_instead(held, splits.name, "semantics", words or held) + further]


def _instead(held: list[str], wanted: str, field: str, values: list[str]) -> str:
    same = [file for file in held if file.casefold() == wanted.casefold()]
    if not held:
        return ""
    if same:
        return f"there is {listed(same)}, in other letters: rename it"
    return f"there is {listed(held)}: --config.data.{field}={' or '.join(listed([value]) for value in values[:3])}"


def _elsewhere(name: str, root: Path, features: Path, splits: Path) -> str:
    """Where else the files may be: in folders below, or in one file of another kind."""
    folders = list(_below(root, _DEPTH))
    for wanted in ((features.name, splits.name), (features.name,), (splits.name,)):
        having = [folder for folder in folders if not any(state(folder / file) for file in wanted)]
        if having:
            own = [folder for folder in having if folder.name.casefold() == name.casefold()]
            where = shown((own or having)[0])
            return f"{listed(wanted)} found in {where}: --config.data.root={where}"
    whole = [entry for entry in entries(root) if entry.suffix.lower() in ONE_FILE]
    if whole:
        return f"there is {listed(e.name for e in whole)}: --config.data.source=npz --config.data.root={shown(whole[0])}"
    return ""


def _below(root: Path, depth: int) -> Iterable[Path]:
    inside = [entry for entry in entries(root) if not entry.name.startswith(".") and state(entry) == "folder"]
    yield from inside
    for folder in inside if depth > 1 else ():
        yield from _below(folder, depth - 1)


def _not_in_archive(name: str, missing: Sequence[Path]) -> str:
    if any(path.name.startswith("sent_") for path in missing) or name.upper() == "FLO":
        return f" (sentence vectors and FLO are not in xlsa17.zip: {BESIDE})"
    return ""


def _download(name: str, root: Path, missing: Sequence[Path]) -> str:
    get = (
        f"Get {URL} ({ARCHIVE_SIZE}){_not_in_archive(name, missing)}: mkdir -p data && curl -o data/xlsa17.zip {URL} && "
        "unzip -d data data/xlsa17.zip; or point"
    )
    if name.upper() == "FLO" or all(path.name.startswith("sent_") for path in missing):  # a download would not help
        get = f"{'FLO' if name.upper() == 'FLO' else 'Sentence vectors'}: not in xlsa17.zip; {BESIDE}. Point"
    return (
        f"{get} --config.data.root at the folder (now {shown(root)}) and --config.data.feature_file at the file; without any "
        "download: --config=configs/digits.py"
    )


def unreadable(path: Path, formats: str, what: str, suffixes: Sequence[str]) -> str:
    """What is wrong with a file that a flag names, in one line; '' if nothing is.

    Args:
        path: the file.
        formats: that can be read, for the message.
        what: it should hold, as 'features'.
        suffixes: of files that can be read.
    """
    found = state(path)
    if found == "folder":
        inside = [entry.name for entry in entries(path) if entry.suffix.lower() in suffixes]
        hint = f", in which there is {listed(inside)}" if inside else ""
        return f"{shown(path)}: is a folder, not a file{hint}; give a file of {what} ({formats})"
    if path.suffix.lower() not in suffixes:
        return f"{shown(path)}: {what} cannot be read from {path.suffix or 'a file without a suffix'}; formats are {formats}"
    if not found:
        return ""
    hint = nearby(path, suffixes) if found.startswith("no such file") else ""
    return f"{shown(path)}: {found}{hint}; give a file of {what} ({formats})"


