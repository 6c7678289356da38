"""The model behind the page: it predicts pictures, learns new classes in memory, and can be saved."""

import io
import math
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.data.formats.csv_rows import is_number
from d3gzsl_jax.data.semantics import value_problem
from d3gzsl_jax.encoders.class_table import class_semantics, cut_off, described
from d3gzsl_jax.encoders.pictures import open_picture
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs import model_quality
from d3gzsl_jax.runs.described_classes import check_fits
from d3gzsl_jax.runs.gallery.thumbnails import shrunk
from d3gzsl_jax.runs.model import TrainedModel
from d3gzsl_jax.runs.model_files import output_folder
from d3gzsl_jax.runs.results import method
from d3gzsl_jax.text import clean_name, cut, printable
from d3gzsl_jax.training import memory

if TYPE_CHECKING:
    from d3gzsl_jax.encoders.images import ImageEncoder
    from d3gzsl_jax.encoders.texts import TextEncoder

_SHOWN = 5  # classes a picture
_LONGEST_NAME = 200
_MORE_MEMORY = "close other programs, or serve the model on a machine with more"


class LiveModel:
    """A trained model that grows while it is used; its methods may be called from any thread.

    A picture is predicted by the model of that moment, also while another one is being fitted.

    Args:
        model: as it was trained.
        images: its image encoder.
        text_encoder: gives its text encoder; called when it is needed first.
        data: gives the data it was trained on; called when it is needed first.
        save: where `save` writes it; None for nowhere.
        inputs: what is read, and so not written to.
    """

    def __init__(
        self, model: TrainedModel, images: "ImageEncoder", text_encoder: "Callable[[], TextEncoder]", data: Callable[[], GZSLData],
        save: Path | None = None, inputs: tuple[Path, ...] = (),
    ) -> None:
        self._model, self._images, self._save, self._inputs = model, images, save, inputs
        self._known = self._saved = len(model.class_names)
        self._began_with = model.prediction
        self._text_encoder, self._data = _once(text_encoder), _once(data)
        self._predicting, self._growing, self._saving = threading.Lock(), threading.Lock(), threading.Lock()
        self._is_over = False

    @property
    def model(self) -> TrainedModel:
        """As it is now."""
        return self._model

    def state(self) -> dict[str, Any]:
        """What the page shows of it, as JSON."""
        model = self._model
        notes = model.encoders or {}
        names = tuple(notes.get("attribute_names") or ())
        return {
            "title": f"{method(model.config)} on {clean_name(model.name)}",
            "predictor": model.prediction, "began_with": self._began_with, "told": model_quality.sentences(model),
            "classes": [{"name": clean_name(name), "kind": self._kind(label)} for label, name in enumerate(model.class_names)],
            "takes": "description" if notes.get("text") else "numbers",
            "attributes": [clean_name(name) for name in names], "size": int(model.semantics.shape[1]),
            "save": printable(str(self._save)) if self._save else "", "added": len(model.class_names) - self._known,
            "unsaved": len(model.class_names) - self._saved,
        }

    def predict(self, content: bytes, name: str = "") -> dict[str, Any]:
        """What the model says of a picture.

        Args:
            content: of the file.
            name: what messages call it.

        Returns:
            JSON: `best` classes with names, kinds and probabilities; the probability of all seen classes; `in_distribution`, None
            without D3, and what it means in words; and a small copy of the picture.

        Raises:
            UserError: it is no whole picture.
        """
        name = cut(clean_name(name), _LONGEST_NAME) or "the picture"
        with self._predicting, memory.told(_MORE_MEMORY):  # one at a time: the pixels of a small file may take most of the memory
            model, picture = self._model, open_picture(io.BytesIO(content), name)  # no file, which a kill would leave behind
            features = self._images.encode([picture])
            found = model.predict(features, min(_SHOWN, len(model.class_names)))
            small, is_tiny = shrunk(picture)
        best = [
            {"name": clean_name(called), "kind": self._kind(int(label)), "probability": float(value)}
            for called, label, value in zip(found.names[0], found.classes[0], found.probabilities[0], strict=True)
        ]
        like = None if found.in_distribution is None else float(found.in_distribution[0])
        return {
            "name": name, "best": best, "seen_probability": float(found.seen[0]), "in_distribution": like,
            "words": "" if like is None else in_words(like, float(model.config.teacher.threshold)),
            "thumbnail": small, "is_tiny": is_tiny, "classes": len(model.class_names),
        }  # fmt: skip

    def add(self, name: str, text: str) -> dict[str, Any]:
        """Makes the model know one more class; `state` of it then, and a `note` on it, '' for none.

        Args:
            name: of the class.
            text: its description, or several, a line each; or its numbers, where the model's semantics are numbers.

        Raises:
            UserError: the name is known, there is no description, or the model's data or text encoder is not there.
            DivergenceError: the classifier broke down.
        """
        name = clean_name(name)
        if not name:
            raise UserError("the new class has no name; give it one")
        if len(name) > _LONGEST_NAME:
            raise UserError(f"the name of the new class has {len(name)} characters; give one of at most {_LONGEST_NAME}")
        with self._growing, memory.told(_MORE_MEMORY):
            model = self._model
            if (model.encoders or {}).get("text"):
                lines = [line for line in text.splitlines() if line.strip()] or [""]
                table, encoder = check_fits(model, described([(name, line, 0) for line in lines])), self._text_encoder()
                semantics, note = class_semantics(table, encoder), cut_off(table, encoder)
            else:
                semantics, note = numbers(text, model.semantics.shape[1])[None], ""
            self._model = model.add_classes(semantics, (name,), self._data())
        return self.state() | {"note": note}

    def save(self) -> str:
        """Writes the model as it is now; returns where.

        Raises:
            UserError: no place was named, something else is there, it cannot be written, or the page has ended.
        """
        if self._save is None:
            raise UserError("there is no place to save to; start the page with --save=FOLDER")
        with self._growing, self._saving:
            if self._is_over:
                raise UserError("the page has ended; start it again")
            self._model.write(output_folder(self._save, "--save", self._inputs))
            self._saved = len(self._model.class_names)
        return printable(str(self._save))

    def end(self) -> None:
        """Waits until what is being saved is saved, and lets nothing else be: the process may end then."""
        with self._saving:
            self._is_over = True

    def _kind(self, label: int) -> str:
        if label >= self._known:
            return "new"
        return "unseen" if label in self._model.unseen else "seen"


