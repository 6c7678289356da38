"""What the published code of a framework has in common over its benchmarks, as values by dotted field."""

from typing import Any

from d3gzsl_jax.config.variants import D3_WEIGHTS

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


def tfvaegan(*, n_syn: int, epochs: int, learning_rate: float, **fields: Any) -> dict[str, Any]:
    """TF-VAEGAN: batches of 64, constant learning rates, unit semantics, noise as wide as these, T1 by a softmax of its own. Its
    code uses one number for the synthesized rows of a class and for the final classifier's batch. Here an epoch is two passes.
    Weights of D3: nothing is published; see docs/choosing.md.

    Args:
        n_syn: that number.
        epochs: of training.
        learning_rate: of encoder, generator and critic.
        fields: further ones, with __ for the dot.
    """
    return {
        "data.normalize_semantics": True, "train.batch_size": 64, "train.epochs": epochs, "train.learning_rate": learning_rate,
        "train.generator_factor": 1.0, "train.critic_factor": 1.0, "classifier.epochs": 25, "classifier.n_syn": n_syn,
        "classifier.batch_size": n_syn, "classifier.zsl": "own", "eval.every_epochs": 5, **_distilled(1.0), **_dotted(fields),
    }  # fmt: skip


def fvaegan(*, n_syn: int, epochs: int, learning_rate: float, **fields: Any) -> dict[str, Any]:
    """f-VAEGAN-D2: no code of its authors is public; the settings are those of TF-VAEGAN, which is built on it. An epoch is one
    pass. Arguments as of `tfvaegan`."""
    return tfvaegan(n_syn=n_syn, epochs=epochs, learning_rate=learning_rate, **fields)


def zerodiff(*, n_syn: int, **fields: Any) -> dict[str, Any]:
    """ZeroDiff: both stages for 300 epochs with batches of 64, constant learning rates, unit semantics, noise as wide as these, T1
    by a softmax of its own. Its code uses one number for the synthesized rows of a class and for the final classifier's batch.
    Options of its own: those of its scripts, which are for AWA2 alone. Weights of D3: nothing is published; see docs/choosing.md.

    Args:
        n_syn: that number.
        fields: further ones, with __ for the dot.
    """
    return tfvaegan(n_syn=n_syn, epochs=300, learning_rate=5e-4) | _dotted(fields)


def cadavae(*, classifier_epochs: int, zsl_epochs: int, **fields: Any) -> dict[str, Any]:
    """CADA-VAE: the same settings for all benchmarks but for the epochs of its classifiers, which its authors chose on a validation
    split. Weights of D3: nothing is published; see docs/choosing.md.

    Args:
        classifier_epochs: of the final classifier.
        zsl_epochs: of the one that T1 comes from.
        fields: further ones, with __ for the dot.
    """
    return {
        "train.batch_size": 50, "train.epochs": 100, "train.learning_rate": 1.5e-4, "train.generator_factor": 1.0,
        "guards.loss_limit": 1e8,  # losses are sums over rows and dimensions
        "guards.diversity": 1e-6,  # it makes nearly the same row of a class by its nature, a thousandth of what real rows vary
        "classifier.epochs": classifier_epochs, "classifier.n_syn": 400, "classifier.batch_size": 32, "classifier.zsl": "own",
        "classifier.zsl_epochs": zsl_epochs, "classifier.zsl_n_syn": 200, "eval.every_epochs": 10, **_distilled(1.0),
        **_dotted(fields),
    }  # fmt: skip


def free(*, n_syn: int, epochs: int, learning_rate: float = 1e-4, **fields: Any) -> dict[str, Any]:
    """FREE: constant learning rates, unit semantics, noise as wide as these, one critic update an outer step. Its code uses one
    number for the synthesized rows of a class and for the final classifier's batch. Here an epoch is two passes. Weights of D3:
    nothing is published; see docs/choosing.md.

    Args:
        n_syn: that number.
        epochs: of training.
        learning_rate: of all but the refiner.
        fields: further ones, with __ for the dot.
    """
    recipe = tfvaegan(n_syn=n_syn, epochs=epochs, learning_rate=learning_rate)
    return recipe | {"train.n_critic": 1, "classifier.zsl": "restricted", **_dotted(fields)}


def _factors(value: float) -> dict[str, float]:
    return {f"train.{name}_factor": value for name in _FACTORS}


def _distilled(weight: float) -> dict[str, float]:
    """Weights of D3's terms, which the variant without D3 leaves out."""
    return {f"{D3_WEIGHTS}{name}": weight for name in ("cls", "od", "be", "kl")}


def _dotted(fields: dict[str, Any]) -> dict[str, Any]:
    return {name.replace("__", "."): value for name, value in fields.items()}
