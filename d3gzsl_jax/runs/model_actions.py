"""What the commands for a run or a saved model do, once `model_commands` knows their options to be right.

Each takes the options by name, and a display to say things on; heavy modules are imported as they are needed.

Raises:
    UserError: files, options or the model do not fit together; nothing is written then.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from d3gzsl_jax.config.run_fields import BASELINES

if TYPE_CHECKING:
    from d3gzsl_jax.runs.display import Display
    from d3gzsl_jax.runs.model import TrainedModel


def evaluate(options: dict[str, Any], display: "Display") -> None:
    """A checkpoint on the test rows of its run."""
    from d3gzsl_jax.runs import reopen

    reopen.evaluate(options["workdir"], options["checkpoint"] or "last", display, options["data_root"])


def predict(options: dict[str, Any], display: "Display") -> None:
    """Classes of pictures or of feature rows, to the files that the options name."""
    from d3gzsl_jax.encoders.pictures import require_outside
    from d3gzsl_jax.runs import picture_rows
    from d3gzsl_jax.runs.gallery.write import MOST
    from d3gzsl_jax.runs.predict_file import outputs, predict_file, predict_pictures, why_no_accuracy
    from d3gzsl_jax.runs.truth import truth_of

    of, predictor = options, options["predictor"] or ""
    source = Path(of["images"] or of["input"])
    to = outputs(of["output"], of["accuracy"], of["gallery"], [source, Path(of["workdir"])])
    if of["images"]:
        for option, path in (("--output", to.table), ("--accuracy", to.accuracy), ("--gallery", to.gallery)):
            if path is not None:
                require_outside(path, option, source)
    pictures = picture_rows.pictures_of(source) if of["images"] else []
    model = _model(of, display, predictor in ("", "classifier"), predictor if predictor in BASELINES else "")
    if not pictures:
        further = of["representations"], of["names"], of["accuracy"], of["gallery"]
        predict_file(model, source, of["output"], display, of["top"], predictor, of["key"], *further)
        return
    model.check_predictor(predictor)
    model.check_top(of["top"])
    why_no_accuracy(model, truth_of([one.class_name for one in pictures], model.class_names), to)  # refuses, if it is asked for
    encoder = picture_rows.encoder_of(model, of["image_encoder"])
    found = picture_rows.picture_rows(pictures, encoder, display, of["bad"], bool(to.gallery) and len(pictures) <= MOST)
    predict_pictures(model, found, to, display, of["top"], predictor)


def synthesize(options: dict[str, Any], display: "Display") -> None:
    """Rows that the generator makes of classes."""
    from d3gzsl_jax.data.formats.class_files import parse_class_list
    from d3gzsl_jax.runs.synthesize_file import output_file, write_synthesized

    target = output_file(options["output"], "--output", [Path(options["workdir"])])
    model = _model(options, display, classifier=False)
    ids = parse_class_list(options["classes"], model.class_names, model.seen, model.unseen, "--classes")
    write_synthesized(model, ids, options["count"], options["seed"], target)
    display.say(f"wrote {target}: {options['count']} rows of {model.feature_size} features for each of {len(ids)} classes")


def add_classes(options: dict[str, Any], display: "Display") -> None:
    """A model that knows further classes."""
    from d3gzsl_jax.data.formats.class_files import check_width, read_classes
    from d3gzsl_jax.encoders.texts import split
    from d3gzsl_jax.runs.described_classes import new_semantics, table_of
    from d3gzsl_jax.runs.encoded_model import check_made_alike
    from d3gzsl_jax.runs.model import load_model
    from d3gzsl_jax.runs.model_files import output_folder
    from d3gzsl_jax.runs.reopen import data_of

    source = options["classes"] or options["semantics"]
    output = output_folder(options["output"], "--output", [Path(options["workdir"]), Path(source)])
    if options["classes"] and options["text_encoder"]:
        split(options["text_encoder"])
    table = table_of(source) if options["classes"] else None  # what is wrong with it is told before a model is loaded
    model = load_model(options["workdir"])
    if table:
        semantics, names = new_semantics(model, table, options["text_encoder"], display.say)
    else:
        semantics, names = read_classes(source, options["key"])
        if options["key"] in ("", "semantics"):
            check_made_alike(model, Path(source), "text")
        check_width(semantics, model.semantics.shape[1], source)
    grown = model.add_classes(semantics, names, data_of(model.config, options["data_root"]))
    grown.write(output)
    ids = f"{len(model.class_names)}" + (f" to {len(grown.class_names) - 1}" if len(names) > 1 else "")
    display.say(f"wrote {output}: a model that knows {len(grown.class_names)} classes; new: {ids}, {', '.join(names)}")


def _model(options: dict[str, Any], display: "Display", classifier: bool, baseline: str = "") -> "TrainedModel":
    folder, which = options["workdir"], options["checkpoint"]
    if which:
        from d3gzsl_jax.runs.reopen import model_at

        return model_at(folder, which, display, options["data_root"], classifier, baseline)
    from d3gzsl_jax.runs.model import load_model

    return load_model(folder)
