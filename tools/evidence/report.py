"""The tables of docs/results.md and their figure, made of the kept results in docs/results: one command, and nothing typed.

    python tools/evidence/report.py docs/results --page=docs/results.md --page=docs/choosing.md --page=docs/stress.md \\
      --page=README.md --figure=docs/gains.svg

In a page each table stands between <!-- begin NAME --> and <!-- end NAME -->, and what was there is replaced; the rest of the
page is left as it is. Results get there by tools/evidence/collect.py.
"""

import json
import math
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from d3gzsl_jax.config.framework_fields import FRAMEWORKS
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.evaluation import mixed_model
from d3gzsl_jax.evaluation.mixed_model import MixedModel
from d3gzsl_jax.runs import contents
from d3gzsl_jax.runs.report.figures import svg
from d3gzsl_jax.studies.own_outputs import picture
from d3gzsl_jax.studies.tables import command as tables
from d3gzsl_jax.studies.tables.cells import probability, signed, signed_between, with_deviation
from d3gzsl_jax.studies.tables.writer import Cell, Column, Table, markdown_lines
from d3gzsl_jax.system.atomic import replacing, write_text
from d3gzsl_jax.system.options import Parser
from d3gzsl_jax.system.terminal import run_command
from tools.evidence import (
    control_ensemble,
    diagnosis,
    embeddings,
    embeddings_on_test,
    methods,
    ranking,
    scaling,
    searches,
    selection_effect,
    stress,
    uses_of_student,
)
from tools.evidence.comparisons import FAMILIES, Comparison, adjusted, comparisons, further_use, read
from tools.evidence.figure import draw
from tools.generated_blocks import filled

_SEEDS = (3, 5, 10)
"""Numbers of seeds of which it is told what they could show."""
_NOT_RECORDED = "machines that were not recorded"
_DEVICES = {"CPU": "CPUs", "H100": "an H100"}


def effects_table(of: Sequence[Comparison]) -> Table:
    """A row a comparison: H without and with D3, the difference and what speaks for it, and other measures' differences."""
    headings = ["benchmark", "family", "method", "seeds", "H without", "H with D3", "ΔH", "95 % of ΔH", "d", "p", "p, Holm"]
    headings += ["ΔH calibrated", "ΔAUSUC", "ΔT1", "ΔH student", "ΔH classifier"]
    rows = []
    for one, holm in zip(of, adjusted(of), strict=True):
        found = one.statistics()
        base, ours = (with_deviation(one.values(which, "chosen", "harmonic")) for which in ("base", "ours"))
        cells = [one.benchmark, one.family, FRAMEWORKS[one.framework].called, len(one.seeds), base, ours]
        cells += [signed(found["difference"]), signed_between(found["low"], found["high"])]
        cells += [signed(found["d"]), probability(found["p"]), probability(holm)]
        others = [one.differences("calibrated"), one.differences("chosen", "ausuc"), one.differences("chosen", "zsl")]
        others += [one.differences("student", base="chosen"), one.differences("classifier", base="chosen")]
        cells += [signed(float(differences.mean())) for differences in others]
        rows.append([Cell.of(cell) for cell in cells])
    return Table("", [Column.of(heading, right=place > 2) for place, heading in enumerate(headings)], rows)


def families_table(models: Sequence[MixedModel]) -> Table:
    """A row a family, and one for all."""
    headings = ["family", "comparisons", "values", "ΔH", "95 %", "p"]
    rows = []
    for name, effect in ((name, effect) for model in models for name, effect in model.effects.items()):
        ends = signed_between(effect.low, effect.high)
        cells = [name, effect.comparisons, effect.values, signed(effect.mean), ends, probability(effect.p)]
        rows.append([Cell.of(cell) for cell in cells])
    return Table("", [Column.of(heading, right=place > 0) for place, heading in enumerate(headings)], rows)


