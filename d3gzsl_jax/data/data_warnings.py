"""What of a benchmark can be trained on and will hardly do what its user hopes for: told plainly, not refused."""

import numpy as np

from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.data.scaling import SplitArrays
from d3gzsl_jax.data.semantics import doubts_on_semantics

# Where the mean of a dimension lies within its range over trainval, on average over dimensions: 0.05 to 0.13 for features after a
# ReLU (VGG and EfficientNet on CUB and FLO), 0.32 for the digits' pixels, 0.5 for Gaussian ones.
_DENSE = 0.4
_DENSE_TWO_SIDED = 0.2
_TWO_SIDED = 0.2  # share of the values that are below 0


def find_doubts(data: GZSLData, arrays: SplitArrays) -> list[str]:
    """A line for each doubt, naming the file, and the class and dimension where there is one; [] where there is none.

    Args:
        data: validated.
        arrays: its rows, scaled.
    """
    found = []
    if not len(data.test_unseen):
        found.append(_without_unseen_rows(data))
    elif not len(data.test_seen):
        found.append(
            f"{data.key('test_seen')}: no rows: this is a split for conventional zero-shot learning. T1 is its result; S, H, "
            "AUSUC and what else needs test rows of seen classes are not known (null)"
        )
    return found + _doubts_on_features(data, arrays) + doubts_on_semantics(data)


def _without_unseen_rows(data: GZSLData) -> str:
    named, known = data.key("test_unseen"), "U, H, T1, AUSUC and what else needs them are not known (null), S is"
    if not len(data.test_seen):
        named, known = f"{data.key('test_seen')} and {named}", "no figure is known on test rows (null)"
    return (
        f"{named}: no rows: of unseen classes there are semantics alone, and nothing tests them: {known}. "
        "config.eval.selection='validation' measures all of it on folds inside trainval, with seen classes held out as if unseen"
    )


def _doubts_on_features(data: GZSLData, arrays: SplitArrays) -> list[str]:
    means = arrays.train_features.mean(axis=0, dtype=np.float64)
    varying = arrays.train_features.max(axis=0) > arrays.train_features.min(axis=0)
    middle = float(means[varying].mean())
    negative = float(np.mean(data.features[data.trainval] < 0))
    if middle <= (_DENSE_TWO_SIDED if negative > _TWO_SIDED else _DENSE):
        return []
    sides = f"two-sided ({100 * negative:.0f} % of the values are below 0)" if negative > _TWO_SIDED else "far from 0 as a rule"
    return [
        f"{data.key('features')}: these features are dense and {sides}: on average the mean of a dimension lies at {middle:.2f} of "
        "its range over trainval, where features after a ReLU have it near 0.1. They do not suit min-max scaling and a generator "
        "that ends in a ReLU, and unseen classes may be recognised worse than by chance; take features after a ReLU, or give "
        "max(x, 0) and max(-x, 0) of centred ones as dimensions of their own, and compare with d3gzsl baselines, which "
        "synthesizes nothing"
    ]
