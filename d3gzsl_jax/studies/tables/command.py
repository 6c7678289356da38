"""`d3gzsl table`: runs gathered into one table, a row a method and predictor, over the seeds it was run with."""

import contextlib
import json
import math
import re
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from d3gzsl_jax.config import schema
from d3gzsl_jax.config.load import flat
from d3gzsl_jax.config.saved_config import with_added
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.evaluation.metrics import harmonic_mean
from d3gzsl_jax.runs import contents, json_files
from d3gzsl_jax.runs.file_schemas import Results
from d3gzsl_jax.runs.storage import bucket
from d3gzsl_jax.runs.unknown_figures import FOLDS, of_folds
from d3gzsl_jax.studies.own_outputs import text_with
from d3gzsl_jax.studies.tables.runs import METRICS, Run, tabulate
from d3gzsl_jax.studies.tables.writer import FORMATS, Table
from d3gzsl_jax.system import paths
from d3gzsl_jax.system.atomic import write_text
from d3gzsl_jax.system.options import Parser, one_of
from d3gzsl_jax.text import one_line, shortened, visible

_ABOUT = """\
Gathers runs into one table: a row a method and predictor, over the seeds it was run with.

    d3gzsl table runs/five runs/base --format=latex --output=table.tex

Runs that differ only in their seed are one method. What must not stand in one table (other data, another
selection rule) is refused; with --separate there is a table for each. H is computed anew from each run's U
and S. Figures of an epoch that was picked on the test set appear with --test-selected only, and are called so.
"""
RULES = {
    "last": "the figures are those of the last epoch; nothing was chosen on the test rows",
    "validation": "what there is to choose was chosen on folds inside trainval; the test rows were looked at once",
    "test": "the runs were asked for the epoch that looks best on the test rows, which is no result; rows that are not called "
    "test-selected are of the last epoch",
}
COMMON = ("dataset", "digests.split", "digests.semantics", "semantics", "digests.features", "features", "selection")
"""What the runs of one table must have in common: keys of results.json."""

# What leaves every figure as it is.
_MAY_CHANGE = {field.name for field in schema.FIELDS if field.may_change}
_IRRELEVANT = {"seed", "seeds", *_MAY_CHANGE} - {*schema.LENGTH}
_ANEW = "train it again with this version, or leave it out"


def find(places: Sequence[Path]) -> list[Path]:
    """Every results.json under the places, each once, but those of a run's validation folds (RUN/validation/fold-<k>), and of what
    is trained before it (RUN/first_stage).

    Raises:
        UserError: a path does not exist, or holds none.
    """
    found: dict[Path, Path] = {}
    for path in places:
        if not path.exists():
            raise UserError(f"{path}: no such run or folder")
        files = [path] if path.is_file() else sorted(path.rglob("results.json"))
        files = [file for file in files if not _is_fold(file.resolve().parent)]
        if not files:
            raise UserError(f"{path}: holds no results.json, or only those of validation folds; name a run, or a folder of runs")
        for file in files:
            found.setdefault(file.resolve(), file)
    return list(found.values())


def _is_fold(folder: Path) -> bool:
    fold = folder.parent.name == "validation" and re.fullmatch(r"fold-\d+", folder.name) is not None
    return fold or folder.name == contents.FIRST_STAGE


def read(path: Path) -> Run | str:
    """A run, or why it is left out.

    Args:
        path: of its results.json.

    Raises:
        UserError: it is not readable, lacks a key, or its H does not follow from its U and S.
    """
    results = json_files.read(path, Results, "leave it out") or {}
    if "runs" in results and "seed" not in results:
        return "it sums up seeds, whose own runs are counted"
    if results.get("interrupted"):
        return "interrupted"
    if results.get("concluded") is False:  # which earlier versions did not say
        return "it was stopped at its end, before everything was evaluated; the command that started it goes on"
    if _get(path, results, "selection") == "folds only":
        return "it stopped after validation (config.eval.retrain=False), with no look at the test rows"
    name, distillation, prediction = (_get(path, results, key) for key in ("framework", "distillation", "prediction"))
    is_baseline = name == prediction  # it predicts by itself
    config = dict(flat(with_added(_get(path, results, "config", kind=dict))))
    framework = str(config.get("framework"))
    return Run(
        path=path,
        common={key: _get(path, results, *key.split(".")) for key in COMMON},
        method=name if is_baseline else f"{name} {'+' if distillation else 'without'} D3",
        distillation=None if is_baseline else bool(distillation),
        seed=_get(path, results, "seed", kind=int),
        settings={
            field: value for field, value in config.items() if field not in _IRRELEVANT and not schema.is_foreign(field, framework)
        },
        figures=dict(_figures(path, results)),
    )


