"""What a configuration leaves to be chosen by the data's size: widths of networks, rows of a batch, folds of validation."""

from collections.abc import Sequence

from ml_collections import ConfigDict

from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.data.folds import folds
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.system import processes

_BATCH = 64  # rows, where there are as many
_WIDTHS = (64, 512)  # at least and at most
_FOLDS = ((12, 4), (40, 3), (100, 2))  # up to so many seen classes, so many


def leaves_open(config: ConfigDict) -> bool:
    """Whether a configuration leaves anything to be chosen."""
    networks = config.networks
    widths = (networks.generator_hidden, networks.critic_hidden, networks.embedding)
    return 0 in (*widths, config.train.batch_size, config.teacher.batch_size, config.eval.folds)


def fold_count(seen: int) -> int:
    """Folds of validation for so many seen classes: the fewer there are, the more a single fold says by chance."""
    return next((count for most, count in _FOLDS if seen <= most), 1)


def chosen(config: ConfigDict, data: GZSLData, benchmarks: Sequence[GZSLData] = ()) -> ConfigDict:
    """A configuration with every 0 that asks for a choice replaced by it.

    A hidden width is the power of two at or above the larger number of features and semantic dimensions, an embedding's that at or
    above half the features, all from 64 to 512. A batch has 64 rows, or as many as the smallest of trainval and its folds.

    Args:
        config: checked; it stays as it is.
        data: what is trained on.
        benchmarks: the folds, which are trained on before, to choose; `sized` knows them.
    """
    found = config.copy_and_resolve_references()
    networks, hidden = found.networks, _width(max(data.feature_size, data.semantic_size))
    networks.generator_hidden = networks.generator_hidden or hidden
    networks.critic_hidden = networks.critic_hidden or hidden
    networks.embedding = networks.embedding or _width(data.feature_size / 2)
    rows = min(len(of.trainval) for of in (data, *benchmarks))
    found.eval.folds = found.eval.folds or fold_count(len(data.seen_classes))
    found.train.batch_size = found.train.batch_size or min(_BATCH, rows)
    found.teacher.batch_size = found.teacher.batch_size or min(found.train.batch_size, rows)
    return found


def folds_of(config: ConfigDict, data: GZSLData, criterion: str = "") -> list[GZSLData]:
    """The folds of a run.

    Args:
        config: whose config.eval says what they are.
        data: what is folded.
        criterion: of a baseline, what it is chosen by, whatever config.eval.criterion says; '' for a run.

    Raises:
        UserError: there are too few seen classes, or too few rows of them.
    """
    of = config.eval
    found = folds(data, of.folds, of.fold_seed, of.fold_classes, of.fold_rows)
    if (criterion or of.criterion) != "zsl" and not all(len(fold.test_seen) for fold in found):
        who = "baselines are chosen by H on folds" if criterion else f"config.eval.criterion={of.criterion!r}"
        raise UserError(
            f"{who}: too few trainval rows of {data.name} for a fold to hold out any of a seen class, and H is not known without; "
            f"give {'' if criterion else repr('zsl') + ', '}a larger config.eval.fold_rows, or more rows"
        )
    return found


def sized(config: ConfigDict, data: GZSLData) -> ConfigDict:
    """The configuration with what it leaves to be chosen by the size of the data: the one that is trained, and recorded.

    Raises:
        UserError: there are no such folds.
    """
    if not leaves_open(config):
        return config
    config = config.copy_and_resolve_references()
    config.eval.folds = config.eval.folds or fold_count(len(data.seen_classes))
    benchmarks = processes.agreed(lambda: folds_of(config, data)) if config.eval.selection == "validation" else []
    return chosen(config, data, benchmarks)


def _width(size: float) -> int:
    """The power of two at or above a size, within `_WIDTHS`."""
    least, most = _WIDTHS
    width = least
    while width < min(size, most):
        width *= 2
    return width
