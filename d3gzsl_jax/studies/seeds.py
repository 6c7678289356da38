"""Several seeds of one configuration, trained together (config.seeds): a run folder for each, and one results.json over them.

    WORKDIR/seed-<k>/       the run of seed k, as if it had been trained alone
    WORKDIR/results.json    metrics of each seed, their mean, standard deviation and 95 % interval

Seeds are the sample: an interval speaks of other seeds on the same split of the same data.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict
from rich.table import Table
from rich.text import Text

from d3gzsl_jax.config import check, saved_config
from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.data.load import load
from d3gzsl_jax.errors import DivergenceError, UserError
from d3gzsl_jax.evaluation.statistics import FEWEST, interval
from d3gzsl_jax.runs.display import METRICS, Display
from d3gzsl_jax.runs.feature_settings import resolved
from d3gzsl_jax.runs.folder import RunFolder, check_place
from d3gzsl_jax.runs.opening import Start
from d3gzsl_jax.runs.results import method
from d3gzsl_jax.runs.sizes import sized
from d3gzsl_jax.runs.storage import bucket
from d3gzsl_jax.runs.unknown_figures import FOLDS, explained, of_folds
from d3gzsl_jax.studies.start import train_runs
from d3gzsl_jax.system import compile_cache, processes
from d3gzsl_jax.system.signals import Signals
from d3gzsl_jax.text import cut, visible
from d3gzsl_jax.training import build as model_module
from d3gzsl_jax.training.memory import free_memory

# Of parameters, optimiser states and teacher's outputs: the stacked ones, their successors within a call, a copy of one seed's for
# evaluation, gradients and activations, which are of the order of the parameters where networks are large.
_COPIES = 4
_SHARE = 0.6  # of the memory that is free at the start: evaluation and final classifier need some, too
_SHARED = ("dataset", "framework", "distillation", "features", "semantics", "selection", "zsl_rule")  # by all seeds
_SHOWN = METRICS | {"AUSUC": "ausuc"}


def train_seeds(
    config: ConfigDict, workdir: str = "", display: Display | None = None, overrides: Mapping[str, Any] | None = None,
    data: GZSLData | None = None,
) -> dict[str, Any]:
    """Trains all of config.seeds, as many at a time as config.parallel.seeds says, and sums them up.

    The same command with the same `workdir` goes on with what was interrupted; finished seeds are left as they are, and the list
    may grow or shrink from start to start.

    Args:
        config: see configs/default.py; config.seed is not looked at.
        workdir: where the seeds' folders go; '' for a new one under runs/.
        display: where progress goes.
        overrides: which fields of `config` were set by hand, for the record.
        data: validated; None to read what `config` names.

    Returns:
        What results.json holds, see `summary`.

    Raises:
        UserError: bad configuration, data or folder. DivergenceError: training broke down. Terminated: SIGTERM came.
        KeyboardInterrupt: ctrl-C before every seed had results, or while some had come further than others: their figures are of
        other epochs, or of folds alone, and no sample of one thing.
    """
    check.check(config)
    check.check_seeds(config)
    if not processes.alone():
        raise UserError("config.seeds: seeds are trained together in one process; start each in many processes by --config.seed")
    check_place(workdir)
    data = data if data is not None else load(config.dataset, config.data)
    display = display or Display()
    config = resolved(config, data, display.say)
    with bucket.local(workdir, display) as where:
        return _train_at(where, config, data, display, overrides)


def _train_at(
    where: str, config: ConfigDict, data: GZSLData, display: Display, overrides: Mapping[str, Any] | None
) -> dict[str, Any]:
    """`train_seeds`, in a local folder."""
    folder = RunFolder(where, data.name)
    if folder.read("config.json") is not None:
        raise UserError(f"--workdir={folder.path}: holds the run of one seed, and config.seeds is given; name another folder")
    with folder.held():
        return _train_in(folder, config, data, display, overrides)


def _train_in(
    folder: RunFolder, config: ConfigDict, data: GZSLData, display: Display, overrides: Mapping[str, Any] | None
) -> dict[str, Any]:
    """`train_seeds`, in a folder that is held."""
    found = train_together(folder.path, config, data, display, _overrides_of_seeds(overrides))
    content = summary(found)
    path = folder.write("results.json", content)
    _show(content, display)
    for sentence in explained(found[0]):
        display.say(sentence)
    display.say(f"wrote {path}" + ("; interrupted: the same command goes on from here" if content["interrupted"] else ""))
    return content


def train_together(
    folder: Path, config: ConfigDict, data: GZSLData, display: Display, overrides: Mapping[str, Any] | None = None,
    signals: Signals | None = None,
) -> list[dict[str, Any]]:
    """Trains all of config.seeds, each in folder/seed-<k>, as many at a time as config.parallel.seeds says; `signals`: what the
    command was asked, for whoever has more to do after it.

    Returns:
        What the results.json of each holds.

    Raises:
        UserError, DivergenceError, Terminated, KeyboardInterrupt: see `train_seeds`.
    """
    found: list[dict[str, Any]] = []
    signals = signals or Signals()
    for seeds in list(_chunks(config, data, display)):
        if found:
            signals.leave_after(f"{len(found)} of {len(config.seeds)} seeds are done")
        starts = [Start(_of_seed(config, seed), str(folder / f"seed-{seed}"), f"seed {seed}: ") for seed in seeds]
        try:
            with compile_cache.at_least_here():
                found += [results for _, results in train_runs(data, starts, display, overrides, signals)]
        except DivergenceError as error:
            if len(config.seeds) == 1 or not error.seeds:
                raise
            bad = f"seed{'s' * (len(error.seeds) > 1)} {', '.join(map(str, error.seeds))}"
            raise error.of(f"{error}; leave {bad} out of config.seeds to go on with the others") from None
        stopped = [bool(results.get("interrupted")) for results in found]
        alike = len({(results["selection"], results["epochs"], of) for results, of in zip(found, stopped, strict=True)}) == 1
        if any(stopped) and not (alike and len(found) == len(config.seeds)):
            raise KeyboardInterrupt
    return found


def summary(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The content of results.json.

    Args:
        runs: what the results.json of each seed holds.

    Returns:
        What the runs have in common; 'seeds'; 'prediction': one name, or one a seed where validation chose differently; 'runs': by
        seed, in order, its epochs, what predicts, and by predictor its metrics and calibrated ones; 'mean', 'std' (n - 1) and
        'interval95' (half the width of the t-interval of the mean), by predictor and metric, fractions, 'std' NaN for one seed,
        'interval95' for fewer than three. 'result' among the predictors is each run's own result; where there are no test rows of
        unseen classes, '<predictor>, folds' are the means over the folds.
    """
    first = runs[0]
    by_seed = [
        {"result": _numbers(run["metrics"]), **{name: _numbers(of["metrics"]) for name, of in run["predictions"].items()}}
        | {f"{name}, calibrated": _numbers(of["calibrated"]) for name, of in run["predictions"].items() if of.get("calibrated")}
        | {f"{name}, {FOLDS}": _numbers(folds) for name, of in run["predictions"].items() if (folds := of_folds(of))}
        for run in runs
    ]
    shared = [name for name in by_seed[0] if all(name in one for one in by_seed)]
    of = lambda name, key: interval(np.array([one[name][key] for one in by_seed]))  # noqa: E731
    known = lambda name: [key for key in by_seed[0][name] if all(key in one[name] for one in by_seed)]  # noqa: E731
    statistics = {name: {key: of(name, key) for key in known(name)} for name in shared}
    pick = lambda index: {n: {key: found[index] for key, found in of.items()} for n, of in statistics.items()}  # noqa: E731
    predictions = [run["prediction"] for run in runs]
    return {
        saved_config.KEY: saved_config.FORMAT,
        **{key: first.get(key) for key in _SHARED},
        "seeds": [run["seed"] for run in runs],
        "prediction": predictions[0] if len(set(predictions)) == 1 else predictions,
        "interrupted": any(run.get("interrupted") for run in runs),
        "runs": [
            {"seed": run["seed"], "epochs": run["epochs"], "prediction": run["prediction"], "predictions": metrics}
            for run, metrics in zip(runs, by_seed, strict=True)
        ],
        "mean": pick(0), "std": pick(1), "interval95": pick(2),
        "digests": first.get("digests"),
        "provenance": first.get("provenance"),
        "config": {**first["config"], "seeds": [run["seed"] for run in runs]},
    }