def _figures(path: Path, results: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, dict[str, Any]]]]:
    """By predictor, its `Run.figures`."""
    if "metrics" in results:
        _metrics(path, results, "metrics")
    rule = results["selection"]
    for name, entry in _get(path, results, "predictions", kind=dict).items():
        at = ("predictions", name)
        last = _metrics(path, results, *at, "metrics")
        # Where the rule is the test, an entry without its own may be either epoch's.
        own = _get(path, results, *at, "selection") if rule == "test" else entry.get("selection", rule)
        if own != rule and "test" not in (own, rule):
            told = f"predictions.{one_line(name)}.selection is {shortened(own)}, but selection is {rule!r}"
            raise UserError(f"{path}: {told}; {_ANEW}")
        found = {"test-selected" if own == "test" else "result": last}
        if of_folds(entry):
            found[FOLDS] = _metrics(path, results, *at, "validation", "metrics", is_mean=True)
        if entry.get("test_selected"):
            found["test-selected"] = _metrics(path, results, *at, "test_selected", "metrics")
        if entry.get("calibrated"):
            how = {key: _get(path, results, *at, "calibrated", key) for key in ("gamma", "selection")}
            how |= _metrics(path, results, *at, "calibrated", names=("unseen", "seen", "harmonic"))
            _get(path, results, *at, "calibrated", "gamma", kind=int | float)
            if how["selection"] != "test":  # a gamma picked on the test set makes no result either
                found["calibrated"] = how
        yield name, found


def _metrics(
    path: Path, results: Mapping[str, Any], *keys: str, names: Sequence[str] = tuple(METRICS.values()), is_mean: bool = False
) -> dict[str, float]:
    """The metrics at `keys`, with H computed from U and S, unless they are means over folds, whose H is the mean of theirs.

    Raises:
        UserError: one is missing or no fraction, or the stored H is another.
    """
    found = {}
    for name in names:
        value = _get(path, results, *keys, name)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value <= 1.0):
            raise UserError(f"{path}: {'.'.join(keys)}.{name} is {shortened(value)}, not a fraction in [0, 1]; {_ANEW}")
        found[name] = math.nan if value is None else float(value)
    if is_mean:
        return found
    stored, computed = found["harmonic"], harmonic_mean(found["unseen"], found["seen"])
    if math.isnan(stored) != math.isnan(computed) or abs(stored - computed) > 1e-9:
        raise UserError(f"{path}: {'.'.join(keys)}.harmonic is {stored!r}, but its U and S give {computed!r}; {_ANEW}")
    return found | {"harmonic": computed}


def _get(path: Path, results: Mapping[str, Any], *keys: str, kind: Any = object) -> Any:
    """The value at `keys`.

    Raises:
        UserError: there is none, or it is of another type.
    """
    value: Any = results
    for key in keys:
        if not isinstance(value, Mapping) or key not in value:
            raise UserError(f"{path}: lacks {'.'.join(keys)!r}, as an older version wrote it; {_ANEW}")
        value = value[key]
    if not isinstance(value, kind):
        raise UserError(f"{path}: {'.'.join(keys)} is {shortened(value)}, not of type {getattr(kind, '__name__', kind)}; {_ANEW}")
    return value


def together(runs: Sequence[Run]) -> list[list[Run]]:
    """Runs by what the runs of a table must have in common."""
    found: dict[str, list[Run]] = {}
    for run in runs:
        found.setdefault(json.dumps(run.common), []).append(run)
    return list(found.values())


def require_one(sets: Sequence[Sequence[Run]]) -> None:
    """Refuses runs that must not stand in one table.

    Raises:
        UserError: naming two files and the field.
    """
    if len(sets) > 1:
        one, other = sets[0][0], sets[1][0]
        field = next(key for key in COMMON if one.common[key] != other.common[key])
        values = ", ".join(shortened(run.common[field]) for run in (one, other))
        raise UserError(
            f"{one.path} and {other.path} differ in {field} ({values}) and must not stand in one table; leave one out, or give "
            "--separate for a table each"
        )


def groups_of(runs: Sequence[Run]) -> list[list[Run]]:
    """Runs that differ only in their seed, each group by seed.

    Raises:
        UserError: two of them have the same seed.
    """
    found: dict[str, dict[Any, Run]] = {}
    for run in runs:
        seeds = found.setdefault(json.dumps([run.method, run.settings], sort_keys=True), {})
        if other := seeds.get(run.seed):
            raise UserError(f"{other.path} and {run.path} are the same method with the same seed {run.seed}; leave one out")
        seeds[run.seed] = run
    return [[seeds[seed] for seed in sorted(seeds)] for seeds in found.values()]


