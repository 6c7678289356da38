"""What of a benchmark can be trained on and will hardly do what its user hopes for: told plainly, not refused."""

import numpy as np

from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.data.feature_profile import profile
from d3gzsl_jax.data.scaling import SplitArrays
from d3gzsl_jax.data.semantics import doubts_on_semantics
from d3gzsl_jax.text import listed

CLASSES = {"AWA1": 50, "AWA2": 50, "SUN": 717, "CUB": 200, "APY": 32, "FLO": 102}
"""Of the benchmarks in the xlsa17 layout (Xian et al. 2018, table 1; Nilsback and Zisserman 2008)."""
_MANY = 0.2  # share of the scaled values that are below 0


def find_doubts(
    data: GZSLData, arrays: SplitArrays, framework: str = "wgan", ends_in: str = "relu", unit_range: bool = False,
    has_folds: bool = False,
) -> list[str]:
    """A line for each doubt, naming the file, and the class and dimension where there is one; [] where there is none.

    Args:
        data: validated.
        arrays: its rows, scaled.
        framework: what is trained on them.
        ends_in: what its generator ends in.
        unit_range: whether it needs scaled features in [0, 1].
        has_folds: whether folds measure what rows of unseen classes would; then it is no doubt that there are none.
    """
    found = []
    if not len(data.test_unseen):
        found += [] if has_folds else [_without_unseen_rows(data)]
    elif not len(data.test_seen):
        found.append(
            f"{data.key('test_seen')}: no rows: this is a split for conventional zero-shot learning. T1 is its result; S, H, "
            "AUSUC and what else needs test rows of seen classes are not known (null)"
        )
    found += _doubt_on_name(data)
    return found + _doubts_on_features(data, arrays, framework, ends_in, unit_range) + doubts_on_semantics(data)


def _doubt_on_name(data: GZSLData) -> list[str]:
    """Of a benchmark's files that are called by another one's name, as the number of their classes says."""
    known = CLASSES.get(data.name.upper())  # what leaves classes out changes the name
    others = [name for name, classes in CLASSES.items() if classes == data.class_count]
    if known in (None, data.class_count) or not others:
        return []
    return [
        f"config.dataset={data.name}: that benchmark has {known} classes, {data.key('semantics')} has {data.class_count}, as "
        f"{listed(others)}; results would be told under the wrong name: give --config.dataset=NAME, or the other folder"
    ]


def _without_unseen_rows(data: GZSLData) -> str:
    named, known = data.key("test_unseen"), "U, H, T1, AUSUC and what else needs them are not known (null), S is"
    if not len(data.test_seen):
        named, known = f"{data.key('test_seen')} and {named}", "no figure is known on test rows (null)"
    return (
        f"{named}: no rows: of unseen classes there are semantics alone, and nothing tests them: {known}. "
        "with config.eval.selection='validation' all of it is measured on folds inside trainval, with seen classes as if unseen"
    )


def _doubts_on_features(data: GZSLData, arrays: SplitArrays, framework: str, ends_in: str, unit_range: bool) -> list[str]:
    if arrays.scaling.kind == "minmax":
        return _doubts_on_dense(data, framework, unit_range)
    below = float(np.mean(arrays.train_features < 0))
    if ends_in == "linear" or below <= _MANY:
        return []
    return [
        f"{data.key('features')}: with config.data.scaling={arrays.scaling.kind!r} {100 * below:.0f} % of the scaled values are "
        f"below 0, which a generator that ends in a {ends_in} never makes; give --config.networks.output=linear, or auto"
    ]


def _doubts_on_dense(data: GZSLData, framework: str, unit_range: bool) -> list[str]:
    """Of features that are scaled to [0, 1]."""
    found = profile(data.features[data.trainval])
    if not found.is_dense:
        return []
    sides = f"two-sided ({100 * found.negatives:.0f} % of the values are below 0)" if found.is_two_sided else "far from 0 as a rule"
    options = "--config.data.scaling=auto --config.networks.output=auto"
    advice = f"give {options}"
    if unit_range:
        advice = f"{framework} needs [0, 1]: take another framework (wgan, fclswgan, cegzsl) with {options}"
    return [
        f"{data.key('features')}: these features are dense and {sides}: on average the mean of a dimension lies at "
        f"{found.middle:.2f} of its range over trainval, where features after a ReLU have it near 0.1. They do not suit min-max "
        "scaling and a generator that ends in a ReLU, and unseen classes may be recognised worse than by chance; "
        f"{advice}, and compare with d3gzsl baselines, which synthesizes nothing"
    ]
