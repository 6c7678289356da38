"""A model of the digits that takes pictures and descriptions by small encoders of its own, for tests."""

import dataclasses
import io
import re
import zlib

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

from d3gzsl_jax import api as d3
from d3gzsl_jax.data.digits import read_digits
from d3gzsl_jax.encoders.transform import Transform
from tests.conftest import ROOT
from tools.pictures.digits import DESCRIPTIONS, NAMES

QUICK = {"train.epochs": 3, "teacher.epochs": 3, "classifier.epochs": 3, "log.report": False}
_SIDE = 8


class GreyPictures:
    """A picture's grey values on 8 by 8, from 0 (white) to 16."""

    size = _SIDE * _SIDE
    transform = Transform(_SIDE, _SIDE, _SIDE)

    def notes(self):
        return {"kind": "grey", "name": "grey", "spec": "grey:", "sha256": "0"}

    def encode(self, pictures):
        small = [picture.convert("L").resize((_SIDE, _SIDE), Image.Resampling.BOX) for picture in pictures]
        return np.stack([(255 - np.asarray(one, np.float32)).ravel() * (16 / 255) for one in small])


class WordCounts:
    """How often a text has words of each of 48 kinds."""

    size = 48

    def notes(self):
        return {"kind": "words", "name": "words", "spec": "words:", "sha256": "1", "size": self.size, "longest": 100}

    def too_long(self, texts):
        return sum(len(text.split()) > 100 for text in texts)

    def encode(self, texts):
        found = np.zeros((len(texts), self.size), np.float32)
        for row, text in enumerate(texts):
            for word in re.findall(r"\w+", text.lower()):
                found[row, zlib.crc32(word.encode()) % self.size] += 1
        return found


ENCODERS = {
    "image": GreyPictures().notes(), "text": WordCounts().notes(), "semantics": "descriptions", "attribute_names": [],
}  # fmt: skip


def described_data(path):
    """The digits without nine, described in words, as `d3gzsl embed` leaves them, in `path`; `digit_data` has its own digits."""
    whole = read_digits()
    vectors = WordCounts().encode(DESCRIPTIONS)
    data = dataclasses.replace(
        whole, semantics=vectors / np.linalg.norm(vectors, axis=1, keepdims=True), class_names=NAMES,
        provenance=whole.provenance | {"encoders": ENCODERS},
    )
    keep = np.flatnonzero(data.labels != 9)
    place = np.full(len(data.labels), -1)
    place[keep] = np.arange(len(keep))
    rows = {name: place[of][place[of] >= 0] for name in ("trainval", "test_seen", "test_unseen") for of in [getattr(data, name)]}
    d3.write_npz(path, dataclasses.replace(
        data, features=data.features[keep], labels=data.labels[keep], semantics=data.semantics[:9], class_names=NAMES[:9],
        declared_unseen=np.array([3, 6]), **rows,
    ))  # fmt: skip


def described_run(folder):
    """A short run on that data."""
    described_data(folder / "digits.npz")
    config = d3.load_config(ROOT / "configs" / "digits.py", QUICK | {"data.source": "npz", "data.root": str(folder / "digits.npz")})
    return d3.train(config, workdir=folder / "run")


def picture_of(digit, size=64, kind="PNG"):
    """The bytes of a picture of a digit."""
    of = load_digits()
    image = of.images[np.flatnonzero(of.target == digit)[0]]
    found = io.BytesIO()
    grey = np.rint(255 - image * (255 / 16)).astype(np.uint8)
    Image.fromarray(grey).convert("RGB").resize((size, size), Image.Resampling.NEAREST).save(found, kind)
    return found.getvalue()