def bytes_of_seed(config: ConfigDict, data: GZSLData) -> int:
    """What one more seed takes of the device's memory, roughly."""
    config = sized(config, data)
    model = model_module.build(config, data)
    params = jax.eval_shape(model.objective.init, jax.random.key(0))
    trees = [params, jax.eval_shape(model.optimization.init, params)]
    if model.objective.distillation.active:
        rows = jax.ShapeDtypeStruct((len(data.trainval), data.feature_size), np.float32)
        teacher = jax.eval_shape(lambda: model.teacher.init(jax.random.key(0), data.feature_size))
        trees += [teacher, jax.eval_shape(model.teacher.outputs, teacher, rows)]
    return _COPIES * sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(trees))


def _chunks(config: ConfigDict, data: GZSLData, display: Display) -> Iterator[tuple[int, ...]]:
    """The seeds of one program after another."""
    seeds, size = tuple(config.seeds), config.parallel.seeds
    if not size:
        size = max(int(_SHARE * free_memory() / bytes_of_seed(config, data)), 1)
        if size < len(seeds):
            display.say(f"memory holds {size} of {len(seeds)} seeds at a time (--config.parallel.seeds sets it)")
    for start in range(0, len(seeds), size):
        yield seeds[start : start + size]


def _of_seed(config: ConfigDict, seed: int) -> ConfigDict:
    own = config.copy_and_resolve_references()
    own.seed, own.seeds = seed, ()
    return own


