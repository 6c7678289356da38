"""From features or pictures to files of predictions, chunk by chunk: neither features nor predictions have to fit into memory."""

import contextlib
import itertools
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from d3gzsl_jax.data.formats import feature_files
from d3gzsl_jax.data.formats.row_names import row_names
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs import accuracy, model_quality, model_rows, prediction_files
from d3gzsl_jax.runs.display import Display
from d3gzsl_jax.runs.encoded_model import check_made_alike
from d3gzsl_jax.runs.gallery.write import Gallery
from d3gzsl_jax.runs.gallery.write import output_file as page_file
from d3gzsl_jax.runs.model import TrainedModel
from d3gzsl_jax.runs.picture_rows import PictureRows
from d3gzsl_jax.runs.predictions import Predictions
from d3gzsl_jax.runs.truth import Truth, truth_of
from d3gzsl_jax.system import paths
from d3gzsl_jax.text import listed

CHUNK_ROWS = 4096


class Outputs(NamedTuple):
    """What is written of predictions.

    Attributes:
        table: of all rows, CSV or, by its name, JSON; None for none.
        accuracy: JSON of accuracies and of the confusion matrix, where the classes of rows are known; None for none.
        gallery: a page; None for none.
    """

    table: Path | None
    accuracy: Path | None = None
    gallery: Path | None = None


class Rows(NamedTuple):
    """Rows to predict.

    Attributes:
        blocks: of features, and of representations where there are some, in order.
        total: how many rows; None where only reading tells.
        source: what messages call them.
        names: of the rows; None where they have none.
        truth: what is known of their classes.
        pictures: that they are of, and names of those left out with the reason; for a gallery.
        thumbnails: of the pictures, () where there are none yet.
    """

    blocks: Iterator[tuple[np.ndarray, np.ndarray | None]]
    total: int | None
    source: str
    names: tuple[str, ...] | None
    truth: Truth | None
    pictures: Sequence[Path] = ()
    skipped: Sequence[tuple[str, str]] = ()
    thumbnails: Sequence[tuple[str, bool]] = ()


def outputs(table: str | Path, accuracies: str | Path = "", gallery: str | Path = "", inputs: Sequence[Path] = ()) -> Outputs:
    """Where predictions go, '' for nowhere; refused before anything is computed where something would be lost.

    Raises:
        UserError: something else is there, two are the same, or a folder does not exist or cannot be written.
    """
    found = {}
    if table:
        found["--output"] = prediction_files.output_file(table, "--output", inputs)
    if accuracies:
        found["--accuracy"] = accuracy.output_file(accuracies, "--accuracy", inputs)
    if gallery:
        found["--gallery"] = page_file(gallery, "--gallery", inputs)
    for one, other in itertools.combinations(found, 2):
        if paths.same_file(found[one], found[other]):
            raise UserError(f"{other}={found[other]}: is what {one} names, too; give another place to write to")
    return Outputs(found.get("--output"), found.get("--accuracy"), found.get("--gallery"))


def predict_file(
    model: TrainedModel, source: str | Path, target: str | Path, display: Display, top: int = 1, predictor: str = "", key: str = "",
    representations: str | Path = "", names: str | Path = "", accuracies: str | Path = "", gallery: str | Path = "",
) -> int:
    """Predicts every row of `source` and writes `target`, whole or not at all.

    Columns: see `Predictions.columns`; a name that a spreadsheet would run as a formula has an apostrophe before it.

    Args:
        model: what predicts.
        source: raw features, in a format of data/formats/feature_files.py; with names and classes as row_names.py reads them.
        target: the CSV; or JSON with an object a row, by its name.
        display: where progress goes.
        top: classes per row.
        predictor: as of `TrainedModel.predict`.
        key: which array of the file.
        representations: a file of the same rows in the same order, for a model that was trained with representations.
        names: a list of the rows' names, '' for what the file has.
        accuracies: a JSON file of accuracies and of the confusion matrix to write, '' for none.
        gallery: a page to write, '' for none.

    Returns:
        The number of rows.

    Raises:
        UserError: a file cannot be read or written, or a row is bad.
    """
    features = feature_files.open_features(source, model.feature_size, key)
    if features.key == feature_files.DEFAULT_KEY:  # what made another array of the file is not said
        check_made_alike(model, features.path, "image")
    model_rows.check_represented(model.representation_size, bool(representations))
    further = feature_files.open_features(representations, model.representation_size) if representations else None
    if further and None not in (features.rows, further.rows) and features.rows != further.rows:
        raise UserError(f"{further.path}: {further.rows} rows for {features.rows} rows of {features.path}; give one for each")
    model.check_predictor(predictor)
    model.check_top(top)
    beside = paths.clean(names, "--names") if names else None
    inputs = [features.path, *([further.path] if further else []), *([beside] if beside else [])]
    to = outputs(target, accuracies, gallery, inputs)
    named = row_names(features, beside)
    if named.note:
        display.say(f"no accuracy: {named.note}")
    blocks = feature_files.chunks(features, CHUNK_ROWS)
    pairs = _pairs(source, blocks, feature_files.chunks(further, CHUNK_ROWS)) if further else ((block, None) for block in blocks)
    truth = truth_of(named.classes, model.class_names)
    rows = Rows(pairs, features.rows, str(source), named.names, truth)
    return _predict(model, rows, to, display, top, predictor)


