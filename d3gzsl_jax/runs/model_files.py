"""A trained model as a folder: its arrays, its notes and the digests of both."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from d3gzsl_jax.config import check, saved_config
from d3gzsl_jax.data.scaling import Scaling
from d3gzsl_jax.errors import UserError, cannot_write
from d3gzsl_jax.evaluation.class_scores import ClassScores, FittedBaseline
from d3gzsl_jax.runs import contents, file_schemas, json_files
from d3gzsl_jax.runs.checkpoints import load_once, save_once
from d3gzsl_jax.runs.folder import plain
from d3gzsl_jax.system import paths
from d3gzsl_jax.text import one_line

_BASELINES = "baselines"
_ARRAYS = ("params", "semantics", "teacher", "classifier")
_REMEDY = "put a copy of it back; of a run, --checkpoint=last takes its newest state instead"


def output_folder(folder: str | Path, option: str, inputs: Sequence[Path] = ()) -> Path:
    """Where a model may be saved: nothing is there, or a model by itself; see `paths.clean_output`."""
    return contents.output(folder, option, contents.is_model, "saved model", inputs)


def write(folder: Path, fields: Mapping[str, Any]) -> None:
    """Writes a model, whole or not at all, in place of what is there.

    Args:
        folder: known to be free, or to hold what may go, see `output_folder`.
        fields: of a `TrainedModel`, by name.

    Raises:
        UserError: it cannot be written.
    """
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(folder, error) from None
    baselines: Mapping[str, FittedBaseline] = fields["baselines"]
    notes = {
        "format": saved_config.FORMAT, "name": fields["name"], "config": plain(fields["config"].to_dict()),
        "class_names": list(fields["class_names"]), "seen": fields["seen"].tolist(), "unseen": fields["unseen"].tolist(),
        "prediction": fields["prediction"], "step": fields["step"], "data_sha256": fields["data_digest"],
        "scaling": fields["scaling"].notes(),
        **({"gammas": dict(fields["gammas"])} if fields["gammas"] else {}),
        **({"folds": _finite(fields["folds"])} if fields["folds"] else {}),
        **({"advice": list(fields["advice"])} if fields["advice"] else {}),
        **({} if not baselines else {"baselines": {name: _noted(of) for name, of in baselines.items()}}),
        **({} if (further := fields["representation_scaling"]) is None else {"representation_scaling": further.notes()}),
        **({} if fields["encoders"] is None else {"encoders": plain(dict(fields["encoders"]))}),
    }  # fmt: skip
    arrays = {name: fields[name] for name in _ARRAYS} | {_BASELINES: {name: of.params for name, of in baselines.items()}}
    save_once(folder, {name: part for name, part in arrays.items() if part is not None and len(part)}, notes)


def read(folder: str | Path) -> dict[str, Any]:
    """The fields of a `TrainedModel`, by name, that `write` left in a folder, or in the folder 'model' of a run.

    Args:
        folder: of the run or the model.

    Raises:
        UserError: there is none, or it is damaged.
    """
    path = contents.model_folder(paths.clean(folder, "--workdir"))
    try:
        arrays, notes = load_once(path)
    except UserError as error:
        raise UserError(f"{error}; {_REMEDY}") from None
    if isinstance(notes, Mapping):
        saved_config.require_format(notes, path)
    json_files.checked(notes, file_schemas.ModelNotes, path, _REMEDY)
    config = saved_config.configuration(notes["config"], path)
    try:
        check.check(config)
    except UserError as error:
        raise UserError(f"{path}: {one_line(error)}; {_REMEDY}") from None
    semantics, scaling = _require_fit(path, arrays, notes)
    further = notes.get("representation_scaling")
    return {
        "name": notes["name"], "config": config, "semantics": semantics, "class_names": tuple(notes["class_names"]),
        "seen": np.asarray(notes["seen"], np.int32), "unseen": np.asarray(notes["unseen"], np.int32), "scaling": scaling,
        "params": arrays["params"], "teacher": arrays.get("teacher", {}), "classifier": arrays.get("classifier"),
        "prediction": notes["prediction"], "step": notes["step"], "data_digest": notes["data_sha256"],
        "representation_scaling": None if further is None else Scaling.from_notes(further), "encoders": notes.get("encoders"),
        "baselines": _baselines(path, arrays, notes), "gammas": notes.get("gammas") or {},
        "folds": notes.get("folds") or {}, "advice": tuple(notes.get("advice") or ()),
    }  # fmt: skip


def _finite(folds: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, float]]:
    """Figures of the folds that are known."""
    known = lambda value: isinstance(value, int | float) and math.isfinite(value)  # noqa: E731
    return {name: {key: float(value) for key, value in of.items() if known(value)} for name, of in folds.items()}


def _noted(of: FittedBaseline) -> dict[str, Any]:
    """What the notes hold of a baseline; its parameters are among the arrays."""
    numbers = {"gamma": of.gamma, "temperature": of.temperature}
    return {"normalized": of.scores.normalized, **numbers, "validation": plain(of.validation)}


def _baselines(path: Path, arrays: Mapping[str, Any], notes: Mapping[str, Any]) -> dict[str, FittedBaseline]:
    """The baselines of a saved model, refused where their parts do not belong together."""
    found, classes, size = {}, len(notes["class_names"]), len(notes["scaling"]["scale"])
    shapes = {"weights": (classes, size), "bias": (classes,), "factor": (size,), "offset": (size,)}
    for name, of in (notes.get(_BASELINES) or {}).items():
        params = (arrays.get(_BASELINES) or {}).get(name) or {}
        if {key: np.shape(value) for key, value in params.items()} != shapes:
            raise UserError(f"{path}: its baseline {one_line(name)} does not belong to it; {_REMEDY}")
        scores, temperature = ClassScores(of["normalized"]), of.get("temperature") or 1.0
        found[name] = FittedBaseline(scores, params, of["gamma"], of["validation"], temperature)
    return found


def _require_fit(path: Path, arrays: Any, notes: Mapping[str, Any]) -> tuple[np.ndarray, Scaling]:
    """Semantics and scaling of a saved model, refused where its parts do not belong together."""
    classes, scale, offset = len(notes["class_names"]), notes["scaling"]["scale"], notes["scaling"]["offset"]
    semantics = np.asarray(arrays.get("semantics")) if isinstance(arrays, Mapping) and "params" in arrays else np.zeros(0)
    ids = [*notes["seen"], *notes["unseen"]]
    if semantics.ndim != 2 or len(semantics) != classes or len(scale) != len(offset) or sorted(ids) != list(range(classes)):
        raise UserError(f"{path}: its classes, semantics, scaling and parameters do not belong together; {_REMEDY}")
    return semantics, Scaling.from_notes(notes["scaling"])
