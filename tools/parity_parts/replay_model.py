"""The package's objects for a recording of f-VAEGAN-D2, TF-VAEGAN or CADA-VAE, made as a run makes them: of a configuration, which
has the recorded options, and of data, which are the recorded raw arrays."""

from typing import Any

import jax.numpy as jnp

from configs import default
from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.frameworks.structures import Classes
from d3gzsl_jax.training.build import build as build_model
from tools.parity_parts.recording import Recording
from tools.parity_parts.replay_steps import Setup

CONSTANT_RATES = {f"train.{of}_factor": 1.0 for of in ("generator", "critic", "student", "confidence")}


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
