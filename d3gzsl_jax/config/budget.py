"""How long a run trains, in outer steps, and its teacher, in updates: by epochs over the rows, or by a budget that is the same for
any number of rows."""

import math

from ml_collections import ConfigDict

from d3gzsl_jax.errors import UserError


def steps_of_epoch(config: ConfigDict, rows: int, passes: int) -> int:
    """Outer steps of an epoch.

    Args:
        config: of the run; with train.outer_steps an epoch is an equal part of them.
        rows: of trainval.
        passes: of the framework, in an epoch.

    Raises:
        UserError: the budget cannot be cut so.
    """
    train = config.train
    if not train.outer_steps:
        return passes * math.ceil(rows / train.batch_size)
    per_epoch = train.outer_steps // train.epochs
    if per_epoch % passes:
        raise UserError(
            f"config.train.outer_steps={train.outer_steps}: {per_epoch} for each of config.train.epochs={train.epochs}, which "
            f"{config.framework} goes through in {passes} passes; give a multiple of {passes * train.epochs}"
        )
    return per_epoch


def epochs_of_teacher(epochs: int, updates: int, rows: int, batch: int) -> int:
    """Epochs of the teacher's pretraining.

    Args:
        epochs: config.teacher.epochs.
        updates: config.teacher.updates; 0: there is no budget.
        rows: of trainval, at least `batch`.
        batch: config.teacher.batch_size; an epoch has no partial batch.
    """
    return math.ceil(updates / (rows // batch)) if updates else epochs


def check_budget(config: ConfigDict) -> None:
    """Refuses a budget that its epochs cannot share evenly.

    Raises:
        UserError: with the nearest that they can.
    """
    steps, epochs = config.train.outer_steps, config.train.epochs
    if steps % epochs:
        nearest = max(round(steps / epochs), 1) * epochs
        raise UserError(
            f"config.train.outer_steps={steps}: cannot be cut into config.train.epochs={epochs} equal parts; give "
            f"--config.train.outer_steps={nearest}, or other --config.train.epochs"
        )


def set_epochs(config: ConfigDict, epochs: int) -> None:
    """Makes a configuration one for another number of epochs of the same length."""
    if config.train.outer_steps:
        config.train.outer_steps = config.train.outer_steps // config.train.epochs * epochs
    config.train.epochs = epochs