def tables_of(runs: Sequence[Run], by: Sequence[str], calibrated: bool, test_selected: bool, command: str) -> list[Table]:
    """A table for each set of runs that may stand in one.

    Raises:
        UserError: see `groups_of`; or a field of `by` is none, or nothing is left to show.
    """
    for field in by:
        if not any(field in run.settings for run in runs):
            raise UserError(f"--by {field}: no field of these runs' configurations that a figure may depend on; as in train.epochs")
    if calibrated and not any("calibrated" in of for run in runs for of in run.figures.values()):
        raise UserError("--calibrated: no run has calibrated figures, which config.eval.selection=validation makes")
    sets = together(runs)
    headings = [_heading(of[0].common) for of in sets]
    tables = []
    for of, heading in zip(sets, headings, strict=True):
        common = of[0].common
        if headings.count(heading) > 1:  # what tells them apart is in the files only
            heading += "".join(f", {key} {str(common[key])[:8]}" for key in COMMON if key.startswith("digests."))
        rule = str(common["selection"])
        footer = {"selection": f"{rule}: {RULES.get(rule, 'as the runs say')}"} | _note_of_folds(of) | {"made by": command}
        tables.append(tabulate(groups_of(of), heading, by, calibrated, test_selected, footer))
    if not any(table.rows for table in tables):
        raise UserError("every figure of these runs is test-selected; give --test-selected to see them, called so")
    return tables


def _note_of_folds(runs: Sequence[Run]) -> dict[str, str]:
    if not any(FOLDS in of for run in runs for of in run.figures.values()):
        return {}
    told = "means over validation folds inside trainval, H of each fold's: there are no test rows of unseen classes"
    return {FOLDS: f"{told}, so that U, H, T1 and AUSUC of test rows are unknown"}


def _heading(common: Mapping[str, Any]) -> str:
    return f"{common['dataset']}, features {common['features']}, semantics {common['semantics']}, selection {common['selection']}"


def main(argv: list[str] | None = None) -> int:
    """Writes the table; returns the exit code.

    Raises:
        UserError: bad input.
    """
    parser = Parser("d3gzsl table", description=_ABOUT, exit_codes="0 done, 2 bad input (one line says what).")
    parser.add_argument("paths", nargs="+", metavar="RUN_OR_FOLDER", help="looked through for results.json")
    parser.add_argument("--format", type=one_of(*FORMATS), default="markdown", help=f"{', '.join(FORMATS)}")
    parser.add_argument("--output", metavar="FILE", help="file to write; else the table is printed")
    parser.add_argument("--by", default="", metavar="FIELD,FIELD", help="fields of the configuration to sort by, a column each")
    parser.add_argument("--calibrated", action="store_true", help="also U, S and H under calibrated stacking")
    parser.add_argument("--separate", action="store_true", help="a table for each dataset, features, semantics, selection rule")
    parser.add_argument("--test-selected", action="store_true", help="also figures picked on the test set, which are no results")
    arguments = parser.parse_args(sys.argv[1:] if argv is None else argv)
    command = f"d3gzsl table {shlex.join(sys.argv[1:] if argv is None else argv)}"
    by = [field.strip().removeprefix("config.") for field in arguments.by.split(",") if field.strip()]
    copies = contextlib.ExitStack()
    try:
        given = (path if bucket.is_in_one(path) else paths.clean(path, "RUN_OR_FOLDER") for path in arguments.paths)
        local = (bucket.local(path, write=False, only="results.json") for path in given)
        arguments.paths = [Path(copies.enter_context(of)) for of in local]
        output = None
        if arguments.output is not None:
            ours = text_with("d3gzsl table")
            output = contents.output(arguments.output, "--output", ours, "table of this tool", arguments.paths)
        runs = []
        for path in find(arguments.paths):
            run = read(path)
            if isinstance(run, str):
                print(f"d3gzsl table: {visible(str(path))}: left out: {run}", file=sys.stderr)
            else:
                runs.append(run)
        if not runs:
            raise UserError("no finished run is left to table")
        if not arguments.separate:
            require_one(together(runs))
        text = FORMATS[arguments.format](tables_of(runs, by, arguments.calibrated, arguments.test_selected, command))
        if output:
            write_text(output, text, parents=True)
    finally:
        copies.close()
    if output is None:
        sys.stdout.write(text)
    return 0

