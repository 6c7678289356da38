"""Pictures on the disk: which there are, of which class, and each as upright RGB pixels, or the reason why it is none."""

import os
import stat
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from d3gzsl_jax.data.formats.csv_lines import csv_lines
from d3gzsl_jax.encoders.libraries import library
from d3gzsl_jax.errors import UserError, cannot_read, reason
from d3gzsl_jax.system import paths
from d3gzsl_jax.system.host_memory import free_host_memory, size
from d3gzsl_jax.text import clean_name, cut, listed, shortened

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

_EXTRA = "onnx"  # the smallest that has Pillow: with those of other encoders it is there
_LARGE = 2**24  # pixels from which on memory is looked at: to ask the system takes as long as to read a small picture
_BYTES = 8  # of a pixel, at the least: as it is read, and as RGB
_AT_ONCE = 2**20  # pixels
_LEFT_BY_SYSTEMS = ("thumbs.db", "desktop.ini", "icon\r")


class Picture(NamedTuple):
    """A file: `name` is relative to the folder (or as the CSV has it), with '/'; `class_name` None where it is not known."""

    path: Path
    name: str
    class_name: str | None


def find_pictures(source: str | os.PathLike[str], option: str = "--images") -> list[Picture]:
    """The pictures of a folder or a CSV, by name in order; they are not opened.

    Args:
        source: a folder with a subfolder for each class (deeper ones belong to it), or with pictures directly in it, which have no
            class; or a CSV with the columns `file` (relative to the CSV's folder) and `class`, which may be left out. Hidden files
            and what systems leave behind are passed over.
        option: what it was given for.

    Raises:
        UserError: it is neither, holds no file, a folder cannot be read or is one of two classes by a link, or a row names a file
            that is not there or is named twice.
    """
    path, advice = paths.clean(source, option), "give a folder with a subfolder for each class, or a CSV of file,class"
    if path.is_dir():
        found = sorted(_in_folder(path), key=lambda picture: picture.name.split("/"))
    elif path.is_file() and path.suffix.lower() in (".csv", ".tsv"):
        found = list(_in_csv(path))
    else:
        what = "is no folder, and no .csv" if path.exists() else "no such folder or file"
        raise UserError(f"{option}={path}: {what}; {advice}")
    if not found:
        raise UserError(f"{option}={path}: holds no pictures; {advice}")
    return found


def _in_folder(folder: Path) -> Iterator[Picture]:
    real = Path(os.path.realpath(folder))
    above = {os.fspath(real), *map(os.fspath, real.parents)}
    done: dict[str, tuple[str, ...]] = {}  # where a folder is, and by what path it was found
    waiting = [folder]
    while waiting:
        here = waiting.pop()
        try:
            entries = [entry for entry in sorted(os.scandir(here), key=lambda entry: entry.name) if not _is_passed_over(entry.name)]
            folders = {entry.name for entry in entries if entry.is_dir()}
        except OSError as error:
            raise cannot_read(error.filename or here, error) from None
        for entry in entries:
            parts = Path(entry.path).relative_to(folder).parts
            if entry.name in folders:
                place = os.path.realpath(entry.path)
                if place in above:  # a link back
                    continue
                if place not in done:
                    done[place] = parts
                    waiting.append(Path(entry.path))
                elif done[place][0] != parts[0]:
                    one, other = (shortened(_name("/".join(names))) for names in sorted((done[place], parts)))
                    raise UserError(f"{folder}: {one} and {other} are one folder, by a link; a picture has one class: take one out")
                continue
            yield Picture(Path(entry.path), _name("/".join(parts)), clean_name(_name(parts[0])) if len(parts) > 1 else None)


def _is_passed_over(name: str) -> bool:
    return name.startswith(".") or name.lower() in _LEFT_BY_SYSTEMS


def _in_csv(path: Path) -> Iterator[Picture]:
    lines = csv_lines(path, has_header=True)
    header = [cell.strip().casefold() for cell in lines[0][1]]
    if "file" not in header or set(header) - {"file", "class"} or len(set(header)) < len(header):
        raise UserError(f"{path}: its first line is {shortened(','.join(lines[0][1]))}; need the columns file and class")
    column, label, named = header.index("file"), header.index("class") if "class" in header else None, set()
    for line, cells in lines[1:]:
        where = f"{path}: line {line}"
        if len(cells) != len(header):
            raise UserError(f"{where} has {len(cells)} cells, needs {len(header)} ({', '.join(header)})")
        name = cells[column].strip()
        if not name or "\0" in name:
            raise UserError(f"{where} names no file")
        file = path.parent / name
        if (place := os.path.abspath(file)) in named:  # however it is written
            raise UserError(f"{where}: {shortened(name)} is named twice; name every file once")
        named.add(place)
        if not paths.is_there(file):
            raise UserError(f"{where}: {shortened(name)}: there is no such file; files count from {path.parent}/")
        yield Picture(file, name.replace(os.sep, "/"), (clean_name(cells[label]) or None) if label is not None else None)


def require_outside(output: Path, option: str, source: Path) -> None:
    """Refuses to write into the folder of the pictures, where the next run would take it for one.

    Raises:
        UserError: naming the option.
    """
    if source.is_dir() and source.resolve() in output.resolve().parents:
        raise UserError(f"{option}={output}: lies in the folder of the pictures; name another place")


