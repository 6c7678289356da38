"""The shapes of the JSON files of a run folder, as types; `json_files.read` reads by them.

Keys that are not named here may be there; those that are named have their type. What is optional may be null, or missing.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from d3gzsl_jax.data.formats import encoder_notes

Fraction = Annotated[float, Meta(ge=0.0, le=1.0 + 1e-9)] | None
"""In [0, 1], but for rounding; null where there was nothing to measure."""

Numbers = dict[str, float | None] | None
Count = Annotated[int, Meta(ge=0)]
PredictorName = Literal["student", "classifier", "ensemble"]
ClassKey = Annotated[str, Meta(pattern=r"^[0-9]{1,9}( |$)")]
"""'id name' of a class."""


class Metrics(Struct):
    """Accuracies; 'calibrated' is H at the gamma that folds chose."""

    unseen: Fraction = None
    seen: Fraction = None
    harmonic: Fraction = None
    zsl: Fraction = None
    ausuc: Fraction = None
    calibrated: Fraction = None


class WholeMetrics(Metrics, kw_only=True):
    """Those of a finished run."""

    unseen: Fraction
    seen: Fraction
    harmonic: Fraction
    zsl: Fraction


class Calibrated(Struct, kw_only=True):
    """What calibrated stacking reaches."""

    gamma: float
    unseen: Fraction
    seen: Fraction
    harmonic: Fraction
    selection: str | None = None


class Uncalibrated(Struct, kw_only=True):
    """What a predictor that predicts with calibration reaches without."""

    unseen: Fraction
    seen: Fraction
    harmonic: Fraction


class TestSelected(Struct, kw_only=True):
    """The epoch that looks best on the test rows."""

    metrics: WholeMetrics
    epochs: int | None = None
    selection: str | None = None


class OfFolds(Struct):
    """What folds chose for a predictor, and means over them."""

    epoch: int | None = None
    gamma: float | None = None
    metrics: Metrics | None = None


class Predictor(Struct):
    """What results.json says of a predictor."""

    metrics: Metrics | None = None
    selection: str | None = None
    per_class: dict[ClassKey, Fraction] | None = None
    calibrated: Calibrated | None = None
    uncalibrated: Uncalibrated | None = None
    validation: OfFolds | None = None
    test_selected: TestSelected | None = None
    epochs: int | None = None


class WholePredictor(Predictor, kw_only=True):
    """That of a finished run."""

    metrics: WholeMetrics


class _Train(Struct):
    epochs: int | None = None


class _Eval(Struct):
    prediction: str | None = None
    folds: int | None = None


class _Teacher(Struct):
    threshold: float | None = None


class Config(Struct):
    """config.json: the resolved configuration. Whoever runs by it goes through `settings.check`, too."""

    dataset: str | None = None
    framework: str | None = None
    seed: int | None = None
    precision: str | None = None
    data: dict[str, Any] | None = None
    networks: dict[str, Any] | None = None
    train: _Train | None = None
    parallel: dict[str, Any] | None = None
    checkpoint: dict[str, Any] | None = None
    guards: dict[str, Any] | None = None
    log: dict[str, Any] | None = None
    distillation: dict[str, Any] | None = None
    classifier: dict[str, Any] | None = None
    eval: _Eval | None = None
    teacher: _Teacher | None = None


class _Classes(Struct):
    seen: list[Count] | None = None
    unseen: list[Count] | None = None


class Results(Struct):
    """results.json, of one run or of several seeds, in any state."""

    dataset: str | None = None
    framework: str | None = None
    distillation: bool | None = None
    features: str | None = None
    semantics: str | None = None
    seed: int | None = None
    epochs: Count | None = None
    steps: Count | None = None
    selection: Literal["last", "validation", "test", "folds only", None] = None
    prediction: str | list[str] | None = None
    metrics: Metrics | None = None
    per_class: dict[ClassKey, Fraction] | None = None
    predictions: dict[str, Predictor | None] | None = None
    zsl_rule: dict[str, Literal["restricted", "own"]] | None = None
    classes: _Classes | None = None
    teacher: Numbers = None
    warnings: list[str] | None = None
    advice: list[str] | None = None
    baselines: dict[str, Predictor] | None = None
    interrupted: bool | None = None
    concluded: bool | None = None
    seconds: float | None = None
    fold_seconds: float | None = None
    model_predicts: str | None = None
    digests: dict[str, str] | None = None
    provenance: dict[str, Any] | None = None
    config: Config | None = None
    runs: list[dict[str, Any]] | None = None


class WholeResults(Results, kw_only=True):
    """results.json of a finished run."""

    dataset: str
    framework: str
    seed: int
    epochs: Count | None
    selection: Literal["last", "validation", "test", "folds only"]
    prediction: str
    metrics: WholeMetrics
    predictions: dict[str, WholePredictor]  # type: ignore[assignment] # narrower: a file is read, not written, through this
    config: Config


class Line(Struct, kw_only=True):
    """A line of metrics.jsonl."""

    step: Count
    epoch: Count | None = None
    kind: str | None = None
    metrics: Metrics | None = None
    predictions: dict[str, Metrics | None] | None = None
    losses: dict[str, Numbers] | None = None
    norms: dict[str, Numbers] | None = None
    learning_rates: Numbers = None
    diversity: Numbers = None
    clock: Numbers = None


class _Device(Struct):
    platform: str | None = None
    kind: str | None = None
    count: int | None = None


class _Start(Struct):
    time: str | None = None
    from_step: int | None = None
    python: str | None = None
    machine: str | None = None
    git: str | None = None
    versions: dict[str, str] | None = None
    device: _Device | None = None
    devices: int | None = None


class _Data(Struct):
    name: str | None = None
    sha256: str | None = None


class Environment(Struct):
    """environment.json: the data, and every start."""

    data: _Data | None = None
    starts: list[_Start] | None = None


class Choice(Struct):
    """See `selection.Choice`."""

    epoch: Annotated[int, Meta(ge=1)]
    classifier_epochs: Count
    gamma: float
    metrics: Metrics


class OfBaseline(Struct):
    """What folds chose for a baseline."""

    hyperparameters: dict[str, Any]
    gamma: float
    metrics: Metrics
    temperature: Annotated[float, Meta(gt=0)] | None = None


class Validation(Struct):
    """validation.json: what folds chose."""

    prediction: PredictorName
    choices: dict[PredictorName, Choice]
    asked: Config
    advice: list[str] | None = None
    baselines: dict[str, OfBaseline] | None = None
    seconds: float | None = None


class Overrides(Struct):
    """overrides.json: by field, what the command line set."""


class Scaling(Struct):
    """What raw features go through."""

    scale: list[float]
    offset: list[float]
    top: float
    arithmetic: Literal["float32", "float64"] | None = None
    kind: Literal["minmax", "standard", "unit", "none"] | None = None
    length: float | None = None


class NotedBaseline(Struct):
    """A baseline of a saved model."""

    normalized: bool
    gamma: float
    validation: dict[str, Any]
    temperature: Annotated[float, Meta(gt=0)] | None = None


class ModelNotes(Struct):
    """The notes of a saved model."""

    name: str
    config: Config
    class_names: list[str]
    seen: list[Count]
    unseen: list[Count]
    scaling: Scaling
    prediction: str
    step: Count
    data_sha256: str
    representation_scaling: Scaling | None = None
    encoders: encoder_notes.Notes | None = None
    baselines: dict[str, NotedBaseline] | None = None
    gammas: dict[PredictorName, float] | None = None
    folds: dict[str, Metrics] | None = None
    advice: list[str] | None = None


class History(Struct):
    """The history of a checkpoint."""

    best: dict[str, tuple[int, dict[str, float | None]]]
    warnings: list[str]
    seconds: float


KINDS: dict[str, Any] = {
    "config.json": Config, "overrides.json": Overrides, "environment.json": Environment, "results.json": Results,
    "validation.json": Validation, "metrics.jsonl": Line,
}  # fmt: skip
"""By name, what a file of a run folder holds; of metrics.jsonl, a line."""
