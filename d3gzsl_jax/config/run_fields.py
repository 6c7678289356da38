"""The fields around the training of a model: the run, its data, evaluation, checkpoints, devices, guards and logs."""

from d3gzsl_jax.config.field_type import ANY, Field

SEEDS = 2**32 - 1  # the highest seed
_ON_FOLDS = ("eval.selection", "validation")

BASELINES = ("eszsl", "regressor", "class_norm", "clip")
"""What eval.baselines may name."""

RUN = (
    Field("dataset", "CUB", "Name of the data in messages and results; with data.source=tfds also which dataset."),
    Field("seed", 0, "Every draw of the run follows from it.", low=0, high=SEEDS),
    Field("seeds", (), "Several seeds, trained together as one program; () for config.seed alone."),
    Field(
        "precision", "float32",
        "Of the networks' products: float32, tf32 (on chips that have it) or bfloat16.", words=("float32", "tf32", "bfloat16"),
    ),
    Field(
        "compile_cache", True,
        "Whether compiled programs are kept in a cache folder of the user's, so that the next start is quicker (JAX's persistent "
        "compilation cache; its own environment variables go before this).", may_change=True,
    ),
)  # fmt: skip

DATA = (
    Field(
        "data.source", "mat",
        "Where data comes from: mat (an xlsa17 folder), npz (one .npz or .h5 file), tfds (the TFDS builder xlsa17), digits "
        "(embedded, no download).", words=("mat", "npz", "tfds", "digits"),
    ),
    Field(
        "data.root", "data/xlsa17/data/CUB",
        "mat: the folder; npz: the file; tfds: data_dir of TFDS, '' for its default. ~ is the home folder, and a relative path "
        "counts from the working directory.", may_change=True,
    ),
    Field(
        "data.manual_dir", "",
        "Folder with CUB/res101.mat and the like, where the archive is not to be downloaded.", may_change=True,
        read_with=("data.source", "tfds"),
    ),
    Field(
        "data.feature_file", "res101.mat", "The feature file (.mat or .h5); a relative path counts from data.root.",
        read_with=("data.source", "mat"),
    ),
    Field(
        "data.representation_file", "",
        "A further array per row, for a framework that takes one (zerodiff): a file with a matrix of N rows, as ZeroDiff's "
        "con_paco.mat (.mat, .h5, .npz or .npy); with data.source=mat a relative path counts from data.root. '': none; zerodiff "
        "then takes the frozen teacher's embedding of the features.",
    ),
    Field(
        "data.semantics", "att",
        "Class semantics: att reads att_splits.mat of data.root, NAME reads NAME_splits.mat (tfds: att, sent).",
        read_with=("data.source", "mat", "tfds"),
    ),
    Field(
        "data.unseen_classes", "",
        "Ids or names of classes that are unseen and need have no rows, as in '8' or 'okapi,9'; unseen: all without trainval rows.",
        may_change=True,
    ),
    Field(
        "data.leave_out", "",
        "Classes to train without: ids (from 0, also where a .mat counts from 1) and names, as in '9' or 'zebra,3'; add_classes "
        "can add them later.",
    ),
    Field(
        "data.normalize_semantics", False,
        "Whether each class's vector is divided by its L2 norm (the released code does not do that).",
    ),
    Field(
        "data.scaling", "minmax",
        "What features go through first: minmax, each dimension to [0, 1] over trainval, then all by the largest value, as the "
        "published code does; standard, each dimension to mean 0 and standard deviation 1 over trainval; unit, each row to length "
        "1; none; auto: by what the features look like.",
        words=("minmax", "standard", "unit", "none", "auto"),
    ),
    Field(
        "data.pipeline", "auto",
        "How batches are read: index (row numbers by tf.data), stream (features by tf.data), device (drawn in the compiled step: "
        "TensorFlow is not even imported), auto (index if TensorFlow is installed); the batches are the same, bit for bit.",
        words=("auto", "index", "stream", "device"),
    ),
    Field(
        "data.stress.imbalance", 1.0,
        "Long-tailed seen classes: training rows of the largest over those of the smallest.", 1.0, ANY,
    ),
    Field("data.stress.seen_rows", 1.0, "Share of the trainval rows of each seen class that is kept.", 0.0, 1.0, closed=False),
    Field(
        "data.stress.test_imbalance", 1.0, "Test prior shift: as imbalance, of test rows of seen and of unseen classes.", 1.0, ANY,
    ),
    Field("data.stress.feature_noise", 0.0, "Gaussian noise of features, in standard deviations of each dimension.", low=0.0),
    Field("data.stress.semantic_noise", 0.0, "Gaussian noise of semantics, in standard deviations over seen classes.", low=0.0),
    Field("data.stress.seen_classes", 0, "Seen classes that are kept; 0: all.", low=0),
    Field("data.stress.unseen_classes", 0, "Unseen classes that are kept; 0: all.", low=0),
    Field("data.stress.seed", 0, "Of all that is drawn for the harder version.", low=0, high=SEEDS),
)  # fmt: skip

