"""The fields that say how a model is trained: networks, teacher, training, D3, final classifier.

Defaults are the released D3GZSL settings for CUB (arXiv 2402.11424 on WGAN-GP). Sizes and class counts are no fields: they are read
off the data.
"""

from d3gzsl_jax.config.field_type import Field

BELOW_1 = 1.0 - 1e-9
COOLEST = 1e-6  # temperature: logits over a smaller one overflow float32

NETWORKS = (
    Field("networks.noise", 0, "Size of the noise z; 0: as many as semantic dimensions.", low=0),
    Field(
        "networks.generator_hidden", 4096,
        "Hidden width of the generator; 0: chosen by the number of features and semantic dimensions.", low=0,
    ),
    Field("networks.critic_hidden", 4096, "Hidden width of the critic; 0: chosen as the generator's is.", low=0),
    Field(
        "networks.embedding", 2048,
        "Width of the teacher's and the student's embedding, and of a framework's that they share; 0: chosen by the number of "
        "features.", low=0,
    ),
    Field(
        "networks.output", "published",
        "What the generator ends in: published, as the framework's paper has it (relu for wgan, fclswgan and cegzsl; linear for "
        "cadavae; sigmoid for the others, whose losses need it); auto: by what the features look like.",
        words=("published", "relu", "sigmoid", "linear", "auto"),
    ),
)

TEACHER = (
    Field("teacher.epochs", 30, "Epochs of its pretraining.", low=0, read_with=("teacher.updates", 0), counted_in="rows"),
    Field(
        "teacher.updates", 0,
        "Updates of its whole pretraining, however many rows there are, rounded up to whole epochs, and folds, which have fewer "
        "rows, have as many. 0: as many as teacher.epochs have.", low=0,
    ),
    Field("teacher.batch_size", 128, "Rows per update of its pretraining; 0: as many as train.batch_size.", low=0),
    Field("teacher.learning_rate", 1e-4, "Learning rate of its pretraining.", low=0.0, closed=False),
    Field("teacher.loss_weight", 0.001, "Its loss is this times the negative log-likelihood.", low=0.0, closed=False),
    Field(
        "teacher.threshold", -1.2,
        "Of the score max log_softmax, for the reported id_accuracy and ood_accuracy.", low=-1e9, high=1e9,
    ),
)  # fmt: skip

TRAIN = (
    Field(
        "train.epochs", 2000,
        "Epochs, of ceil(trainval rows / batch_size) outer steps each; with train.outer_steps, in how many equal parts these go.",
        low=1, may_change=True, counted_in="run",
    ),
    Field(
        "train.outer_steps", 0,
        "Outer steps of the whole run, however many rows there are: an epoch is a part of them, train.epochs says into how many, "
        "and folds, which have fewer rows, have as many steps. 0: as many as the epochs have. To train a run on, raise both in the "
        "same ratio.", low=0, may_change=True,
    ),
    Field(
        "train.batch_size", 256,
        "Real rows per update; 0: 64, or fewer where trainval, or a fold of it, has fewer rows.", low=0,
    ),
    Field("train.n_critic", 5, "Critic updates per outer step, each on a batch of its own.", low=1),
    Field("train.learning_rate", 1e-4, "Learning rate of every Adam.", low=0.0, closed=False),
    Field("train.beta1", 0.5, "First decay rate of Adam.", low=0.0, high=BELOW_1),
    Field("train.beta2", 0.999, "Second decay rate of Adam.", low=0.0, high=BELOW_1, closed=False),
    Field("train.gradient_penalty_weight", 10.0, "Weight of the gradient penalty in the critic's loss.", low=0.0),
    Field(
        "train.decay_every", 20, "At the end of every so many epochs learning rates are multiplied by the factors below.", low=1,
        counted_in="run",
    ),
    Field("train.generator_factor", 1.09, "Factor of the generator's learning rate.", low=0.0, closed=False),
    Field(
        "train.critic_factor", 1.09,
        "Factor of the learning rate of the critic and what is trained with it.", low=0.0, closed=False,
    ),
    Field(
        "train.student_factor", 0.98,
        "Factor of the student head's learning rate, and of its embedding where that is its own.", low=0.0, closed=False,
    ),
    Field("train.confidence_factor", 0.99, "Factor of the confidence's learning rate.", low=0.0, closed=False),
    Field(
        "train.steps_per_call", 16,
        "Outer steps per compiled call. More: less overhead. Fewer: progress and ctrl-C react sooner.", low=1, may_change=True,
    ),
    Field(
        "train.resume", "auto",
        "A run folder that holds a run: auto (resume it, or start), must (refuse to start), never (refuse to resume).",
        words=("never", "auto", "must"), may_change=True,
    ),
)  # fmt: skip

