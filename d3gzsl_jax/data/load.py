"""From config.data to a validated GZSLData."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.data.digits import read_digits
from d3gzsl_jax.data.formats.forms import usual_form
from d3gzsl_jax.data.formats.from_tfds import read_tfds
from d3gzsl_jax.data.formats.not_found import one_file
from d3gzsl_jax.data.formats.open_npz import read_npz
from d3gzsl_jax.data.formats.representation_file import add_representations
from d3gzsl_jax.data.formats.xlsa17 import read_xlsa17
from d3gzsl_jax.data.semantics import check_semantics, normalize_semantics
from d3gzsl_jax.data.stress import OFF, stress
from d3gzsl_jax.data.subset import declare_unseen, leave_out
from d3gzsl_jax.data.validate import validate
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.system import paths
from d3gzsl_jax.text import clean_name, shortened

_APPLIED = ("representation_file", "unseen_classes", "leave_out")
_ASKED = "asked"  # in provenance: those of them by which the data was made, as the configuration had them


def load(name: str, config: ConfigDict) -> GZSLData:
    """Reads, validates and, where asked, normalises the semantics of one benchmark.

    Args:
        name: config.dataset; an npz file brings its own.
        config: config.data (source, root, manual_dir, feature_file, representation_file, semantics, unseen_classes, leave_out,
            stress, normalize_semantics).

    Raises:
        UserError: data missing or wrong; the message names file, key and row.
    """
    name, option = clean_name(name) or "data", "--config.data.root"
    if config.source == "digits":
        data = read_digits()
    elif config.source == "npz":
        data = read_npz(one_file(config.root))
    elif config.source == "tfds":
        folders = [_folder(config[field], f"--config.data.{field}") for field in ("root", "manual_dir")]
        data = read_tfds(name, config.semantics, *folders)
    else:
        feature_file = paths.clean(config.feature_file, "--config.data.feature_file")
        data = read_xlsa17(paths.clean(config.root, option), name, feature_file, config.semantics)
    if given := config.get("representation_file", ""):
        path = paths.clean(given, "--config.data.representation_file")
        folder = paths.clean(config.root, option) if config.source == "mat" else Path()
        data = add_representations(data, folder / path)
    if unseen := config.get("unseen_classes", ""):
        data = declare_unseen(usual_form(data), unseen)
    data = validate(data)
    if config.leave_out:
        data = validate(leave_out(data, config.leave_out))
    stressed = stress(data, config.get("stress", OFF))
    data = validate(stressed) if stressed is not data else data
    if asked := {field: config[field] for field in _APPLIED if config.get(field, "")}:
        data = dataclasses.replace(data, provenance=dict(data.provenance) | {_ASKED: asked})
    return _normalized(data, config.normalize_semantics)


def at_hand(data: GZSLData, config: ConfigDict) -> GZSLData:
    """Data that a caller has, as a run of `config` is trained on it: validated, its semantics normalised where config.data says so
    and they are not yet. What else config.data does to data was done when `load` read it, or it is refused: the configuration of a
    run is to say what it was trained on.

    Args:
        data: of `load`, or made otherwise.
        config: config.data; of where data lies it says nothing here.

    Raises:
        UserError: the data is wrong, or was not made as a field says, which is named.
    """
    data = validate(data)
    known: dict[str, Any] = {"source": "arrays", "feature_file": "", "semantics": "arrays", "sha256": {}} | dict(data.provenance)
    made, wanted = _by_field(known.get(_ASKED, {}), known.get("stress", {})), _by_field(config, config.get("stress", {}))
    if not known.get("stress") or made == wanted:  # without stress its seed means nothing
        del made["stress.seed"], wanted["stress.seed"]
    for field, value in wanted.items():
        if value != made[field]:
            raise UserError(
                f"config.data.{field}={shortened(value)}: the data that is given was made with {shortened(made[field])}; make it "
                "by load_data(config), or set the field as it was made"
            )
    is_unit = bool(known.get("normalized"))
    if is_unit and not config.normalize_semantics:
        raise UserError(
            "config.data.normalize_semantics=False: the semantics of the data that is given were normalised when it was loaded; "
            "make it by load_data(config), or set the field to True"
        )
    data = dataclasses.replace(data, provenance=known)
    return data if is_unit else _normalized(data, config.normalize_semantics)


def _by_field(asked: Mapping[str, Any], stressed: Mapping[str, Any]) -> dict[str, Any]:
    """By field what a benchmark is made with besides its files."""
    found = {field: asked.get(field, "") for field in _APPLIED}
    return found | {f"stress.{name}": stressed.get(name, off) for name, off in (OFF | {"seed": 0}).items()}


def _normalized(data: GZSLData, normalizes: bool) -> GZSLData:
    """Validated data with semantics of length 1, if it `normalizes`, and a note of whether it does."""
    semantics = normalize_semantics(data) if normalizes else data.semantics
    data = dataclasses.replace(data, semantics=semantics, provenance=dict(data.provenance) | {"normalized": bool(normalizes)})
    if normalizes:
        check_semantics(data, " after normalisation")
    return data


def _folder(given: str, option: str) -> str | None:
    """A folder for TFDS, which reads object stores itself; None where none is given."""
    if not given or paths.scheme_of(given) in paths.BUCKETS:
        return given or None
    return str(paths.clean(given, option))
