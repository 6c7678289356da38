"""The package's objects for a recording of f-VAEGAN-D2, TF-VAEGAN or CADA-VAE, made as a run makes them: of a configuration, which
has the recorded options, and of data, which are the recorded raw arrays."""

import dataclasses
from typing import Any

import jax.numpy as jnp
import numpy as np

from configs import default
from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.data.scaling import scale_splits
from d3gzsl_jax.data.semantics import normalize_semantics
from d3gzsl_jax.frameworks.structures import Classes
from d3gzsl_jax.training.build import build as build_model
from tools.parity_parts.comparison import EXACT, Comparison
from tools.parity_parts.recording import Recording
from tools.parity_parts.replay_steps import Setup

CONSTANT_RATES = {f"train.{of}_factor": 1.0 for of in ("generator", "critic", "student", "confidence")}


def read_data(recording: Recording, normalized: bool) -> GZSLData:
    """The raw `.mat` arrays as a benchmark, semantics divided by their norms or not."""
    rows = lambda key: recording[f"mat/{key}"].ravel().astype(np.int64) - 1  # noqa: E731
    semantics = np.asarray(recording["mat/att"].T, np.float32)
    data = GZSLData(
        name="recording", features=recording["mat/features"].T, labels=rows("labels"), semantics=semantics,
        class_names=tuple(map(str, range(len(semantics)))), trainval=rows("trainval_loc"),
        test_seen=rows("test_seen_loc"), test_unseen=rows("test_unseen_loc"),
    )
    return dataclasses.replace(data, semantics=normalize_semantics(data)) if normalized else data


def replay_preprocessing(recording: Recording, data: GZSLData, out: Comparison) -> None:
    """Our preprocessing of the raw arrays against the recorded arrays."""
    arrays = scale_splits(data)
    for split in ("train", "test_seen", "test_unseen"):
        for field, key in (("features", "feature"), ("labels", "label")):
            recorded = f"data/{split}_{key}"
            out.add("preprocessing", recorded, getattr(arrays, f"{split}_{field}"), recording[recorded], EXACT)
    for ours, key in ((data.semantics, "attribute"), (data.seen_classes, "seen_classes"), (data.unseen_classes, "unseen_classes")):
        out.add("preprocessing", f"data/{key}", ours, recording[f"data/{key}"], EXACT)


def build(recording: Recording, data: GZSLData, framework: str, fields: dict[str, Any]) -> Setup:
    """The objects of a run of a base method without D3.

    Args:
        framework: its name.
        fields: what the recorded options make of the configuration, by dotted field.
    """
    config = default.get_config("base")
    config.update_from_flattened_dict({"framework": framework, **CONSTANT_RATES, **fields})
    model = build_model(config, data)
    classes = Classes(  # as recorded: normalised semantics may differ from ours in the last bit
        semantics=jnp.asarray(recording.shaped("data/attribute", *data.semantics.shape), jnp.float32),
        seen=model.classes.seen, unseen=model.classes.unseen,
    )  # fmt: skip
    return Setup(
        model.objective, model.optimization, model.teacher_training, classes, model.final_classifier,
        n_critic=config.train.n_critic, batch_size=config.train.batch_size, epochs=config.train.epochs,
    )  # fmt: skip
