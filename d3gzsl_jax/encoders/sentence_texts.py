"""Sentence encoders of sentence-transformers."""

import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from d3gzsl_jax.encoders import weights
from d3gzsl_jax.encoders.libraries import library, quiet_loading, refused

_ADVICE = "name a model of sentence-transformers or a folder that holds one; offline only what was downloaded before is there"


class SentenceTexts:
    """A model of sentence-transformers, on the CPU."""

    def __init__(self, model: Any, name: str) -> None:
        self._model, self._name = model, name
        self._sha256 = weights.of_state(model.state_dict())
        self._size = int(self._encoded(["a picture"]).shape[1])

    @property
    def size(self) -> int:
        """How many values a vector has."""
        return self._size

    def notes(self) -> dict[str, Any]:
        """What it is, as JSON."""
        where = os.path.abspath(self._name) if os.path.isdir(self._name) else self._name
        return {
            "kind": "sentence-transformers", "name": os.path.basename(os.path.normpath(self._name)),
            "spec": f"sentence-transformers:{where}", "sha256": self._sha256, "size": self._size,
            "longest": getattr(self._model, "max_seq_length", None),
        }  # fmt: skip

    def encode(self, texts: Sequence[str]) -> np.ndarray:
        """(n, size) float32; what of a text is over the model's length is cut off."""
        return self._encoded(list(texts)) if texts else np.zeros((0, self._size), np.float32)

    def too_long(self, texts: Sequence[str]) -> int:
        """How many of them are over the model's length."""
        longest, tokenizer = getattr(self._model, "max_seq_length", None), getattr(self._model, "tokenizer", None)
        if longest is None or not callable(tokenizer):
            return 0
        return sum(len(tokenizer(text, truncation=False, verbose=False)["input_ids"]) > longest for text in texts)

    def _encoded(self, texts: list[str]) -> np.ndarray:
        with refused(f"text encoder {self._name}: does not run", _ADVICE):
            found = [self._model.encode([text], convert_to_numpy=True, show_progress_bar=False) for text in texts]
        return np.concatenate(found).astype(np.float32)  # one by one, so that a vector does not hang on those beside it


def sentence_encoder(name: str) -> SentenceTexts:
    """The encoder of a name or a folder.

    Raises:
        UserError: sentence-transformers or the model is missing.
    """
    module = library("sentence_transformers", "text", f"sentence-transformers:{name}")
    name = os.path.expanduser(name)
    with refused(f"text encoder {name}: cannot be loaded", _ADVICE), quiet_loading():
        model = module.SentenceTransformer(name, device="cpu", trust_remote_code=False)
    return SentenceTexts(model.eval(), name)