def in_words(in_distribution: float, threshold: float) -> str:
    """What a probability that the teacher gives its likeliest seen class says.

    Args:
        in_distribution: that probability.
        threshold: config.teacher.threshold, of its logarithm.
    """
    least = math.exp(threshold)
    how = "unlike" if in_distribution <= least else "like" if in_distribution > (1.0 + least) / 2 else "somewhat like"
    return f"looks {how} the classes that the model was trained on"


def numbers(text: str, size: int) -> np.ndarray:
    """(size,) float32 of a text of numbers with commas, blanks or line breaks between.

    Raises:
        UserError: one is none to compute with, or there are more or fewer.
    """
    found = []
    for part in text.replace(",", " ").replace(";", " ").split():
        value = float(part) if is_number(part) else math.nan
        if problem := value_problem(value):
            raise UserError(f"{cut(part, 40)} is {problem}; this model takes {size} numbers of a class")
        found.append(value)
    if len(found) != size:
        raise UserError(f"these are {len(found)} numbers; this model takes {size} of a class, those of its semantics in order")
    return np.array(found, np.float32)


def _once(make: Callable[[], Any]) -> Callable[[], Any]:
    """`make`, called at the first call that succeeds; every later one gives the same."""
    made: list[Any] = []

    def get() -> Any:
        if not made:
            made.append(make())
        return made[0]

    return get
