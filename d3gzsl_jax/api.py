"""The package in a few names, for notebooks; each runs the code that the command line runs.

    from d3gzsl_jax import api as d3

    config = d3.load_config("configs/digits.py", {"train.epochs": 10})
    data = d3.load_data(config)                       # or d3.embed("pictures", "classes.csv", "birds.npz")
    run = d3.train(config, data)                      # run.results, run.model, run.folder
    found = run.model.predict(features, top=3)        # classes, names, probabilities, seen, in_distribution
    found.to_dataframe()                              # a pandas table of them
    run.model.synthesize(data.unseen_classes, 100)    # raw feature rows
    grown = run.model.add_classes(semantics, ("okapi",), data)
    grown = run.model.add_described_classes({"okapi": "A brown animal with striped legs."}, data)  # data of d3gzsl embed
    grown.save("models/with-okapi"); d3.load_model("models/with-okapi")

Errors a user can mend are `d3.UserError`, a `ValueError` of one line.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ml_collections import ConfigDict

from d3gzsl_jax import __version__
from d3gzsl_jax.config import check
from d3gzsl_jax.config.load import load_config
from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.data.formats.open_npz import write_npz
from d3gzsl_jax.data.load import at_hand, load
from d3gzsl_jax.data.validate import validate
from d3gzsl_jax.encoders import embed as embedding
from d3gzsl_jax.errors import DivergenceError, UserError
from d3gzsl_jax.runs import model as model_module
from d3gzsl_jax.runs.display import METRICS, Display, percent
from d3gzsl_jax.runs.folder import made
from d3gzsl_jax.runs.model import TrainedModel
from d3gzsl_jax.runs.predictions import Predictions
from d3gzsl_jax.runs.results import method
from d3gzsl_jax.runs.resume import FOLDS_ONLY
from d3gzsl_jax.runs.storage import bucket
from d3gzsl_jax.runs.unknown_figures import lacks_unseen, of_folds
from d3gzsl_jax.studies.start import train_on
from d3gzsl_jax.system import paths
from d3gzsl_jax.system.startup import configure

__all__ = [
    "DivergenceError",
    "GZSLData",
    "Predictions",
    "TrainedModel",
    "TrainedRun",
    "UserError",
    "__version__",
    "embed",
    "load_config",
    "load_data",
    "load_model",
    "train",
    "validate",
    "write_npz",
]  # fmt: skip


class TrainedRun(NamedTuple):
    """A finished run: what results.json holds, the model, and the run folder (of one in a bucket, its address).

    With config.eval.retrain=False a run stops after validation and there is no model: it is None.
    """

    results: dict[str, Any]
    model: TrainedModel | None
    folder: Path | str

    def __repr__(self) -> str:
        of, metrics = self.results, self.results.get("metrics") or {}
        figures = " ".join(f"{heading} {percent(metrics.get(name))}" for heading, name in METRICS.items())
        if lacks_unseen(of):
            figures = f"U unknown, no test rows of unseen classes, S {percent(metrics.get('seen'))}"
            if folds := of_folds(of):
                figures += "; folds: " + " ".join(f"{heading} {percent(folds.get(name))}" for heading, name in METRICS.items())
        return (
            f"TrainedRun({method(of['config'])} on {of['dataset']}, seed {of['seed']}, {of['epochs']} epochs: {figures} (percent, "
            f"{of['prediction']}); {self.folder})"
        )


def load_data(config: ConfigDict) -> GZSLData:
    """Reads and validates the benchmark that `config` names.

    Raises:
        UserError: data missing or wrong; the message names file, key and row.
    """
    check.check(config)
    return load(config.dataset, config.data)


def embed(
    images: str | Path, classes: str | Path, output: str | Path, *, image_encoder: str = embedding.IMAGE_ENCODER,
    text_encoder: str = "", holdout: float = 0.2, unseen: str = "", unseen_share: float = 0.0, bad: str = "refuse", seed: int = 0,
    batch: int = embedding.BATCH, display: Display | None = None,
) -> GZSLData:
    """Makes a benchmark of pictures and of words about their classes, and writes it: what `d3gzsl embed` does.

    Args:
        images: a folder with a subfolder of pictures for each class, or a CSV of file,class.
        classes: a CSV of class,description or of class and numbers. Classes without pictures are unseen.
        output: the .npz to write.
        image_encoder, text_encoder: see `d3gzsl_jax.encoders.images` and `texts`.
        holdout: share of each seen class's pictures to test with.
        unseen: names of classes with pictures that are held out as unseen, 'okapi,zebra'; or
        unseen_share: the share of classes to hold out, drawn.
        bad: 'refuse' pictures that cannot be read, or 'skip' them.
        seed: of what is drawn.
        batch: pictures an encoder gets at once.
        display: where progress goes; standard output if None.

    Raises:
        UserError: files, options or pictures are wrong; the message says which.
    """
    asked = embedding.plan(images, classes, output, image_encoder, text_encoder, holdout, unseen, unseen_share, seed, bad, batch)
    return embedding.embed(asked, display or Display())


def train(
    config: ConfigDict, data: GZSLData | None = None, workdir: str | Path = "", overrides: Mapping[str, Any] | None = None,
    display: Display | None = None,
) -> TrainedRun:
    """Trains, or goes on with the run in `workdir`, and loads the model it ends with.

    Args:
        config: of `load_config`.
        data: of `load_data`, of `embed`, or your own; None to read what `config` names. It is validated, and its semantics are
            normalised where config.data.normalize_semantics says so, as those of a file are. Of the other fields of config.data
            those that change a benchmark (leave_out, unseen_classes, representation_file, stress) must say how it was made.
        workdir: the run folder, '' for a new one under runs/.
        overrides: fields set by hand, for the record.
        display: where progress goes; standard output if None.

    Raises:
        UserError: bad configuration, data or folder. DivergenceError: training broke down.
    """
    check.check(config)
    configure(keep_compiled=bool(config.get("compile_cache", True)))
    data = at_hand(data, config.data) if data is not None else load(config.dataset, config.data)
    folder, new = (str(workdir), []) if bucket.is_in_one(workdir) else made(workdir, data.name)
    try:
        results = train_on(data, config, str(folder), display, overrides)
    except UserError:
        paths.remove_empty(new)
        raise
    return TrainedRun(results, None if results["selection"] == FOLDS_ONLY else _loaded(folder), folder)


def load_model(folder: str | Path) -> TrainedModel:
    """The model of a finished run (its folder), or of a folder that `TrainedModel.save` wrote.

    Raises:
        UserError: there is none.
    """
    configure(keep_compiled=None)
    return _loaded(folder)


def _loaded(folder: str | Path) -> TrainedModel:
    with bucket.local(folder, write=False, checkpoints=False) as here:
        return model_module.load_model(here)