def _overrides_of_seeds(overrides: Mapping[str, Any] | None) -> dict[str, Any]:
    """Without those that say something of all seeds, and nothing of one."""
    of_all = ("seed", "seeds", "parallel.seeds", "parallel.seeds_as")
    return {field: value for field, value in (overrides or {}).items() if field not in of_all}


def _numbers(found: Mapping[str, Any]) -> dict[str, float]:
    """The numbers among metrics that were just made or read from a file; NaN where one is not known."""
    known = {key: np.nan if value is None else value for key, value in found.items()}
    return {key: value for key, value in known.items() if isinstance(value, int | float)}


def _show(content: Mapping[str, Any], display: Display) -> None:
    """Prints mean ± standard deviation, and from three seeds on the 95 % interval of the mean; of one seed its figures."""
    display.stop()
    several = len(content["seeds"]) > 1
    seeds = ", ".join(str(seed) for seed in content["seeds"])
    until = f", interrupted after epoch {content['runs'][0]['epochs']:g}" if content["interrupted"] else ""
    title = f"{method(content['config'])} on {content['dataset']}, seeds {cut(seeds)}, percent{until}"
    table = Table(title=Text(visible(title)))
    table.add_column("prediction")
    for heading in _SHOWN:
        table.add_column(heading, justify="right")
    for name, mean in content["mean"].items():
        if name == "result" and isinstance(content["prediction"], str):
            continue  # one of the others
        std, half = content["std"][name], content["interval95"][name]
        cells = [(100 * mean[key], 100 * std[key], 100 * half[key]) if key in mean else None for key in _SHOWN.values()]
        cells = [cell if cell and not np.isnan(cell[0]) else None for cell in cells]
        table.add_row(name, *((f"{c[0]:.1f}±{c[1]:.1f}" if several else f"{c[0]:.1f}") if c else "" for c in cells))
        if len(content["seeds"]) >= FEWEST:
            table.add_row("  95 %", *(f"{c[0] - c[2]:.1f}–{c[0] + c[2]:.1f}" if c else "" for c in cells))  # noqa: RUF001
    display.show(table)
    if several:
        interval95 = ", and the 95 % t-interval of the mean" if len(content["seeds"]) >= FEWEST else ""
        display.say(f"mean ± standard deviation (n - 1){interval95}; of other seeds on the same split")
