"""Harder versions of a benchmark: long tails, few rows, shifted test priors, noise, fewer classes (docs/stress.md)."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from d3gzsl_jax.data.benchmark import TESTED, GZSLData
from d3gzsl_jax.data.subset import without_classes
from d3gzsl_jax.errors import UserError

OFF = {
    "imbalance": 1.0, "seen_rows": 1.0, "test_imbalance": 1.0, "feature_noise": 0.0, "semantic_noise": 0.0,
    "seen_classes": 0, "unseen_classes": 0,
}  # fmt: skip


def stress(data: GZSLData, options: Mapping[str, Any]) -> GZSLData:
    """The stressed version of validated data; `data` itself where every option is off.

    Everything drawn follows from options['seed'], each kind of stress from a stream of its own. Noise is made first, on the whole
    benchmark, and which classes are kept is drawn among all: neither depends on what else is asked for. Rows are cut afterwards:
    which of them stay depends on the classes that are left, and under seen_rows and imbalance together on both.
    The name says what was done, and so does provenance['stress'].

    Args:
        data: validated; validate what is returned.
        options: config.data.stress.

    Raises:
        UserError: more classes are to be kept than there are.
    """
    chosen = {name: options[name] for name in OFF if options[name] != OFF[name]}
    if not chosen:
        return data
    seed = int(options["seed"])
    rng = lambda name: np.random.default_rng([seed, *name.encode()])  # noqa: E731
    if "feature_noise" in chosen:
        data = dataclasses.replace(data, features=noisy_features(data, chosen["feature_noise"], rng("feature_noise")))
    if "semantic_noise" in chosen:
        spread = data.semantics[data.seen_classes].std(axis=0)
        noise = rng("semantic_noise").standard_normal(data.semantics.shape) * spread * chosen["semantic_noise"]
        data = dataclasses.replace(data, semantics=(data.semantics + noise).astype(data.semantics.dtype))
    for role in ("seen_classes", "unseen_classes"):
        if role in chosen:
            classes, kept = getattr(data, role), chosen[role]
            if kept > len(classes):
                raise UserError(
                    f"config.data.stress.{role}={kept}: {data.name} has {len(classes)} {role.replace('_', ' ')}; give at most as "
                    "many, or 0 for all"
                )
            dropped = rng(role).permutation(classes)[kept:]
            data = without_classes(data, np.isin(np.arange(data.class_count), dropped))
    if "seen_rows" in chosen:
        data = dataclasses.replace(data, trainval=keep_share(data.labels, data.trainval, chosen["seen_rows"], rng("seen_rows")))
    if "imbalance" in chosen:
        data = dataclasses.replace(data, trainval=long_tail(data.labels, data.trainval, chosen["imbalance"], rng("imbalance")))
    if "test_imbalance" in chosen:
        ratio = chosen["test_imbalance"]
        tails: dict[str, Any] = {role: long_tail(data.labels, getattr(data, role), ratio, rng(role)) for role in TESTED}
        data = dataclasses.replace(data, **tails)
    told = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in chosen.items())
    provenance = dict(data.provenance) | {"stress": chosen | {"seed": seed}}
    return dataclasses.replace(data, name=f"{data.name}, {told}", provenance=provenance)


def keep_share(labels: np.ndarray, rows: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """`share` of the rows of each class (rounded, at least one), drawn at random; ascending row numbers.

    Args:
        labels: (N,) of all rows.
        rows: (n,) row numbers to draw from.
        share: in (0, 1].
    """
    return _keep(labels, rows, lambda counts: np.maximum(np.rint(counts * share), 1), rng)


def long_tail(labels: np.ndarray, rows: np.ndarray, imbalance: float, rng: np.random.Generator) -> np.ndarray:
    """Rows whose number falls off exponentially over the classes (Cui et al. 2019, arXiv 1901.05555); ascending row numbers.

    The class at rank r of R keeps at most n imbalance^(-r / (R - 1)) rows, and at least one; n is the size of the largest class,
    ranks are drawn at random. A class that is smaller than that to begin with keeps all it has.

    Args:
        labels: (N,) of all rows.
        rows: (n,) row numbers to draw from.
        imbalance: the largest class over the smallest, at least 1.
    """
    if not len(rows):
        return rows
    classes = np.unique(labels[rows])
    rank = np.zeros(int(labels.max()) + 1)
    rank[rng.permutation(classes)] = np.arange(len(classes)) / max(len(classes) - 1, 1)

    def sizes(counts: np.ndarray) -> np.ndarray:
        return np.maximum(np.rint(counts.max() * imbalance ** -rank[: len(counts)]), 1)

    return _keep(labels, rows, sizes, rng)


def _keep(labels: np.ndarray, rows: np.ndarray, sizes: Callable[[np.ndarray], np.ndarray], rng: np.random.Generator) -> np.ndarray:
    """Of each class at most so many rows as `sizes`(rows by class) says, drawn at random."""
    shuffled = rng.permutation(rows)
    order = np.argsort(labels[shuffled], kind="stable")
    ordered = shuffled[order]
    counts = np.bincount(labels[ordered])
    # Place of a row among those of its class, in the shuffled order.
    place = np.arange(len(ordered)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.sort(ordered[place < sizes(counts)[labels[ordered]]])


def noisy_features(data: GZSLData, amount: float, rng: np.random.Generator) -> np.ndarray:
    """All features (N, dx) with Gaussian noise of `amount` standard deviations of each dimension over trainval: float64 if they are
    that, else float32. A dimension that is never negative in trainval, as after a ReLU, is clipped at 0: of its
    zeros about half stay so."""
    train = data.features[data.trainval]
    with np.errstate(over="ignore", invalid="ignore"):
        spread = train.std(axis=0, dtype=np.float32)
    if not np.isfinite(spread).all():  # squares leave float32 long before the values do
        spread = train.std(axis=0, dtype=np.float64)
    spread = (amount * spread).astype(np.float32)
    own = np.float64 if data.features.dtype.type is np.float64 else np.float32
    noisy = data.features.astype(own) + rng.standard_normal(data.features.shape, dtype=np.float32) * spread
    noisy = np.maximum(noisy, np.where(train.min(axis=0) >= 0, 0.0, -np.inf).astype(noisy.dtype))
    return noisy
