"""From config.data to a validated GZSLData."""

import dataclasses
from pathlib import Path

from ml_collections import ConfigDict

from d3gzsl_jax.data.digits import read_digits
from d3gzsl_jax.data.from_tfds import read_tfds
from d3gzsl_jax.data.gzsl_data import GZSLData
from d3gzsl_jax.data.open_npz import read_npz
from d3gzsl_jax.data.semantics import check_semantics, normalize_semantics
from d3gzsl_jax.data.stress import OFF, stress
from d3gzsl_jax.data.subset import leave_out
from d3gzsl_jax.data.validate import validate
from d3gzsl_jax.data.xlsa17 import read_xlsa17

SOURCES = ("mat", "npz", "tfds", "digits")
SEMANTICS = ("att", "sent")


def load(name: str, config: ConfigDict) -> GZSLData:
    """Reads, validates and, where asked, normalises the semantics of one benchmark.

    Args:
        name: config.dataset; an npz file brings its own.
        config: config.data (source, root, manual_dir, feature_file, semantics, leave_out, stress, normalize_semantics).

    Raises:
        UserError: data missing or wrong; the message names file, key and row.
    """
    if config.source == "digits":
        data = read_digits()
    elif config.source == "npz":
        data = read_npz(config.root)
    elif config.source == "tfds":
        data = read_tfds(name, config.semantics, config.root or None, config.manual_dir or None)
    else:
        data = read_xlsa17(Path(config.root), name, config.feature_file, config.semantics)
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