_MEASURES = {
    "H": ("chosen", "harmonic"), "H calibrated": ("calibrated", "harmonic"), "AUSUC": ("chosen", "ausuc"), "T1": ("chosen", "zsl"),
}  # fmt: skip
"""What D3 could change, by its heading: whose metrics (of `comparisons.MEASURES`), and which."""


def measures_table(of: Sequence[Comparison]) -> Table:
    """A row a measure: its mean difference over all comparisons, by a model like that of H."""
    rows = []
    for heading, (measure, metric) in _MEASURES.items():
        known = [one for one in of if not np.isnan(one.differences(measure, metric)).any()]
        if not (models := models_of(known, measure, metric)):
            continue
        effect = next(iter(models[-1].effects.values()))
        cells = [heading, effect.comparisons, effect.values, signed(effect.mean), signed_between(effect.low, effect.high)]
        rows.append([Cell.of(cell) for cell in (*cells, probability(effect.p))])
    headings = ["measure", "comparisons", "values", "Δ", "95 %", "p"]
    return Table("", [Column.of(heading, right=place > 0) for place, heading in enumerate(headings)], rows)


def models_of(of: Sequence[Comparison], measure: str = "chosen", metric: str = "harmonic") -> list[MixedModel]:
    """The model with a mean for each family, where there are enough comparisons, and that with one in all; of H, or of what
    `Comparison.differences` calls so."""
    differences = {(one.benchmark, one.framework): list(one.differences(measure, metric)) for one in of}
    families = {(one.benchmark, one.framework): one.family for one in of}
    found = []
    for family in (families, None):
        try:
            found.append(mixed_model.fit(differences, family))
        except ValueError:
            continue
    return found


def power_text(of: Sequence[Comparison], models: Sequence[MixedModel]) -> str:
    """What so many seeds could show, and how far seeds and comparisons spread."""
    within = mixed_model.within([list(one.differences()) for one in of])
    if math.isnan(within) or not models:
        return "No comparison has two seeds: nothing is known of their spread."
    seen = ", ".join(f"{seeds} seeds {mixed_model.detectable(within, seeds):.1f} points" for seeds in _SEEDS)
    return (
        f"The difference spreads over seeds by {within:.1f} points (pooled standard deviation), over comparisons by "
        f"{models[-1].between:.1f} beyond that. A paired t-test at 5 % finds with a probability of 80 %, with {seen}."
    )


def summary_text(of: Sequence[Comparison], models: Sequence[MixedModel]) -> str:
    """What D3 adds to H in all, in a line."""
    families, benchmarks = {one.family for one in of}, {one.benchmark for one in of}
    told = f"{len(of)} pairs of method and benchmark ({len(families)} families of generators, {len(benchmarks)} benchmarks)"
    if not models:
        return f"D3 was tried on {told}."
    all_of = next(iter(models[-1].effects.values()))
    mean = signed(all_of.mean) if round(all_of.mean, 1) else "0.0"  # no sign of what rounds to nothing
    return f"Over {told} D3 changes H by **{mean} points** (95 %: {signed_between(all_of.low, all_of.high)})."


_OF_FILES: dict[str, Callable[[Any], Table]] = {
    "selection": selection_effect.table, "scaling": scaling.table, "searches": searches.table, "control": control_ensemble.table,
    "embeddings": embeddings.table, "embeddings_on_test": embeddings_on_test.table, "stress": stress.table,
}  # fmt: skip
"""Tables of what other tools kept, by the name of their block and of their .json."""


