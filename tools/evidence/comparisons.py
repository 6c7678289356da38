"""From kept results to comparisons: a base method on a benchmark with D3 and without, paired by seed."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from d3gzsl_jax.config.framework_fields import FRAMEWORKS
from d3gzsl_jax.evaluation.metrics import harmonic_mean
from d3gzsl_jax.evaluation.mixed_model import standardized
from d3gzsl_jax.evaluation.statistics import holm, paired
from d3gzsl_jax.studies.tables.command import find

FAMILIES = {
    "GAN": ("wgan", "fclswgan", "cegzsl"),
    "VAE": ("cadavae",),
    "VAE-GAN": ("fvaegan", "tfvaegan", "free"),
    "diffusion": ("zerodiff",),
}
"""Frameworks by what generates; one that is in none is a family of its own."""


def family_of(framework: str) -> str:
    """The family of a framework."""
    return next((family for family, members in FAMILIES.items() if framework in members), framework)


def _of(results: Mapping[str, Any], *keys: str) -> Mapping[str, Any] | None:
    found: Any = results
    for key in keys:
        found = (found or {}).get(key)
    return found


MEASURES: dict[str, Callable[[Mapping[str, Any]], Mapping[str, Any] | None]] = {
    "chosen": lambda results: results["metrics"],
    "calibrated": lambda results: results.get("calibrated"),
    "student": lambda results: _of(results, "predictions", "student", "metrics"),
    "classifier": lambda results: _of(results, "predictions", "classifier", "metrics"),
}
"""Whose metrics: those of the predictor that validation chose, as it is or calibrated; or of one of them."""


def percent(of: Sequence[Mapping[str, Any]], measure: str, metric: str) -> np.ndarray:
    """(n,) a metric of results, NaN where there is none.

    Args:
        of: n results.
        measure: of MEASURES.
        metric: 'harmonic', computed from U and S, or another of the metrics.
    """
    found = []
    for results in of:
        metrics = MEASURES[measure](results) or {}
        if metric == "harmonic" and metrics:
            found.append(harmonic_mean(metrics["unseen"], metrics["seen"]))
        else:
            found.append(metrics.get(metric, np.nan))
    return 100.0 * np.array(found, np.float64)


class Comparison(NamedTuple):
    """D3 on one base method and benchmark.

    Attributes:
        benchmark, framework, family: names.
        seeds: that both have.
        base, ours: results by seed, in that order.
    """

    benchmark: str
    framework: str
    family: str
    seeds: tuple[int, ...]
    base: tuple[Mapping[str, Any], ...]
    ours: tuple[Mapping[str, Any], ...]

    def values(self, which: str, measure: str, metric: str) -> np.ndarray:
        """(n,) percent by seed; NaN where there are none.

        Args:
            which: 'base' or 'ours'.
            measure: of MEASURES.
            metric: 'harmonic', computed from U and S, or another of the metrics.
        """
        return percent(self.base if which == "base" else self.ours, measure, metric)

    def differences(self, measure: str = "chosen", metric: str = "harmonic", base: str = "") -> np.ndarray:
        """What D3 adds, by seed, points; `base`: the measure of the base method, if another is meant."""
        return self.values("ours", measure, metric) - self.values("base", base or measure, metric)

    def statistics(self) -> dict[str, Any]:
        """Of H of what validation chose: 'base', 'with', means; what `statistics.paired` says; 'd', standardized; 'p' of the paired
        t-test, NaN for fewer than two seeds."""
        base, ours = (self.values(which, "chosen", "harmonic") for which in ("base", "ours"))
        p = float(stats.ttest_rel(ours, base).pvalue) if len(self.seeds) > 1 else float("nan")
        means = {"base": float(base.mean()), "with": float(ours.mean())}
        return {**means, **paired(ours, base), "d": standardized(ours - base), "p": p}


def further_use(results: Mapping[str, Any]) -> tuple[str, ...]:
    """What a run uses D3's student for besides what all do, which makes it another method than D3 by itself: 'ensemble', it and the
    classifier together could be chosen (config.eval.ensemble); 'embedding', the classifier is fitted in its embedding
    (config.classifier.inputs); both, or neither."""
    config = results["config"]
    there = {
        "ensemble": config.get("eval", {}).get("ensemble"),
        "embedding": config.get("classifier", {}).get("inputs") == "student",
    }
    return tuple(name for name, is_there in there.items() if is_there)


def read(folder: Path) -> list[dict[str, Any]]:
    """The results of all runs and baselines of a benchmark."""
    return [json.loads(path.read_text(encoding="utf-8")) for path in find([folder])]


def comparisons(benchmark: str, results: Sequence[Mapping[str, Any]]) -> list[Comparison]:
    """Every framework that has runs with D3 and without of the same seeds, by family; of the runs with D3
    those that use its student for nothing further."""
    found: dict[tuple[str, bool], dict[int, Mapping[str, Any]]] = {}
    for one in results:
        if one["framework"] in FRAMEWORKS and not further_use(one):
            found.setdefault((one["framework"], bool(one["distillation"])), {})[one["seed"]] = one
    made = []
    for framework in FRAMEWORKS:
        base, ours = found.get((framework, False), {}), found.get((framework, True), {})
        if seeds := tuple(sorted(base.keys() & ours.keys())):
            pick = lambda of, seeds=seeds: tuple(of[seed] for seed in seeds)  # noqa: E731
            made.append(Comparison(benchmark, framework, family_of(framework), seeds, pick(base), pick(ours)))
    order = [*FAMILIES, *(one.family for one in made if one.family not in FAMILIES)]
    return sorted(made, key=lambda one: order.index(one.family))


def adjusted(of: Sequence[Comparison]) -> list[float]:
    """p-values of the comparisons of one table, by Holm."""
    return [float(p) for p in holm(np.array([one.statistics()["p"] for one in of]))]