def open_picture(path: Path | IO[bytes], name: str = "") -> "Image":
    """RGB pixels, turned upright as EXIF says; of an animation the first frame, of transparent ones on white; 16 bits become 8.

    Args:
        path: the file, or what it holds.
        name: what messages call it; its path if ''.

    Raises:
        UserError: it is no whole picture, or memory does not hold its pixels, in one line.
    """
    pillow, exif = library("PIL.Image", _EXTRA, "pictures"), library("PIL.ImageOps", _EXTRA, "pictures")
    name = cut(name or str(path))
    if isinstance(path, Path):
        _require_file(path, name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of odd EXIF and of large pictures, which are seen to here
        try:
            with pillow.open(path) as picture:
                _require_pixels(picture)
                _require_memory(picture, name)
                picture.load()
                return _rgb(_upright(picture, exif), pillow)
        except UserError:
            raise
        except Exception as error:  # a broken file makes Pillow raise nearly anything
            raise _refusal(name, error, path) from None


def check_picture(path: Path, name: str) -> None:
    """Refuses what can be seen to be no picture without reading its pixels.

    Raises:
        UserError: as `open_picture`.
    """
    pillow, name = library("PIL.Image", _EXTRA, "pictures"), cut(name)
    _require_file(path, name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with pillow.open(path) as picture:
                _require_pixels(picture)
        except Exception as error:
            raise _refusal(name, error, path) from None


def _require_file(path: Path, name: str) -> None:
    try:
        found = os.stat(path)
    except OSError as error:
        raise cannot_read(name, error) from None
    if not stat.S_ISREG(found.st_mode):
        raise UserError(f"{name}: is no file; remove it")
    if not found.st_size:
        raise UserError(f"{name}: is empty; copy it again, or remove it")


def _require_pixels(picture: "Image") -> None:
    if picture.format == "EPS":
        raise ValueError("PostScript, a program, which is not run")


def _require_memory(picture: "Image", name: str) -> None:
    """Refuses a large picture for whose pixels there is no memory: the system would end the process, not the reading."""
    width, height = picture.size
    if width * height < _LARGE:
        return
    need, free = _BYTES * width * height, free_host_memory()
    if need > free:
        raise UserError(
            f"{name}: its {width} x {height} pixels need {size(need)} of memory and {size(free)} are free; make it smaller, or "
            "free some"
        )


def _refusal(name: str, error: Exception, path: Path | IO[bytes]) -> UserError:
    """What is said of a picture that cannot be read."""
    kind = type(error).__name__
    if isinstance(error, MemoryError):
        return UserError(f"{name}: memory ran out for its pixels; make it smaller, or free some")
    if kind == "DecompressionBombError":
        return UserError(f"{name}: has more pixels than are read (179 million); make it smaller, or remove it")
    if isinstance(error, OSError) and error.errno:
        return cannot_read(name, error)
    why = "no format that Pillow knows" if kind == "UnidentifiedImageError" else reason(error)
    why = why.replace(str(path), path.name) if isinstance(path, Path) else why
    return UserError(f"{name}: is no whole picture ({why}); copy it again, or remove it")


def _upright(picture: "Image", exif: Any) -> "Image":
    try:
        return exif.exif_transpose(picture)
    except Exception:  # EXIF that is broken says nothing; the pixels are whole
        return picture


def _rgb(picture: "Image", pillow: Any) -> "Image":
    """RGB, of whatever mode."""
    if picture.mode.startswith("I"):  # 16 bits of grey, and those of 32 that hold no more
        picture = pillow.fromarray(_eight_bits(picture))
    elif picture.mode == "F":
        raise ValueError("pixels that are floating-point numbers, whose range nothing tells")
    if picture.mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
        ground = pillow.new("RGBA", picture.size, (255, 255, 255, 255))
        return pillow.alpha_composite(ground, picture).convert("RGB")
    return picture if picture.mode == "RGB" else picture.convert("RGB")


def _eight_bits(picture: "Image") -> "np.ndarray":
    """(height, width) uint8 of whole numbers of 16 bits, or of 32; by a table and some rows at a time, since computing with all of
    them at once took 24 bytes a pixel."""
    import numpy as np

    values = np.asarray(picture)
    high = 255 if picture.mode == "I" and values.size and values.min() >= 0 and values.max() <= 255 else 65535
    table, found = np.rint(np.arange(high + 1) * (255 / high)).astype(np.uint8), np.empty(values.shape, np.uint8)
    rows = max(_AT_ONCE // max(values.shape[1], 1), 1)
    for start in range(0, len(values), rows):
        part = slice(start, start + rows)
        found[part] = table[np.clip(values[part], 0, high)]
    return found


def _name(name: str) -> str:
    """A file's name as text that any encoding takes: bytes that are no UTF-8 as escapes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def bad_ones(bad: list[tuple[str, str]]) -> str:
    """What a message says of pictures (name, reason) that cannot be used."""
    first = ", ".join(f"{shortened(name)} {why}" for name, why in bad[:3])
    return first + (f", and {len(bad) - 3} more ({listed(name for name, _ in bad[3:])})" if len(bad) > 3 else "")