def hours_text(of_benchmarks: Mapping[str, Sequence[Mapping[str, Any]]]) -> str:
    """How long all of it took, by device: seeds that were trained together have one clock."""
    runs: Counter[str] = Counter()
    hours: Counter[str] = Counter()
    unknown = without_folds = 0
    for results in of_benchmarks.values():
        methods: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
        for one in results:
            runs[ranking.short_device(one) or _NOT_RECORDED] += 1
            unknown += one.get("seconds") is None
            methods.setdefault((one["framework"], bool(one["distillation"]), further_use(one)), []).append(one)
        for program in (program for of in methods.values() for program in ranking.programs(of)):
            last = program[-1]
            seconds = (last.get("seconds") or 0.0) + (last.get("fold_seconds") or 0.0)
            hours[ranking.short_device(last) or _NOT_RECORDED] += seconds / 3600
            validated = last["framework"] in FRAMEWORKS and last["selection"] == "validation"
            without_folds += validated and last.get("fold_seconds") is None
    by_device = ", ".join(f"{hours[name]:.1f} of {count} runs on {_DEVICES.get(name, name)}" for name, count in runs.most_common())
    told = [f"{unknown} results that do not say"] * bool(unknown)
    told += [f"the folds of {without_folds} programs, which did not record them"] * bool(without_folds)
    without = f", without {' and '.join(told)}" if told else ""
    return f"The clocks of all programs show {hours.total():.1f} hours in all{without}: {by_device}."


def blocks(folder: Path) -> tuple[dict[str, str], Any]:
    """What stands in the page, by name, and the figure.

    Raises:
        UserError: there are no results, or they are not readable.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder of results")
    results = {path.name: read(path) for path in sorted(folder.iterdir()) if path.is_dir()}
    of_benchmarks = {name: comparisons(name, found) for name, found in results.items()}
    of = [one for found in of_benchmarks.values() for one in found]
    if not of:
        raise UserError(f"{folder}: no method has runs with D3 and without; tools/evidence/collect.py brings them there")
    models = models_of(of)
    made = {
        "effects": "\n".join(markdown_lines(effects_table(of))), "families": "\n".join(markdown_lines(families_table(models))),
        "measures": "\n".join(markdown_lines(measures_table(of))),
        "summary": summary_text(of, models), "power": power_text(of, models), "hours": hours_text(results),
        "methods": "\n".join(markdown_lines(methods.table(results, [name for of in FAMILIES.values() for name in of]))),
        "ranking": "\n".join(markdown_lines(ranking.table(results))),
        "uses_of_student": "\n".join(markdown_lines(uses_of_student.table(results))),
        "diagnosis": "\n".join(markdown_lines(diagnosis.table(of))), "teachers": diagnosis.teachers(of),
        "chosen": diagnosis.chosen(of),
    }  # fmt: skip
    for name, table_of in _OF_FILES.items():
        if (file := folder / f"{name}.json").is_file():
            made[name] = "\n".join(markdown_lines(table_of(json.loads(file.read_text(encoding="utf-8")))))
    for name in results:
        runs = [run for path in tables.find([folder / name]) if not isinstance(run := tables.read(path), str)]
        made[name] = "\n".join(line for table in tables.tables_of(runs, (), True, False, "") for line in markdown_lines(table))
    effects = {name: effect for model in models for name, effect in model.effects.items()}
    return made, draw({name: found for name, found in of_benchmarks.items() if found}, effects)


def main() -> None:
    """The command line."""
    parser = Parser(description=__doc__)
    parser.add_argument("results", type=Path, metavar="FOLDER")
    parser.add_argument("--page", action="append", required=True, type=Path, metavar="FILE.md", help="once or more")
    parser.add_argument("--figure", required=True, type=Path, metavar="FILE.svg")
    arguments = parser.parse_args()
    if missing := [page for page in arguments.page if not page.is_file()]:
        raise UserError(f"--page={missing[0]}: there is no such page")
    place = contents.output(arguments.figure, "--figure", picture, "figure of this tool")
    made, figure = blocks(arguments.results)
    pages = {path: filled(path.read_text(encoding="utf-8"), made) for path in arguments.page}
    with replacing(place, "wb", parents=True) as file:
        file.write(svg(figure))
    for path, page in pages.items():
        write_text(path, page)


if __name__ == "__main__":
    sys.exit(run_command(main))
