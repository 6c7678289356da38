"""From config.data to a validated GZSLData."""

import dataclasses
from pathlib import Path

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
from d3gzsl_jax.system import paths
from d3gzsl_jax.text import clean_name


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
    semantics = normalize_semantics(data) if config.normalize_semantics else data.semantics
    provenance = dict(data.provenance) | {"normalized": bool(config.normalize_semantics)}
    data = dataclasses.replace(data, semantics=semantics, provenance=provenance)
    if config.normalize_semantics:
        check_semantics(data, " after normalisation")
    return data


def _folder(given: str, option: str) -> str | None:
    """A folder for TFDS, which reads object stores itself; None where none is given."""
    if not given or paths.scheme_of(given) in paths.BUCKETS:
        return given or None
    return str(paths.clean(given, option))
