"""Any exported network as an image encoder, by onnxruntime.

Layout (channels first or last), size and type of the input are read from the file; the first output (or the one that `output`
names) is the feature row, where it has a height and width their mean. How pictures are prepared is, in this order: options after a
question mark, `onnx:FILE?size=224&resize=256&mean=0.5,0.5,0.5&std=0.5,0.5,0.5&interpolation=bicubic&fit=crop`; the entry
`d3gzsl_transform` of the file's metadata, a JSON object of the same names:

    model = onnx.load("net.onnx")
    onnx.helper.set_model_props(model, {"d3gzsl_transform": json.dumps({"resize": 224, "mean": [0, 0, 0], "std": [1, 1, 1]})})

and else the mean and deviation of ImageNet, the shorter side resized to size / 0.875, the middle cut out. A network that takes
whole numbers from 0 to 255 (uint8) gets the pixels. `threads=4` lets it use more than one core. The digest is of the file and of
all files that it names as holders of weights.
"""

import json
import mmap
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

import numpy as np

from d3gzsl_jax.encoders import transform, weights
from d3gzsl_jax.encoders.libraries import library, refused
from d3gzsl_jax.errors import UserError, cannot_read
from d3gzsl_jax.system import paths
from d3gzsl_jax.text import listed, shortened

if TYPE_CHECKING:
    from PIL.Image import Image

METADATA = "d3gzsl_transform"
_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64, "tensor(uint8)": np.uint8}
_LOCATION = re.compile(rb"\n\x08location\x12([\x00-\x7f]|[\x80-\xff][\x00-\x7f])", re.DOTALL)
"""A key and the length of its value, as protobuf writes them: field 1 of 8 bytes, then field 2."""
_FURTHER = {"output": "by name; default the first", "threads": "default 1"}
"""Options besides those of a transform, with their meanings."""
_ADVICE = "export it again, or name another file"


class OnnxImages:
    """An exported network; see the head of this file."""

    def __init__(self, session: Any, path: Path, options: dict[str, str]) -> None:
        self._session, self._path = session, path
        entry = self._input = session.get_inputs()[0]
        shape = [side if isinstance(side, int) else None for side in entry.shape]
        if len(session.get_inputs()) != 1 or len(shape) != 4 or entry.type not in _TYPES:
            found = ", ".join(f"{of.name} {of.type} {of.shape}" for of in session.get_inputs())
            raise UserError(f"{path}: need a network that takes pictures alone (n, 3, height, width), found {found}; {_ADVICE}")
        self._last = shape[1] not in (1, 3) and shape[3] in (1, 3)
        channels, height, width = (shape[3], shape[1], shape[2]) if self._last else shape[1:]
        if channels not in (1, 3, None):
            raise UserError(f"{path}: it takes pictures of {channels} channels, need 3, or 1; {_ADVICE}")
        self._batch = shape[0]
        names = [output.name for output in session.get_outputs()]
        self._output = options.pop("output", names[0])
        if self._output not in names:
            raise UserError(f"{path}: has no output {shortened(self._output)}; it has {listed(names)}")
        sides = {name: side for name, side in (("height", height), ("width", width)) if side is not None}
        for option in ("size", "height", "width"):
            if any(options.get(option, str(side)) != str(side) for name, side in sides.items() if option in ("size", name)):
                took = " and ".join(f"{name} {side}" for name, side in sides.items())
                raise UserError(f"{path}: {option}={shortened(options[option])}: the network itself has {took}; leave it out")
        grey: dict[str, Any] = {"mean": "0", "std": "1"} if channels == 1 else {}
        self.transform = transform.of_fields(grey | _stored(session, path) | options | sides, str(path))
        if channels is not None and len(self.transform.mean) != channels:
            raise UserError(f"{path}: mean and std need {channels} numbers each, as its pictures have channels")
        self._sha256 = weights.of_files(_files(path))
        blank = np.zeros((1, len(self.transform.mean), self.transform.height, self.transform.width), np.float32)
        self._size = self._run(blank).shape[1]

    @property
    def size(self) -> int:
        """How many values a feature row has."""
        return self._size

    def notes(self) -> dict[str, Any]:
        """What it is, as JSON."""
        prepared = self.transform.notes()
        texts = {key: ",".join(map(repr, value)) if isinstance(value, list) else value for key, value in prepared.items()}
        query = urlencode(texts | {"output": self._output}, safe=",/:")
        return {
            "kind": "onnx", "name": self._path.name, "spec": f"onnx:{self._path.resolve()}?{query}",
            "sha256": self._sha256, "transform": prepared, "output": self._output, "size": self._size,
        }  # fmt: skip

    def encode(self, pictures: "Iterable[Image]") -> np.ndarray:
        """(n, size) float32 of RGB pictures."""
        arrays = [self.transform(picture) for picture in pictures]
        if not arrays:
            return np.zeros((0, self._size), np.float32)
        step = self._batch or len(arrays)
        return np.concatenate([self._run(np.stack(arrays[place : place + step])) for place in range(0, len(arrays), step)])

    def _run(self, arrays: np.ndarray) -> np.ndarray:
        """Feature rows of at most a batch of prepared pictures (n, channels, height, width)."""
        rows, wanted = len(arrays), _TYPES[self._input.type]
        if self._batch and rows < self._batch:  # a network exported for a fixed number takes no other
            arrays = np.concatenate([arrays, np.repeat(arrays[-1:], self._batch - rows, axis=0)])
        if wanted is np.uint8:
            mean, std = (np.array(of, np.float32)[:, None, None] for of in (self.transform.mean, self.transform.std))
            arrays = np.rint((arrays * std + mean) * 255)
        if self._last:
            arrays = arrays.transpose(0, 2, 3, 1)
        with refused(f"{self._path}: does not run", _ADVICE):
            (found,) = self._session.run([self._output], {self._input.name: np.ascontiguousarray(arrays, wanted)})
        found = np.asarray(found)
        if found.ndim == 4:
            found = found.mean(axis=(1, 2) if self._last else (2, 3), dtype=np.float32)
        if found.ndim != 2 or found.dtype.kind != "f":
            raise UserError(
                f"{self._path}: output {self._output} is {found.dtype} of shape {found.shape}, need a row of numbers a picture; "
                "name another output, as in onnx:FILE?output=NAME"
            )
        return found[:rows].astype(np.float32)


