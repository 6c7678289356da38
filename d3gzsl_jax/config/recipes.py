"""What the published code of a framework has in common over its benchmarks, as values by dotted field."""

from typing import Any

_FACTORS = ("generator", "critic", "student", "confidence")


def fclswgan(*, n_syn: int, epochs: int, **fields: Any) -> dict[str, Any]:
    """f-CLSWGAN: batches of 64, constant learning rates. Its code uses one number for the synthesized rows of a class and for the
    final classifier's batch.

    Args:
        n_syn: that number.
        epochs: of training.
        fields: further ones, with __ for the dot.
    """
    return {
        "train.batch_size": 64, "train.epochs": epochs, **_factors(1.0),
        "classifier.n_syn": n_syn, "classifier.batch_size": n_syn, "eval.every_epochs": 5, **_dotted(fields),
    }  # fmt: skip


def cegzsl(*, batch_size: int, decay_every: int, n_syn: int, epochs: int, **fields: Any) -> dict[str, Any]:
    """CE-GZSL: all learning rates x 0.99 at the end of every `decay_every`-th epoch; 50 synthesized rows per unseen class in D3's
    terms (the released D3 options for CE-GZSL on CUB). Its code, too, uses one number for the synthesized rows of a class and for
    the final classifier's batch.

    Args:
        batch_size: of training.
        decay_every: epochs.
        n_syn: that number.
        epochs: of training.
        fields: further ones, with __ for the dot.
    """
    return {
        "train.batch_size": batch_size, "train.decay_every": decay_every, "train.epochs": epochs, **_factors(0.99),
        "train.steps_per_call": 4, "distillation.n_syn": 50, "classifier.n_syn": n_syn, "classifier.batch_size": n_syn,
        "eval.every_epochs": 10, **_dotted(fields),
    }  # fmt: skip


def _factors(value: float) -> dict[str, float]:
    return {f"train.{name}_factor": value for name in _FACTORS}


def _dotted(fields: dict[str, Any]) -> dict[str, Any]:
    return {name.replace("__", "."): value for name, value in fields.items()}
