"""From a file of features to a CSV of predictions, chunk by chunk: neither has to fit into memory."""

import csv
import itertools
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from d3gzsl_jax.data.formats import feature_files
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs import contents, model_rows
from d3gzsl_jax.runs.display import Display
from d3gzsl_jax.runs.model import TrainedModel
from d3gzsl_jax.runs.predictions import Predictions, column_names
from d3gzsl_jax.system import atomic
from d3gzsl_jax.text import csv_row

CHUNK_ROWS = 4096


def output_file(target: str | Path, option: str, inputs: Sequence[Path] = ()) -> Path:
    """Where predictions may be written: nothing is there, or predictions are; see `paths.clean_output`."""
    return contents.output(target, option, _is_predictions, "predictions", inputs)


def _is_predictions(path: Path) -> bool:
    """Whether a file begins as the CSV of predictions does."""
    begin = ",".join(column_names(1)[:4]).encode()
    try:
        with open(path, "rb") as file:
            return file.read(len(begin)) == begin
    except OSError:
        return False


def predict_file(
    model: TrainedModel, source: str | Path, target: str | Path, display: Display, top: int = 1, predictor: str = "", key: str = "",
    representations: str | Path = "",
) -> int:
    """Predicts every row of `source` and writes `target`, whole or not at all.

    Columns: row (from 0); class, name and probability of the best class; seen_probability, all seen classes together;
    in_distribution, the teacher's largest probability of a seen class (empty for a model without D3); then class_2, name_2,
    probability_2 and so on, up to `top`. A name that a spreadsheet would run as a formula has an apostrophe before it.

    Args:
        model: what predicts.
        source: raw features, in a format of data/formats/feature_files.py.
        target: the CSV.
        display: where progress goes.
        top: classes per row.
        predictor: 'student' or 'classifier', '' for the run's own choice.
        key: which array of the file.
        representations: a file of the same rows in the same order, for a model that was trained with representations.

    Returns:
        The number of rows.

    Raises:
        UserError: a file cannot be read or written, or a row is bad.
    """
    features = feature_files.open_features(source, model.feature_size, key)
    model_rows.check_represented(model.representation_size, bool(representations))
    further = feature_files.open_features(representations, model.representation_size) if representations else None
    if further and None not in (features.rows, further.rows) and features.rows != further.rows:
        raise UserError(f"{further.path}: {further.rows} rows for {features.rows} rows of {features.path}; give one for each")
    model.check_predictor(predictor)
    model.check_top(top)
    target = output_file(target, "--output", [features.path, *([further.path] if further else [])])
    began, rows = time.monotonic(), 0
    display.start("predicting", features.rows or 0)
    try:
        with atomic.replacing(target) as file:
            writer = csv.writer(file)
            writer.writerow(column_names(top))
            names = tuple(csv_row(model.class_names))
            blocks = feature_files.chunks(features, CHUNK_ROWS)
            beside = feature_files.chunks(further, CHUNK_ROWS) if further else itertools.repeat(None)
            for found in _ahead(model, zip(blocks, beside, strict=False), top, predictor, str(source)):
                writer.writerows(zip(*_cells(found._replace(class_names=names), rows), strict=True))
                rows += len(found.classes)
                display.advance(len(found.classes))
    finally:
        display.stop()
    seconds = time.monotonic() - began
    display.say(f"wrote {target}: {rows} rows in {seconds:.1f} s, {rows / max(seconds, 1e-9):.0f} rows a second")
    return rows


def _ahead(
    model: TrainedModel, blocks: Iterator[tuple[np.ndarray, np.ndarray | None]], top: int, predictor: str, source: str
) -> Iterator[Predictions]:
    """Predictions of the blocks of features, and of representations where there are some, each handed out while the next is
    computed; `source`: what messages call the file."""
    waiting, rows = None, 0
    for block, beside in blocks:
        if beside is not None and len(beside) != len(block):
            ends = f"ends at row {rows + min(len(block), len(beside))}, and the other does not"
            raise UserError(f"{source} and its representations: one of them {ends}; give equally many rows")
        started = model.predict_chunk(block, top, predictor, rows, source, beside)
        rows += len(block)
        if waiting is not None:
            yield waiting
        waiting = started
    if waiting is not None:
        yield waiting


def _cells(found: Predictions, first: int) -> list[list]:
    """The columns of the CSV: numbers as text of six digits, nothing where there is none."""

    def cells(column: np.ndarray) -> list:
        if column.dtype.kind != "f":
            return column.tolist()
        return np.where(np.isnan(column), "", np.char.mod("%.6g", column)).tolist()

    return [cells(column) for column in found.columns(first).values()]