def onnx_encoder(spec: str) -> OnnxImages:
    """The encoder of 'FILE' or 'FILE?options'.

    Raises:
        UserError: the file or onnxruntime is missing, or the network takes no pictures.
    """
    name, options = spec, {}
    if not os.path.isfile(spec) and "?" in spec:
        name, _, query = spec.rpartition("?")
        options = dict(parse_qsl(query, keep_blank_values=True))
    path = paths.clean(name, "image encoder onnx")
    if not path.is_file():
        raise UserError(f"{path}: no such file; onnx:FILE names an exported network")
    transform.check_names(options, str(path), _FURTHER)
    threads = options.pop("threads", "1")
    if not threads.isdecimal() or not 1 <= int(threads) <= 1024:
        raise UserError(f"{path}: threads={shortened(threads)}: expected a whole number, 1 to 1024")
    onnxruntime = library("onnxruntime", "onnx", f"onnx:{path.name}")
    settings = onnxruntime.SessionOptions()
    settings.intra_op_num_threads, settings.inter_op_num_threads = int(threads), 1
    settings.log_severity_level = 3
    with refused(f"{path}: cannot be read as a network", _ADVICE):
        session = onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
    return OnnxImages(session, path, options)


def _files(path: Path) -> list[Path]:
    """The file, and those that it names as holders of its weights, in the order in which it names them first.

    A tensor whose values lie elsewhere has an entry of the text 'location' and the name of the file, whatever network it is part of
    (ONNX's `TensorProto.external_data`): that is looked for in the bytes, without reading the network.
    """
    names: dict[str, None] = {}
    try:
        with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            for found in _LOCATION.finditer(content):
                low, high = found[1][0], found[1][1] if len(found[1]) > 1 else 0
                size = (low & 0x7F) | high << 7
                names[os.fsdecode(content[found.end() : found.end() + size])] = None
    except OSError as error:
        raise cannot_read(path, error) from None
    others = (path.parent / name for name in names if "\0" not in name)
    return [path, *(other for other in others if other.is_file() and other != path)]


def _stored(session: Any, path: Path) -> dict[str, Any]:
    """The transform that the file itself holds."""
    text = session.get_modelmeta().custom_metadata_map.get(METADATA, "{}")
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise UserError(f"{path}: {METADATA} in its metadata is no JSON object: {shortened(text)}; {_ADVICE}")
    return found
