"""Every field of a configuration, with the released D3GZSL settings for CUB as values (arXiv 2402.11424 on a WGAN-GP base).

Other files in this folder call `get_config` from here and change what differs. On the command line any field is overridden by
`--config.group.field=value`. Sizes and class counts are never typed: they are read off the data. `--config=FILE.py:base` leaves
D3 out: the base method alone, predicting by the final classifier.
"""

from ml_collections import ConfigDict

VARIANTS = ("d3", "base")


def get_config(variant: str = "d3") -> ConfigDict:
    """The default configuration: 'd3' with D3 on its base method, 'base' without."""
    if variant not in VARIANTS:
        raise ValueError(f"unknown variant {variant!r} after the colon, expected one of {', '.join(VARIANTS)}")
    config = ConfigDict()
    config.dataset = "CUB"  # name in messages and results; for source=tfds also which dataset
    config.framework = "wgan"  # generative base method: wgan (WGAN-GP), fclswgan (f-CLSWGAN), cegzsl (CE-GZSL)
    config.seed = 0  # every draw of the run follows from it; 0 <= seed < 2**32
    config.seeds = ()  # several seeds, trained together as one program; (): config.seed alone
    config.precision = "float32"  # of the networks' products: float32, tf32 (on chips that have it) or bfloat16

    config.data = data = ConfigDict()
    data.source = "mat"  # mat (xlsa17 folder), npz (data/formats/open_npz.py), tfds (builder xlsa17), digits (embedded)
    # mat: the folder; npz: the file (.npz, .h5); tfds: TFDS data_dir ('' for its default). ~ is the home folder, and a relative
    # path counts from the working directory
    data.root = "data/xlsa17/data/CUB"
    data.manual_dir = ""  # tfds only: folder with CUB/res101.mat and the like, where the archive is not to be downloaded
    data.feature_file = "res101.mat"  # mat only: the feature file (.mat, .h5); a relative path counts from root
    data.semantics = "att"  # reads att_splits.mat; NAME reads NAME_splits.mat of root (tfds: att or sent)
    data.unseen_classes = ""  # classes that are unseen and need have no rows, "8" or "okapi,9"; unseen: all without trainval rows
    # classes to train without, ids (from 0, also where a .mat counts from 1) and names: "9" or "zebra,3"; --mode=add_classes can
    # add them later
    data.leave_out = ""
    data.normalize_semantics = False  # divide each class's vector by its L2 norm (the released code does not)
    data.stress = stress = ConfigDict()  # a harder version of the benchmark, see docs/stress.md; by default none
    stress.imbalance = 1.0  # long-tailed seen classes: training rows of the largest over those of the smallest
    stress.seen_rows = 1.0  # share of the trainval rows of each seen class
    stress.test_imbalance = 1.0  # test prior shift: likewise for test rows of seen and of unseen classes
    stress.feature_noise = 0.0  # Gaussian, in standard deviations of each dimension
    stress.semantic_noise = 0.0  # likewise, of each dimension over seen classes
    stress.seen_classes = 0  # keep so many; 0: all
    stress.unseen_classes = 0
    stress.seed = 0  # of all that is drawn for it
    data.pipeline = "auto"  # auto, index (tf.data row numbers), stream (tf.data features), device (no TensorFlow); same batches

    config.networks = networks = ConfigDict()
    networks.noise = 0  # size of z; 0: as many as semantic dimensions
    networks.generator_hidden = 4096
    networks.critic_hidden = 4096
    networks.embedding = 2048  # width of the teacher's and the student's embedding, and of CE-GZSL's, which the student shares

    config.fclswgan = fclswgan = ConfigDict()  # options of framework=fclswgan only
    fclswgan.classification_weight = 0.01  # of the NLL of synthesized rows under a classifier of seen classes, frozen
    fclswgan.classifier_epochs = 50  # that classifier's, fitted to real seen rows before training
    fclswgan.classifier_batch_size = 100
    fclswgan.classifier_learning_rate = 1e-3

    config.cegzsl = cegzsl = ConfigDict()  # options of framework=cegzsl only
    cegzsl.projection = 512  # size of z', which instances are contrasted in
    cegzsl.comparator_hidden = 2048
    cegzsl.weight_instance = 0.001  # of L_ins in the generator phase; the critic phase has it at 1
    cegzsl.weight_class = 0.001  # of L_cl likewise
    cegzsl.temperature_instance = 0.1
    cegzsl.temperature_class = 0.1
    cegzsl.comparator_gradient = "released"  # released: summed over the updates of an epoch; fresh: of each update alone

    config.teacher = teacher = ConfigDict()  # the out-of-distribution model, pretrained on seen rows, then frozen
    teacher.epochs = 30
    teacher.batch_size = 128
    teacher.learning_rate = 1e-4
    teacher.loss_weight = 0.001  # the loss is this times the negative log-likelihood
    teacher.threshold = -1.2  # of the score max log_softmax, for the reported id_accuracy and ood_accuracy

    config.train = train = ConfigDict()
    train.epochs = 2000  # an epoch is ceil(trainval rows / batch_size) outer steps
    train.batch_size = 256
    train.n_critic = 5  # critic updates per outer step, each on a batch of its own
    train.learning_rate = 1e-4  # of every Adam
    train.beta1 = 0.5
    train.beta2 = 0.999
    train.gradient_penalty_weight = 10.0
    train.decay_every = 20  # at the end of every so many epochs learning rates are multiplied by:
    train.generator_factor = 1.09
    train.critic_factor = 1.09
    train.student_factor = 0.98  # student head, and student embedding where it is the student's own
    train.confidence_factor = 0.99
    train.steps_per_call = 16  # outer steps per compiled call: more means less dispatch, fewer means quicker progress and ctrl-C

    train.resume = "auto"  # auto (go on where --workdir stopped, else start), must (refuse to start), never (refuse to go on)

    config.parallel = parallel = ConfigDict()  # docs/devices.md; a run may go on with another number
    parallel.seeds = 0  # with config.seeds: how many of them one program trains at a time; 0: as many as memory holds
    # vmap: batched, equal to a run of that seed alone up to rounding, which training lets grow; map: one after another within the
    # program, to the bits of the run alone; auto: vmap on an accelerator, map on a CPU, where it is no slower
    parallel.seeds_as = "auto"
    parallel.devices = 0  # rows of a batch are split over so many; 0: all there are, of all processes; 1: no splitting

    config.checkpoint = checkpoint = ConfigDict()  # in the run folder; none of these changes a result
    checkpoint.every_minutes = 5.0  # at most that much is lost; 0: after every call. Also at the end, and on SIGTERM and ctrl-C
    checkpoint.keep = 2  # the newest so many
    checkpoint.best = ""  # also the one with the highest: test_harmonic, test_unseen, test_seen, test_zsl (picked on the test set!)

    config.guards = guards = ConfigDict()
    guards.loss_limit = 1e6  # a loss term larger than this stops training, as one that is not finite does
    guards.diversity = 0.01  # warn when synthesized rows of an unseen class vary less than this share of real rows of a class
    guards.memory = True  # refuse what needs more memory than is free, before anything is computed; False: try it anyway

    config.log = log = ConfigDict()
    log.report = True  # plots and report.html at the end
    log.tensorboard = False  # events of all of metrics.jsonl (needs the extra `tensorboard`)

    config.distillation = distillation = ConfigDict()
    distillation.n_syn = 5  # synthesized rows per unseen class and update; 0: train the student on real rows only
    weight = 1e-4 if variant == "d3" else 0.0  # all four 0: no teacher, no student, exactly the base method
    distillation.weight_cls = weight  # L_cls, classification in label space
    distillation.weight_od = weight  # L_od, batch out-of-distribution distillation (O2DBD)
    distillation.weight_be = weight  # L_be, embedding distillation (ID2SD)
    distillation.weight_kl = weight  # L_kl, label distillation (ID2SD)
    distillation.variant = "released"  # released (the published code) or described (the paper)
    distillation.score = "msp"  # the teacher's score in L_od: msp, energy or max_logit
    distillation.target = "class"  # matching pairs in L_od: class or domain
    distillation.temperature = 1.0  # of L_kl, variant described only
    distillation.unseen_per_step = 0  # unseen classes drawn for an outer step, weighted so that L_D3 stays that of all; 0: all
    distillation.head = "all"  # of the student, with unseen_per_step: all its columns (exact) or sampled (those of its classes)

    config.classifier = classifier = ConfigDict()  # final softmax over all classes, on real seen and synthesized unseen rows
    classifier.fit = "last" if variant == "d3" else "every"  # last (at the end), every (after every evaluated epoch), never
    classifier.n_syn = 300  # rows synthesized per unseen class
    classifier.epochs = 25
    classifier.batch_size = 300
    classifier.learning_rate = 1e-3
    classifier.beta1 = 0.5
    classifier.logit_adjustment = 0.0  # tau of the logit-adjusted loss (Menon et al. 2021); 0: none, 1: for the balanced error

    config.eval = evaluation = ConfigDict()
    # whose U, S, H, T1 are the run's result; auto: whichever is better in validation (selection=validation)
    evaluation.prediction = "student" if variant == "d3" else "classifier"
    evaluation.every_epochs = 1 if variant == "d3" else 10  # evaluate after every so many epochs, and after the last
    evaluation.batch_size = 4096  # rows per prediction call
    # last: the last epoch is the result. validation: epoch, final classifier's epochs and calibration are chosen on folds inside
    # trainval, then all of trainval is trained on for so long and the test rows are looked at once. test: as published code does,
    # the epoch that looks best on the test rows (no result, and called test-selected).
    evaluation.selection = "last"
    evaluation.criterion = "harmonic"  # highest in validation: harmonic, calibrated (H at its best gamma), ausuc, zsl
    evaluation.folds = 1  # in each, other seen classes are held out
    evaluation.fold_classes = 0.2  # share of the seen classes held out as pseudo-unseen
    evaluation.fold_rows = 0.2  # share of the other seen classes' rows held out as pseudo test-seen
    evaluation.fold_seed = 0  # of the folds alone, so that runs that differ in their seed are chosen on the same folds
    evaluation.retrain = True  # False: stop after validation, without a look at the test rows; its figures are of the folds
    return config
