"""Parameters in PyTorch's layout as files: state dicts saved by torch, or .npz, which needs no torch."""

import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from d3gzsl_jax.errors import UserError, cannot_read, reason
from d3gzsl_jax.runs import contents
from d3gzsl_jax.system import atomic
from d3gzsl_jax.system.extras import install_command
from d3gzsl_jax.text import same_name_twice, shortened

_MARK = b"d3gzsl-jax: converted weights"
"""The comment of an .npz file that `write` wrote."""


def read(path: str | Path, known: Sequence[str]) -> dict[str, np.ndarray]:
    """Float32 arrays by 'network/layer.weight' ('fc.weight' of the final classifier), as the recordings name them.

    Args:
        path: a file that torch.save wrote of {network: state dict} or of one flat dict, 'generator/fc1.weight' or
            'generator.fc1.weight'; a folder of state dicts <network>.pt; or an .npz file of arrays named like the flat dict.
        known: the names of networks a file may hold, those of a layout.

    Raises:
        UserError: it cannot be read, or holds something else; the message names file and key.
    """
    path = Path(path)
    found: Mapping[str, Any]
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix.lower() in (".pt", ".pth"))
        if not files:
            raise UserError(f"{path}: holds no state dict, <network>.pt; networks: {', '.join(known)}")
        if twice := same_name_twice([file.stem for file in files]):
            one, other = (files[place].name for place in twice)
            raise UserError(f"{path}: holds {one} and {other}, two files of one network; take one out")
        found = {file.stem: _load_torch(file) for file in files}
    elif path.suffix.lower() == ".npz":
        found = _load_npz(path)
    else:
        found = _load_torch(path)
    flat: dict[str, Any] = {}
    for key, value in _flat(path, found, known):
        if key in flat:
            raise UserError(f"{path}: holds {key} twice, under keys that mean the same; take one out")
        flat[key] = value
    return dict(_array(path, key, value) for key, value in flat.items())


def write(path: str | Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Writes arrays by the names of `read`: an .npz file, or else {network: state dict} by torch.save. Whole or not at all.

    Raises:
        UserError: it cannot be written, or torch is missing.
    """
    path = Path(path)
    with atomic.replacing(path, "w+b", parents=True) as file:  # the mark is added to what is there
        if path.suffix.lower() == ".npz":
            named: dict[str, Any] = dict(arrays)
            np.savez(file, **named)
            with zipfile.ZipFile(file, "a") as archive:
                archive.comment = _MARK
        else:
            torch = _torch()
            nested: dict[str, dict[str, Any]] = {}
            for key, array in arrays.items():
                network, _, name = key.rpartition("/")
                nested.setdefault(network or "fc", {})[name] = torch.from_numpy(np.array(array))
            torch.save(nested, file)


def output(given: str | Path, option: str, inputs: Sequence[Path] = ()) -> Path:
    """Where `write` may write: nothing is there, or an .npz that it wrote. Of a .pt file that cannot be told."""
    return contents.output(given, option, _is_ours, "weights in an .npz that this tool wrote", inputs)


def _is_ours(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.comment == _MARK
    except (OSError, ValueError, zipfile.BadZipFile):
        return False


def _torch() -> Any:
    try:
        import torch
    except ImportError:
        raise UserError(f"reading and writing .pt files needs torch: {install_command('parity')}; .npz files do not") from None
    return torch


def _load_npz(path: Path) -> dict[str, np.ndarray]:
    try:
        with zipfile.ZipFile(path), np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except Exception as error:  # a broken file makes numpy raise nearly anything
        raise UserError(f"{path}: not a readable .npz file ({reason(error)})") from None


def _load_torch(path: Path) -> Mapping[str, Any]:
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    torch = _torch()
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise cannot_read(path, error) from None
    except Exception:  # as with numpy; a pickle of other classes than tensors is refused, since loading one runs its code
        raise UserError(
            f"{path}: is not a file that torch.save wrote of tensors only, or is damaged; save state dicts, as "
            "torch.save({'generator': netG.state_dict(), ...}, FILE)"
        ) from None
    if not isinstance(found, Mapping):
        raise UserError(f"{path}: holds a {type(found).__name__}, expected a dict of state dicts or of tensors")
    return found


def _flat(path: Path, found: Mapping[str, Any], known: Sequence[str]) -> list[tuple[str, Any]]:
    flat = []
    for outer, value in found.items():
        for name in (outer, *(value if isinstance(value, Mapping) else ())):
            if not isinstance(name, str):
                raise UserError(f"{path}: key {shortened(name)} is no text; keys are the names of networks and of their layers")
        if isinstance(value, Mapping):
            named = [(f"{outer}/{name}", leaf) for name, leaf in value.items()]
        else:
            named = [(outer if "/" in outer else outer.replace(".", "/", 1), value)]
        for key, leaf in named:
            network, _, name = key.partition("/")
            if network not in known or not name:
                raise UserError(f"{path}: key {key!r} belongs to none of the networks {', '.join(known)}")
            flat.append((f"fc.{name.removeprefix('fc.')}" if network == "fc" else key, leaf))
    return flat


def _array(path: Path, key: str, value: Any) -> tuple[str, np.ndarray]:
    value = value.detach().cpu() if hasattr(value, "detach") else value
    kind = str(getattr(value, "dtype", type(value).__name__)).removeprefix("torch.")
    if kind != "float32":
        raise UserError(f"{path}: {key} is {kind}, expected float32")
    array = np.asarray(value)
    if not np.isfinite(array).all():
        raise UserError(f"{path}: {key} is not finite everywhere")
    return key, array
