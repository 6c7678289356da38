"""The commands for a run or a saved model: evaluate, predict, synthesize, add classes; their options, and what is refused.

Nothing heavy is imported before the options are known to be right.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from d3gzsl_jax.config.run_fields import BASELINES
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs import contents, model_actions
from d3gzsl_jax.system import paths
from d3gzsl_jax.system.options import Parser, flag, one_of, whole

if TYPE_CHECKING:
    from d3gzsl_jax.runs.display import Display

_CODES = "0 done, 2 bad input (one line says what), 141 nobody reads the output any more."
OPTIONS: Mapping[str, dict[str, Any]] = {
    "workdir": {"metavar": "RUN", "default": "", "help": "the run folder"},
    "checkpoint": {"metavar": "STEP", "default": "", "help": "which checkpoint: last, best, or an outer step"},
    "data_root": {"metavar": "FOLDER", "default": "", "help": "where the run's data is now, if it was moved"},
    "input": {"metavar": "FILE", "default": "", "help": "features, .npy, .npz, .mat, .h5, .hdf5, .csv or .txt"},
    "images": {"metavar": "FOLDER", "default": "", "help": "pictures: a folder, a picture, or a CSV of file,class"},
    "image_encoder": {
        "metavar": "SPEC", "default": "", "help": "resnet101, timm:NAME, onnx:FILE ..., for a model that does not know its own",
    },
    "bad": {"type": one_of("refuse", "skip"), "default": "refuse", "help": "a picture that cannot be read: refuse it, or skip it"},
    "names": {"metavar": "FILE", "default": "", "help": "names of the rows of --input, a line each, or a CSV of file,class"},
    "gallery": {"metavar": "FILE.html", "default": "", "help": "a page of the pictures with their predictions to write"},
    "accuracy": {"metavar": "FILE.json", "default": "", "help": "accuracies and confusion matrix, where classes are known"},
    "output": {"metavar": "FILE", "default": "", "help": "where to write"},
    "key": {"metavar": "NAME", "default": "", "help": "which array of the input file"},
    "representations": {
        "metavar": "FILE", "default": "", "help": "representations of the same rows, for a model that was trained with some",
    },
    "top": {"metavar": "K", "type": whole(1), "default": 1, "help": "classes per row"},
    "predictor": {
        "type": one_of("student", "classifier", "ensemble", *BASELINES),
        "help": "student, classifier, ensemble or a baseline fitted beside the run (default: see config.eval.model_predicts)",
    },
    "classes": {"default": "unseen", "help": "ids and names, as in 3,zebra; or all, seen, unseen"},
    "count": {"metavar": "N", "type": whole(1), "default": 100, "help": "rows per class"},
    "seed": {"metavar": "N", "type": whole(0, 2**32 - 1), "default": 0, "help": "of the noise (default: 0)"},
    "semantics": {"metavar": "FILE", "default": "", "help": "semantics and names of the new classes"},
    "text_encoder": {"metavar": "SPEC", "default": "", "help": "where the model's text encoder is now, if it was moved"},
}


_GOES_WITH = {
    "image_encoder": ("images",), "bad": ("images",), "names": ("input",), "key": ("input", "semantics"),
    "representations": ("input",), "text_encoder": ("classes",),
}  # fmt: skip
"""Options that mean something with certain others alone."""


class Mode(NamedTuple):
    """What is done with a run or a model after training.

    Attributes:
        do: called with the options and a display.
        needs, takes: names of the options it must have, and of those it may have.
        either: of `takes`, the options of which it must have one.
        about: an example and what it does.
        help, defaults: of options, where they are not those of `OPTIONS`.
        writes: options of which one must be given, by that one of `either` which is.
        suffixes: of the files that options name to be written.
    """

    do: Callable[[dict[str, Any], "Display"], None]
    needs: tuple[str, ...]
    takes: tuple[str, ...]
    about: str
    help: Mapping[str, str] = {}
    either: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = {}
    writes: Mapping[str, tuple[str, ...]] = {}
    suffixes: Mapping[str, tuple[str, ...]] = {}


_OF_MODEL = {"workdir": "folder of a run or a saved model", "checkpoint": "the model of a checkpoint: last, best, or an outer step"}
MODES: Mapping[str, Mode] = {
    "evaluate": Mode(
        model_actions.evaluate, ("workdir",), ("checkpoint", "data_root"),
        "Evaluates a checkpoint on the test rows, its final classifier fitted anew: the figures of the run, to the\nbit. They are "
        "printed and written to RUN/evaluation-STEP.json.\n\n    d3gzsl evaluate --workdir=runs/digits --checkpoint=last",
        {"checkpoint": "which checkpoint: last, best, or an outer step (default: last)"},
    ),
    "predict": Mode(
        model_actions.predict, ("workdir",),
        (
            "output", "images", "input", "checkpoint", "data_root", "predictor", "top", "gallery", "accuracy", "bad",
            "image_encoder", "names", "key", "representations",
        ),
        "Classes of pictures, or of raw feature rows, with probabilities, as CSV, or as JSON by the file's name. Where pictures\n"
        "lie in folders named like classes, or a file says of which class its rows are, the accuracy is told, too.\n\n"
        "    d3gzsl predict --workdir=runs/mine --images=pictures --output=predicted.csv --gallery=predictions.html\n"
        "    d3gzsl predict --workdir=runs/digits --input=features.npy --output=predicted.csv --top=5",
        _OF_MODEL | {"output": "the .csv or .json to write; with --images and --gallery it may be left out"}, ("images", "input"),
        writes={"images": ("output", "gallery"), "input": ("output",)},
        suffixes={"output": (".csv", ".json"), "gallery": (".html", ".htm"), "accuracy": (".json",)},
    ),
    "synthesize": Mode(
        model_actions.synthesize, ("workdir", "output"), ("checkpoint", "data_root", "classes", "count", "seed"),
        "Feature rows that the generator makes of classes, as .npz.\n\n"
        "    d3gzsl synthesize --workdir=runs/digits --output=rows.npz --classes=unseen --count=100",
        _OF_MODEL | {"output": "the .npz to write"},
    ),
    "add_classes": Mode(
        model_actions.add_classes, ("workdir", "output"), ("classes", "semantics", "data_root", "text_encoder", "key"),
        "A model that knows further classes, by what is said of them alone: descriptions, or attributes with the columns of the\n"
        "model's own, as in the CSV of d3gzsl embed, or vectors. The run's data is read. To what it wrote it adds more.\n\n"
        "    d3gzsl add-classes --workdir=runs/mine --classes=new.csv --output=models/with-new\n"
        "    d3gzsl add-classes --workdir=runs/digits --semantics=nine.csv --output=models/with-nine",
        {
            "workdir": _OF_MODEL["workdir"], "output": "the folder of the new model",
            "classes": "a CSV of class,description, or class and attributes",
        },
        ("classes", "semantics"), {"classes": ""},
    ),
}  # fmt: skip


def of_mode(name: str) -> Callable[[Sequence[str]], int]:
    """The command that does a mode."""

    def command(arguments: Sequence[str]) -> int:
        of = MODES[name]

        def guess(option: str, value: str) -> str:
            known = ", ".join(flag(own) for own in of.needs + of.takes)
            if option == "config" or option.startswith("config."):
                raise UserError("--config means nothing here; the run in --workdir has its own")
            if option in OPTIONS:
                raise UserError(f"{flag(option)} means nothing here; it takes {known}")
            return ""

        called = f"d3gzsl {name.replace('_', '-')}"
        parser = Parser(called, description=of.about, exit_codes=_CODES, guess=guess)
        for option in of.needs + of.takes:
            own = {key: found[option] for key, found in (("help", of.help), ("default", of.defaults)) if option in found}
            parser.add_argument(flag(option), **OPTIONS[option] | own)
        options = checked(name, vars(parser.parse_args(arguments)))
        from d3gzsl_jax.runs.display import Display
        from d3gzsl_jax.system.startup import configure
        from d3gzsl_jax.training import memory

        configure(keep_compiled=None)
        with memory.told():
            run_mode(name, options, Display())
        return 0

    return command


def checked(mode: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a mode, `~` in paths resolved.

    Raises:
        UserError: one is missing, what is to be read is not there, or what is to be written cannot be.
    """
    of = MODES[mode]
    for name in of.needs:
        if not options[name]:
            raise UserError(f"{flag(name)} is missing")
    _check_either(of, options)
    _check_written(of, options)
    remote = paths.scheme_of(options["workdir"]) in paths.BUCKETS
    read = ("workdir", "data_root", "input", "images", "names", "semantics", *(("classes",) if mode == "add_classes" else ()))
    given = [name for name in read if options.get(name)]
    sources = {name: paths.clean(options[name], flag(name)) for name in given if not (remote and name == "workdir")}
    for name, path in sources.items():
        if not os.path.lexists(path):
            what = {"workdir": "folder", "data_root": "file or folder", "images": "file or folder"}.get(name, "file")
            raise UserError(f"{flag(name)}={path}: no such {what}")
        if name == "input" and path.is_dir():
            raise UserError(f"--input={path}: is a folder; --input is a file of feature rows, and pictures go by --images")
    if not remote:
        if options.get("checkpoint") or mode == "evaluate":
            contents.require_run(sources["workdir"])
        elif mode == "add_classes":
            contents.require_model(sources["workdir"])
        else:
            contents.model_folder(sources["workdir"], hint=" (--checkpoint=last takes its newest state)")
    if options.get("output"):
        known = {"output": paths.clean_output(options["output"], "--output", lambda path: True, "", list(sources.values()))}
    else:
        known = {}
    return dict(options) | {name: str(path) for name, path in (sources | known).items()}