EVAL = (
    Field(
        "eval.prediction", "student",
        "Whose U, S, H and T1 are the run's result; auto: whichever is better in validation (with selection=validation).",
        words=("student", "classifier", "ensemble", "auto"), base="classifier",
    ),
    Field(
        "eval.ensemble", False,
        "Whether D3's student and the final classifier together, by the mean of their log-probabilities, predict too: as "
        "'ensemble', which auto then chooses among as well. It costs no training.",
    ),
    Field(
        "eval.model_predicts", "result",
        "By what the run's model predicts unless told otherwise (d3gzsl predict --predictor): result, what eval.prediction says; "
        "best, a baseline of eval.baselines where the folds put it ahead. Results are the same.",
        words=("result", "best"), read_with=_ON_FOLDS,
    ),
    Field("eval.every_epochs", 1, "Evaluate after every so many epochs, and after the last.", low=1, base=10, counted_in="run"),
    Field("eval.batch_size", 4096, "Rows per call of a prediction.", low=1),
    Field(
        "eval.selection", "last",
        "last: the last epoch is the result. validation: epoch, epochs of the final classifier and calibration are chosen on folds"
        " inside trainval, then all of trainval is trained on for so long and the test rows are looked at once. test: the epoch "
        "that looks best on the test rows, as published code does (no result, and called test-selected).",
        words=("last", "validation", "test"),
    ),
    Field(
        "eval.criterion", "harmonic",
        "What is highest in validation: harmonic (H), calibrated (H at its best gamma), ausuc, zsl.",
        words=("harmonic", "calibrated", "ausuc", "zsl"), read_with=_ON_FOLDS,
    ),
    Field(
        "eval.calibration", "none",
        "folds: what the run predicts with has the gamma that folds chose taken off the seen classes' scores, in results, in its "
        "model and when it is chosen (H is calibrated H). none: gamma is chosen and reported beside. With selection=validation.",
        words=("none", "folds"),
    ),
    Field(
        "eval.folds", 1,
        "Folds of validation; in each, other seen classes are held out. 0: by the number of seen classes, 4 of up to 12, 3 of up "
        "to 40, 2 of up to 100, then 1.", low=0, high=100, read_with=_ON_FOLDS,
    ),
    Field(
        "eval.baselines", "",
        "Names, with commas between, of what is fitted on the same folds without synthesis, shown beside the run, stored with the "
        "model and able to predict: eszsl, regressor, class_norm (see d3gzsl baselines), and clip, the cosine of picture and text, "
        "where the data says that one CLIP encoder made both. With selection=validation; '': none.",
    ),
    Field(
        "eval.fold_classes", 0.2,
        "Share of the seen classes that a fold holds out as pseudo-unseen.", 0.0, 0.9, closed=False, read_with=_ON_FOLDS,
    ),
    Field(
        "eval.fold_rows", 0.2,
        "Share of the other seen classes' rows that a fold holds out as pseudo test-seen.", 0.0, 0.9, closed=False,
        read_with=_ON_FOLDS,
    ),
    Field(
        "eval.fold_seed", 0,
        "Of the folds alone, so that runs that differ in their seed are chosen on the same folds.", low=0, high=SEEDS,
        read_with=_ON_FOLDS,
    ),
    Field(
        "eval.retrain", True,
        "False: stop after validation, without a look at the test rows; figures are then those of the folds.", may_change=True,
    ),
)  # fmt: skip

CHECKPOINT = (
    Field(
        "checkpoint.every_minutes", 5.0,
        "Minutes between checkpoints, the most that is lost; 0: after every call. There is one at the end, on SIGTERM and ctrl-C, "
        "too.", low=0.0, high=ANY, may_change=True,
    ),
    Field("checkpoint.keep", 2, "How many are kept, the newest.", low=1, may_change=True),
    Field(
        "checkpoint.best", "",
        "Keep also the one in which this is highest (it is picked on the test set!); '': none.",
        words=("", "test_unseen", "test_seen", "test_harmonic", "test_zsl"), may_change=True,
    ),
)  # fmt: skip

PARALLEL = (
    Field(
        "parallel.seeds", 0,
        "With config.seeds: how many of them one program trains at a time; 0: as many as memory holds.", low=0, may_change=True,
    ),
    Field(
        "parallel.seeds_as", "auto",
        "vmap: batched, equal to a run of that seed alone up to rounding, which training lets grow. map: one after another within "
        "the program, to the bits of the run alone. auto: vmap on an accelerator, map on a CPU, where it is no slower. Seeds "
        "that divide evenly over several devices of one process are spread over them, each going through its own like this.",
        words=("auto", "map", "vmap"), may_change=True,
    ),
    Field(
        "parallel.devices", 0,
        "Devices that rows of a batch are split over; 0: all there are, of all processes; 1: no splitting.", low=0, may_change=True,
    ),
)  # fmt: skip

GUARDS = (
    Field(
        "guards.loss_limit", 1e6,
        "A loss term larger than this stops training, as one that is not finite does.",
        low=0.0, high=ANY, closed=False, may_change=True,
    ),
    Field(
        "guards.diversity", 0.01,
        "Warn when synthesized rows of an unseen class vary less than this share of the variation of real rows of a class.",
        low=0.0, may_change=True,
    ),
    Field(
        "guards.memory", True,
        "Refuse what needs more memory than is free, before anything is computed; False: try it anyway.", may_change=True,
    ),
)  # fmt: skip

LOG = (
    Field("log.report", True, "Draw plots and write report.html at the end.", may_change=True),
    Field(
        "log.tensorboard", False,
        "Write all of metrics.jsonl as TensorBoard events too (needs the extra tensorboard).", may_change=True,
    ),
    Field(
        "log.wandb", False,
        "Send configuration, metrics.jsonl and results to Weights & Biases too (needs the extra wandb; WANDB_MODE=offline: kept "
        "in the run folder). Folds of a validation are not sent.", may_change=True,
    ),
)  # fmt: skip

AROUND: tuple[Field, ...] = (*EVAL, *CHECKPOINT, *PARALLEL, *GUARDS, *LOG)
