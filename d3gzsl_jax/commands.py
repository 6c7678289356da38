"""What can be done with a run or a model after training: one function a mode of the command line."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from d3gzsl_jax.data.formats.class_files import check_width, parse_class_list, read_classes
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs import contents
from d3gzsl_jax.runs.display import Display
from d3gzsl_jax.runs.model import TrainedModel, load_model
from d3gzsl_jax.runs.model_files import output_folder
from d3gzsl_jax.runs.predict import output_file, predict_file
from d3gzsl_jax.runs.reopen import evaluate, model_at, run_data
from d3gzsl_jax.runs.storage import bucket
from d3gzsl_jax.runs.synthesize import write_synthesized
from d3gzsl_jax.system.paths import clean


class Mode(NamedTuple):
    """`do`(options by flag, display); the flags it needs, and those it takes besides."""

    do: Callable[[dict[str, Any], Display], None]
    needs: tuple[str, ...]
    takes: tuple[str, ...]


def _model(options: dict[str, Any], display: Display, classifier: bool = True) -> TrainedModel:
    folder, which = options["workdir"], options["checkpoint"]
    return model_at(folder, which, display, options["data_root"], classifier) if which else load_model(folder, display.say)


def _evaluate(options: dict[str, Any], display: Display) -> None:
    evaluate(options["workdir"], options["checkpoint"] or "last", display, options["data_root"])


def _predict(options: dict[str, Any], display: Display) -> None:
    output_file(options["output"], "--output", [Path(options["input"]), Path(options["workdir"])])
    model = _model(options, display, classifier=options["predictor"] != "student")
    predict_file(
        model, options["input"], options["output"], display, options["top"], options["predictor"], options["key"]
    )


def _synthesize(options: dict[str, Any], display: Display) -> None:
    if Path(options["output"]).suffix != ".npz":
        raise UserError(f"--output={options['output']}: synthesized features are written as .npz")
    target = contents.output(options["output"], "--output", _is_synthesized, "synthesized features", [Path(options["workdir"])])
    model = _model(options, display, classifier=False)
    ids = parse_class_list(options["classes"], model.class_names, model.seen, model.unseen, "--classes")
    write_synthesized(model, ids, options["count"], options["seed"], target)
    display.say(f"wrote {target}: {options['count']} rows of {model.feature_size} features for each of {len(ids)} classes")


def _is_synthesized(path: Path) -> bool:
    """Whether a file holds what `synthesize` writes, and nothing else."""
    try:
        with zipfile.ZipFile(path) as archive:
            return sorted(archive.namelist()) == ["class_names.npy", "features.npy", "labels.npy"]
    except (OSError, ValueError, zipfile.BadZipFile):
        return False


def _add_classes(options: dict[str, Any], display: Display) -> None:
    output = output_folder(options["output"], "--output", [Path(options["workdir"]), Path(options["semantics"])])
    model, source = load_model(options["workdir"], display.say), options["semantics"]
    semantics, names = read_classes(source, options["key"])
    check_width(semantics, model.semantics.shape[1], source)
    _, data = run_data(options["workdir"], options["data_root"])
    grown = model.add_classes(semantics, names, data)
    grown.write(output)
    ids = f"{len(model.class_names)}" + (f" to {len(grown.class_names) - 1}" if len(names) > 1 else "")
    known = len(grown.class_names)
    display.say(f"wrote {output}: a model that knows {known} classes; new: {ids}, {', '.join(names)}")


_PATHS = ("workdir", "data_root", "input", "output", "semantics")
MODES = {
    "evaluate": Mode(_evaluate, ("workdir",), ("checkpoint", "data_root")),
    "predict": Mode(_predict, ("workdir", "input", "output"), ("checkpoint", "data_root", "predictor", "top", "key")),
    "synthesize": Mode(_synthesize, ("workdir", "output"), ("checkpoint", "data_root", "classes", "count", "seed")),
    "add_classes": Mode(_add_classes, ("workdir", "semantics", "output"), ("data_root", "key")),
}


def run_mode(mode: str, options: dict[str, Any], given: set[str], display: Display) -> None:
    """Does what a mode other than 'train' does.

    Args:
        mode: one of `MODES`.
        options: the value of every flag.
        given: the flags on the command line.
        display: where progress goes.

    Raises:
        UserError: a flag is missing, or means nothing in this mode; or what the mode itself raises.
    """
    of = MODES[mode]
    for flag in of.needs:
        if not options[flag]:
            raise UserError(f"--mode={mode}: --{flag} is missing")
    for flag in sorted(given - {*of.needs, *of.takes}):
        known = ", ".join(f"--{name}" for name in of.needs + of.takes)
        raise UserError(f"--mode={mode}: --{flag} means nothing here; it takes {known}")
    places = {flag: str(clean(options[flag], f"--{flag}")) for flag in _PATHS if options[flag] and not _in_bucket(flag, options)}
    workdir, which = places.get("workdir", options["workdir"]), options["checkpoint"] or mode == "evaluate"
    with bucket.local(workdir, display, write=mode == "evaluate", checkpoints=bool(which)) as here:
        of.do(options | places | {"workdir": here}, display)


def _in_bucket(flag: str, options: dict[str, Any]) -> bool:
    return flag == "workdir" and bucket.is_in_one(options[flag])