TERMS = ("cls", "od", "be", "kl")
"""D3's losses: distillation.weight_cls and so on. With all four weights 0 there is no D3."""

WITHOUT_D3 = {f"distillation.weight_{term}": 0.0 for term in TERMS} | {
    "eval.prediction": "classifier", "eval.ensemble": False, "classifier.inputs": "method",
}  # fmt: skip
"""What makes the base method alone of a configuration: nothing is left that needs D3 or its student."""

DISTILLATION = (
    Field("distillation.n_syn", 5, "Synthesized rows per unseen class and update; 0: train the student on real rows only.", low=0),
    Field("distillation.weight_cls", 1e-4, "Weight of L_cls, the classification in label space.", low=0.0, base=0.0),
    Field("distillation.weight_od", 1e-4, "Weight of L_od, batch out-of-distribution distillation (O2DBD).", low=0.0, base=0.0),
    Field(
        "distillation.weight_be", 1e-4,
        "Weight of L_be, the embedding part of in-distribution distillation (ID2SD).", low=0.0, base=0.0,
    ),
    Field(
        "distillation.weight_kl", 1e-4,
        "Weight of L_kl, the label part of in-distribution distillation (ID2SD).", low=0.0, base=0.0,
    ),
    Field(
        "distillation.variant", "released",
        "The losses as in the released code, or as described in the paper.", words=("released", "described"),
    ),
    Field("distillation.score", "msp", "The teacher's score in L_od.", words=("msp", "energy", "max_logit")),
    Field(
        "distillation.target", "class",
        "Which pairs match in L_od: of one class, or of one domain (seen, unseen).", words=("class", "domain"),
    ),
    Field(
        "distillation.temperature", 1.0,
        "Temperature of L_kl.", low=0.0, closed=False, smallest=COOLEST, read_with=("distillation.variant", "described"),
    ),
    Field(
        "distillation.unseen_per_step", 0,
        "Unseen classes drawn for an outer step, weighted so that L_D3 stays that of all; 0: all of them, every time.", low=0,
    ),
    Field(
        "distillation.head", "all",
        "The student's columns, with unseen_per_step: all of them (exact), or sampled, those of the classes of the step.",
        words=("all", "sampled"),
    ),
)  # fmt: skip

CLASSIFIER = (
    Field(
        "classifier.fit", "last",
        "When it is fitted: last (at the end), every (after every evaluated epoch), never.",
        words=("never", "last", "every"), base="every",
    ),
    Field(
        "classifier.inputs", "method",
        "What it sees of a row: method, what the base method represents rows by (for WGAN-GP, f-CLSWGAN and f-VAEGAN-D2 the "
        "features); student, the embedding that D3's student has learned.", words=("method", "student"),
    ),
    Field("classifier.n_syn", 300, "Rows synthesized per unseen class.", low=0),
    Field(
        "classifier.synthesis", "auto",
        "When they are made: ahead, all of them before the fit; batches, those of an update as it is due, anew in every epoch, for "
        "rows that no memory holds; auto, ahead where they take at most 4 GiB. The rows are the same, up to last digits.",
        words=("ahead", "batches", "auto"),
    ),
    Field("classifier.epochs", 25, "Epochs it is fitted for.", low=1),
    Field("classifier.batch_size", 300, "Rows per update.", low=1),
    Field("classifier.learning_rate", 1e-3, "Learning rate.", low=0.0, closed=False),
    Field("classifier.beta1", 0.5, "First decay rate of Adam.", low=0.0, high=BELOW_1),
    Field(
        "classifier.logit_adjustment", 0.0,
        "tau of the logit-adjusted loss (Menon et al. 2021); 0: none, 1: for the balanced error.", low=0.0,
    ),
    Field(
        "classifier.zsl", "restricted",
        "What its T1 is by: restricted (its own logits of the unseen classes), own (a second softmax over the unseen classes alone,"
        " fitted to the synthesized rows alone). U, S, H and AUSUC do not depend on it.", words=("restricted", "own"),
    ),
    Field(
        "classifier.zsl_epochs", 0, "Epochs the second softmax is fitted for; 0: as many as classifier.epochs.", low=0,
        read_with=("classifier.zsl", "own"),
    ),
    Field(
        "classifier.zsl_n_syn", 0,
        "Rows per unseen class the second softmax is fitted to, the first of those synthesized; 0: all classifier.n_syn.", low=0,
        read_with=("classifier.zsl", "own"),
    ),
)  # fmt: skip

METHOD: tuple[Field, ...] = (*NETWORKS, *TEACHER, *TRAIN, *DISTILLATION, *CLASSIFIER)
