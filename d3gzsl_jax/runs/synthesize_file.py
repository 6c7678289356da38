"""From a model to an .npz file of synthesized rows, part by part: they never have to fit into memory."""

import shutil
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs import contents
from d3gzsl_jax.runs.model import TrainedModel
from d3gzsl_jax.system import paths
from d3gzsl_jax.system.atomic import replacing
from d3gzsl_jax.training import memory


def output_file(target: str | Path, option: str, inputs: Sequence[Path] = ()) -> Path:
    """Where synthesized features may be written: nothing is there, or such features are; see `contents.output`."""
    if Path(target).suffix.lower() != ".npz":
        raise UserError(f"{option}={target}: synthesized features are written as .npz")
    return contents.output(target, option, _is_synthesized, "synthesized features", inputs)


def _is_synthesized(path: Path) -> bool:
    """Whether a file holds what `write_synthesized` writes, and nothing else."""
    try:
        with zipfile.ZipFile(path) as archive:
            return sorted(archive.namelist()) == ["class_names.npy", "features.npy", "labels.npy"]
    except (OSError, ValueError, zipfile.BadZipFile):
        return False


def write_synthesized(model: TrainedModel, ids: np.ndarray, count: int, seed: int, target: Path) -> None:
    """Writes `features` (k count, dx), class-major, their `labels` (k count,) and all `class_names`, whole or not at all.

    Args:
        model: what synthesizes.
        ids: (k,) of the classes.
        count, seed: see `TrainedModel.synthesize`.
        target: the file; the folders above it are made.

    Raises:
        UserError: there is no room for so many rows, or the file cannot be written.
    """
    parts, rows, ids = model.synthesized(ids, count, seed), len(ids) * count, np.asarray(ids)
    need = rows * (4 * model.feature_size + ids.dtype.itemsize)
    free = shutil.disk_usage(paths.nearest(target.absolute().parent)).free
    if need > free:
        raise UserError(
            f"--count={count}: the rows of {len(ids)} classes take up to {memory.size(need)} and {memory.size(free)} are free at "
            f"{target}; give a smaller count or fewer --classes, or free space"
        )
    names = np.array(model.class_names)
    with replacing(target, "wb", parents=True) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        _write(archive, "features", np.dtype(np.float32), (rows, model.feature_size), parts)
        _write(archive, "labels", ids.dtype, (rows,), (np.full(size, label, ids.dtype) for label in ids for size in _pieces(count)))
        _write(archive, "class_names", names.dtype, names.shape, iter([names]))


def _pieces(count: int, most: int = 2**20) -> Iterator[int]:
    """Numbers up to `most` that are `count` together."""
    for start in range(0, count, most):
        yield min(most, count - start)


def _write(archive: zipfile.ZipFile, name: str, dtype: np.dtype, shape: tuple[int, ...], parts: Iterator[Any]) -> None:
    """An array of an .npz file, whose parts follow each other along its first axis."""
    with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
        header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(member, header)
        for part in parts:
            member.write(np.ascontiguousarray(part, dtype).tobytes())