def predict_pictures(
    model: TrainedModel, found: PictureRows, to: Outputs, display: Display, top: int = 1, predictor: str = ""
) -> int:
    """Predicts pictures whose features are there, see picture_rows.py; arguments and errors as of `predict_file`."""
    count = len(found.features)
    blocks = ((found.features[start : start + CHUNK_ROWS], None) for start in range(0, count, CHUNK_ROWS))
    rows = Rows(
        blocks, count, "pictures", tuple(one.name for one in found.pictures), truth_of(found.classes, model.class_names),
        [one.path for one in found.pictures], found.skipped, found.thumbnails,
    )  # fmt: skip
    return _predict(model, rows, to, display, top, predictor)


def _predict(model: TrainedModel, rows: Rows, to: Outputs, display: Display, top: int, predictor: str) -> int:
    rows = _with_known_classes(model, rows, to, display)
    truth = rows.truth
    shown = max(top, min(Gallery.CLASSES, len(model.class_names))) if to.gallery else top
    told = model_quality.sentences(model, predictor)
    gallery = Gallery(model, rows.pictures, rows.skipped, thumbnails=rows.thumbnails, told=told) if to.gallery else None
    best: list[np.ndarray] = []
    began, done = time.monotonic(), 0
    display.start("predicting", rows.total or 0)
    try:
        with prediction_files.opened(
            to.table, top, rows.names is not None, truth is not None, model.class_names, model.seen
        ) if to.table else contextlib.nullcontext(_nowhere) as write:
            for found in _ahead(model, rows, shown, predictor):
                end = done + len(found.classes)
                _require_names(rows, end, end)
                part = found._replace(
                    row_names=None if rows.names is None else rows.names[done:end], truth=truth and truth.part(done, end)
                )
                write(part, done)
                best.append(np.asarray(found.classes)[:, 0] if truth else np.zeros(0, np.int32))
                if gallery:
                    gallery.add(part)
                done = end
                display.advance(len(found.classes))
            _require_names(rows, done, max(done, len(rows.names or ())))
    finally:
        display.stop()
    seconds = time.monotonic() - began
    speed = f"in {seconds:.1f} s, {done / max(seconds, 1e-9):.0f} rows a second"
    display.say(f"{f'wrote {to.table}: ' if to.table else ''}{done} rows {model_quality.what_predicts(model, predictor)} {speed}")
    _conclude(model, rows, to, display, gallery, np.concatenate(best) if best else np.zeros(0, np.int32))
    return done


def _nowhere(found: Predictions, first: int) -> None:
    """Writes no table."""


def why_no_accuracy(model: TrainedModel, truth: Truth | None, to: Outputs) -> str:
    """Why nothing is to be said of how good predictions are, '' where something is.

    Raises:
        UserError: it is asked for all the same.
    """
    if truth is not None and (truth.ids >= 0).any():
        return ""
    said = "nothing says of which classes rows are"
    if truth:
        said = f"the model knows none of the classes {listed(truth.strangers)}{accuracy.meant(truth.strangers, model.class_names)}"
    if to.accuracy:
        raise UserError(f"--accuracy={to.accuracy}: {said}; leave it out")
    return said


def _with_known_classes(model: TrainedModel, rows: Rows, to: Outputs, display: Display) -> Rows:
    """`rows` without what is said of their classes, where the model knows none of these."""
    if not (said := why_no_accuracy(model, rows.truth, to)):
        return rows
    if rows.truth:
        display.say(f"no accuracy: {said}")
    return rows._replace(truth=None)


def _conclude(model: TrainedModel, rows: Rows, to: Outputs, display: Display, gallery: Gallery | None, best: np.ndarray) -> None:
    """Says and writes how good the predictions are, and makes the gallery."""
    things = "pictures" if rows.pictures else "rows"
    measured = accuracy.accuracy_of(best, rows.truth, model.unseen) if rows.truth else None
    if rows.truth and rows.truth.strangers:
        display.say(accuracy.said_of_strangers(rows.truth.strangers, model.class_names, things))
    if measured:
        display.say(measured.said(things) + ("" if np.isnan(measured.seen) else f". {accuracy.TRAINED_ON}"))
        if to.accuracy:
            accuracy.write_accuracy(measured, model.class_names, model.unseen, to.accuracy)
            display.say(f"wrote {to.accuracy}")
    if gallery and to.gallery:
        display.say(gallery.write(to.gallery, measured, display))


def _require_names(rows: Rows, done: int, wanted: int) -> None:
    """Refuses names that are fewer or more than rows, of a file whose number of rows only reading tells."""
    if rows.names is not None and not done == wanted <= len(rows.names):
        many = f"{done} rows" if done < wanted else f"more than {len(rows.names)} rows"
        raise UserError(f"{rows.source}: {many}, for which there are {len(rows.names)} names; give one for each")


def _pairs(
    source: str | Path, blocks: Iterator[np.ndarray], others: Iterator[np.ndarray]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Blocks of features with those of representations, refused where one ends before the other."""
    done, none = 0, np.zeros(0)
    for block, beside in itertools.zip_longest(blocks, others, fillvalue=none):
        if len(beside) != len(block):
            ends = f"ends at row {done + min(len(block), len(beside))}, and the other does not"
            raise UserError(f"{source} and its representations: one of them {ends}; give equally many rows")
        done += len(block)
        yield block, beside


def _ahead(model: TrainedModel, rows: Rows, top: int, predictor: str) -> Iterator[Predictions]:
    """Predictions of the blocks of rows, each handed out while the next is computed."""
    waiting, done = None, 0
    for block, beside in rows.blocks:
        started = model.predict_chunk(block, top, predictor, done, rows.source, beside)
        done += len(block)
        if waiting is not None:
            yield waiting
        waiting = started
    if waiting is not None:
        yield waiting
