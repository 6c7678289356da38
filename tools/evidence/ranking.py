"""Which method for which data: every method and baseline by calibrated H, beside what its training took."""

from collections.abc import Mapping, Sequence
from typing import Any

from d3gzsl_jax.config.framework_fields import FRAMEWORKS
from d3gzsl_jax.evaluation.advice import CALLED
from d3gzsl_jax.studies.tables.cells import with_deviation
from d3gzsl_jax.studies.tables.writer import Cell, Column, Table
from tools.evidence.comparisons import further_use, percent


def table(of_benchmarks: Mapping[str, Sequence[Mapping[str, Any]]]) -> Table:
    """A row a benchmark and method, the highest calibrated H first: calibrated and uncalibrated H, AUSUC, T1, of what each run
    predicts with; minutes of the clock for all its seeds on all of trainval, without the folds, where the runs say."""
    rows = []
    for benchmark, results in of_benchmarks.items():
        groups: dict[str, list[Mapping[str, Any]]] = {}
        for one in results:
            groups.setdefault(_name(one), []).append(one)
        made = [_row(benchmark, name, of) for name, of in groups.items()]
        rows += [row for _, row in sorted(made, key=lambda one: -one[0])]
    headings = ["benchmark", "method", "predictor", "seeds", "H calibrated", "H", "AUSUC", "T1", "minutes"]
    return Table("", [Column.of(heading, right=place > 2) for place, heading in enumerate(headings)], rows)


def short_device(results: Mapping[str, Any]) -> str:
    """What it ran on, as 'CPU' or 'H100'; '' where that was not kept."""
    device = (results.get("machine") or {}).get("device") or ""
    return device.removeprefix("NVIDIA ").split()[0].upper() if device else ""


def programs(of: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """The results of one method on one benchmark by the program that made them: a run of several seeds has one clock, which its
    last seed has to the end.

    Of a program the clocks rise from seed to seed, so one that is lower, or of another kind of device, begins another; that two
    programs happen to follow one another so is not seen. Baselines are fitted a seed at a time.
    """
    found: list[list[Mapping[str, Any]]] = []
    for one in sorted(of, key=lambda results: results["seed"]):
        last = found[-1][-1] if found and one["framework"] in FRAMEWORKS else None
        if last and short_device(last) == short_device(one) and (last.get("seconds") or 0.0) <= (one.get("seconds") or 0.0):
            found[-1].append(one)
        else:
            found.append([one])
    return found


def _name(results: Mapping[str, Any]) -> str:
    framework = results["framework"]
    if framework not in FRAMEWORKS:
        told = CALLED.get(framework, framework)
        return f"{told}, no generator".removeprefix("the ")
    with_d3, use = " + D3" if results["distillation"] else "", further_use(results)
    return FRAMEWORKS[framework].called + with_d3 + (f" ({', '.join(use)})" if use else "")


def _row(benchmark: str, name: str, of: Sequence[Mapping[str, Any]]) -> tuple[float, list[Cell]]:
    """The key to sort by, and the row."""
    calibrated = percent(of, "calibrated", "harmonic")
    others = (percent(of, "chosen", metric) for metric in ("harmonic", "ausuc", "zsl"))
    predictors = ", ".join(dict.fromkeys(one["prediction"] for one in of if one["prediction"] != one["framework"])) or "itself"
    seconds = sum(program[-1].get("seconds") or 0.0 for program in programs(of))
    devices = ", ".join(sorted({short_device(one) for one in of} - {""}))
    minutes = (f"{seconds / 60:.0f}" if seconds >= 60 else "under 1" if seconds else "—") + (f" ({devices})" if devices else "")
    cells = [benchmark, name, predictors, len(of), *map(with_deviation, (calibrated, *others)), minutes]
    return float(calibrated.mean()), [Cell.of(cell) for cell in cells]