def _check_either(of: Mode, options: Mapping[str, Any]) -> None:
    """Refuses none and several of the options of which a mode needs one, and those that go with another of them."""
    if not of.either:
        return
    given = [name for name in of.either if options.get(name)]
    if len(given) != 1:
        both = " and ".join(f"--{name}" for name in given)
        raise UserError(f"{both}: give one of them" if given else f"{' or '.join(f'--{name}' for name in of.either)} is missing")
    for name, others in _GOES_WITH.items():
        if name in of.takes and options.get(name) not in (None, "", OPTIONS[name]["default"]) and given[0] not in others:
            where = next(other for other in others if other in of.either)
            raise UserError(f"{flag(name)} goes with --{where}, not with --{given[0]}; leave it out")


def _check_written(of: Mode, options: Mapping[str, Any]) -> None:
    """Refuses to write nothing, and files whose names say that they are something else."""
    for given, names in of.writes.items():
        if options.get(given) and not any(options.get(name) for name in names):
            raise UserError(f"{' or '.join(f'--{name}' for name in names)} is missing")
    for name, suffixes in of.suffixes.items():
        if (path := options.get(name)) and (found := Path(path).suffix.lower()) not in suffixes:
            what = f"written as {' or '.join(suffixes)}, not as {found or 'a file without a suffix'}"
            raise UserError(f"--{name}={path}: is {what}; name it NAME{suffixes[0]}")


def run_mode(mode: str, options: Mapping[str, Any], display: "Display") -> None:
    """Does what a mode does.

    Args:
        mode: one of `MODES`.
        options: by name, with a value for each that the mode knows.
        display: where progress goes.

    Raises:
        UserError: see `checked`; or what the mode itself raises.
    """
    from d3gzsl_jax.runs.storage import bucket

    options = checked(mode, options)
    which = options.get("checkpoint") or mode == "evaluate"
    with bucket.local(options["workdir"], display, write=mode == "evaluate", checkpoints=bool(which)) as here:
        MODES[mode].do(options | {"workdir": here}, display)
