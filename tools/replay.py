"""Replays a recording of the released D3GZSL loop (WGAN-GP base) through the package's own functions."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np

from d3gzsl_jax.data.gzsl_data import GZSLData
from d3gzsl_jax.data.preprocess import scale_splits
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.evaluation.metrics import mean_over_classes, per_class_accuracy
from d3gzsl_jax.frameworks.wgan import WGAN
from d3gzsl_jax.losses.distillation import in_distribution_score
from d3gzsl_jax.model import Model
from d3gzsl_jax.training.distillation import Distillation
from d3gzsl_jax.training.objective import Objective
from d3gzsl_jax.training.optimizers import Optimization
from d3gzsl_jax.training.schedule import RELEASED_DECAY_EVERY, RELEASED_FACTORS
from d3gzsl_jax.training.step import update
from d3gzsl_jax.training.structures import Batch, Classes, Draws, Params, TrainState
from d3gzsl_jax.training.teacher import Teacher, TeacherTraining
from tools.comparison import EXACT, GRADIENT, LOSS, PARAMETER, RATE, Comparison
from tools.recording import Recording

GROUPS = ("generator", "critic", "student_embedding", "student_head", "confidence")
RATE_NAMES = {"G": "generator", "D": "critic", "Map": "student_embedding", "FCLS": "student_head", "Sigmoid": "confidence"}
TERMS = {"cls": "cls", "od": "od", "embedding_kd": "be", "label_kd": "kl"}


@dataclasses.dataclass(frozen=True)
class Setup(Model):
    """The package's objects at the sizes and option values of a recording, which also says how many critic updates there are."""

    n_critic: int


def build(recording: Recording) -> Setup:
    """Objects at the recorded sizes and options (`batch_size` is that of training, `gan_batch_size` that of pretraining)."""
    option = recording.option
    width = int(option("embedSize"))
    count, seen = int(option("n_class_all")), int(option("n_class_seen"))
    recording.shaped("data/attribute", count, int(option("attr_dim")))
    recording.shaped("data/seen_classes", seen)
    recording.shaped("data/unseen_classes", count - seen)
    classes = Classes(
        semantics=jnp.asarray(recording["data/attribute"], jnp.float32),
        seen=jnp.asarray(recording["data/seen_classes"], jnp.int32),
        unseen=jnp.asarray(recording["data/unseen_classes"], jnp.int32),
    )
    teacher = Teacher(seen=int(option("n_class_seen")), embedding_width=width)
    distillation = Distillation(
        teacher=teacher, classes=int(option("n_class_all")), embedding_width=width, n_syn=int(option("ood_train_syn_num")),
        weight_cls=option("oodclass_loss_para"), weight_od=option("bi_loss_para"),
        weight_be=option("kl_loss_para"), weight_kl=option("kl_loss_para"),
    )
    framework = WGAN(
        feature_size=int(option("x_dim")), semantic_size=int(option("attr_dim")), noise_size=int(option("nz")),
        generator_hidden=int(option("hidden")), critic_hidden=int(option("hidden")),
        gradient_penalty_weight=option("lambda1"),
    )
    rows = recording["data/train_label"].shape[0]
    optimization = Optimization(
        learning_rates=dict.fromkeys(GROUPS, option("lr")), factors=RELEASED_FACTORS, decay_every=RELEASED_DECAY_EVERY,
        steps_per_epoch=math.ceil(rows / int(option("batch_size"))), beta1=option("beta1"),
    )
    training = TeacherTraining(
        learning_rate=option("lr"), loss_weight=option("oodtrain_loss_para"), beta1=option("beta1")
    )
    return Setup(Objective(framework, distillation), optimization, training, classes, int(option("critic_iter")))


def replay_preprocessing(recording: Recording, out: Comparison) -> None:
    """Raw `.mat` arrays through our preprocessing, against the recorded arrays."""
    if not recording.has("mat/"):
        return
    rows = lambda key: recording[f"mat/{key}"].ravel().astype(np.int64) - 1  # noqa: E731
    semantics = np.asarray(recording["mat/att"].T, np.float32)
    data = GZSLData(
        name="recording", features=recording["mat/features"].T, labels=rows("labels"), semantics=semantics,
        class_names=tuple(map(str, range(len(semantics)))), trainval=rows("trainval_loc"),
        test_seen=rows("test_seen_loc"), test_unseen=rows("test_unseen_loc"),
    )
    arrays = scale_splits(data)
    for ours, theirs in (("train", "train"), ("test_seen", "test_seen"), ("test_unseen", "test_unseen")):
        for field, key in (("features", "feature"), ("labels", "label")):
            recorded = f"data/{theirs}_{key}"
            out.add("preprocessing", recorded, getattr(arrays, f"{ours}_{field}"), recording[recorded], EXACT)
    for ours, key in ((data.semantics, "attribute"), (data.seen_classes, "seen_classes"), (data.unseen_classes, "unseen_classes")):
        out.add("preprocessing", f"data/{key}", ours, recording[f"data/{key}"], EXACT)
    index = np.searchsorted(data.seen_classes, arrays.train_labels)
    out.add("preprocessing", "data/train_seen_label", index, recording["data/train_seen_label"], EXACT)


def load_teacher(recording: Recording, setup: Setup, prefix: str) -> Params:
    """The teacher's recorded parameters under `prefix`."""
    fresh = setup.teacher.init(jax.random.key(0), setup.objective.framework.feature_size)
    return {part: recording.load(f"teacher.{part}", prefix, fresh[part]) for part in ("embedding", "head")}


def replay_pretraining(recording: Recording, setup: Setup, out: Comparison) -> Params:
    """Teacher pretraining batch by batch; returns the teacher it ends with."""
    params = load_teacher(recording, setup, "init/")
    opt_state = setup.teacher_training.init(params)
    step = jax.jit(lambda *args: setup.teacher_training.update(setup.teacher, *args))
    logits = jax.jit(setup.teacher.logits)
    epochs = int(recording.option("o_epoch"))
    out.add("counts", "pretrain epochs", epochs, len(recording.epochs("pretrain/epoch")), EXACT)
    for epoch in range(epochs):
        at = f"pretrain/epoch{epoch}/"
        total, batch = 0.0, 0
        while f"{at}batch{batch}/features" in recording:
            rows = int(recording.option("gan_batch_size"))
            features = recording.shaped(f"{at}batch{batch}/features", rows, setup.objective.framework.feature_size)
            labels = recording.shaped(f"{at}batch{batch}/seen_label", rows)
            params, opt_state, loss = step(params, opt_state, features, labels.astype(np.int32))
            total += float(loss)
            batch += 1
        out.add("teacher loss", f"{at}loss_sum", total, recording[f"{at}loss_sum"], LOSS)
        for part in ("embedding", "head"):
            for key, ours, theirs in recording.pairs(f"teacher.{part}", f"{at}after/", params[part]):
                out.add("teacher parameters", key, ours, theirs, PARAMETER, setup.teacher_training.learning_rate)
        seen = np.asarray(logits(params, recording["data/test_seen_feature"]))
        unseen = np.asarray(logits(params, recording["data/test_unseen_feature"]))
        classes = np.asarray(setup.classes.seen)
        accuracy = mean_over_classes(
            per_class_accuracy(classes[seen.argmax(-1)], recording["data/test_seen_label"], classes)
        )
        ours = {
            "seen_accuracy": accuracy,
            "id_accuracy": np.mean(in_distribution_score(seen) > recording.option("id_threshold")),
            "ood_accuracy": np.mean(in_distribution_score(unseen) <= recording.option("ood_threshold")),
        }
        for name, value in ours.items():
            out.add("teacher accuracies", at + name, value, recording[at + name], EXACT)
    return params


def replay_training(recording: Recording, setup: Setup, teacher: Params, out: Comparison) -> None:
    """Every recorded update in order: losses, terms, gradients, parameters; learning rates and accuracies by epoch."""
    objective, optimization, classes = setup.objective, setup.optimization, setup.classes
    distillation = objective.distillation
    fresh = objective.framework.init(jax.random.key(0)) | distillation.init(
        jax.random.key(0), objective.framework.feature_size
    )
    params = {group: recording.load(group, "init/", fresh[group]) for group in GROUPS}
    state = TrainState(step=jnp.int32(0), params=params, opt_state=optimization.init(params))
    outputs = jax.jit(distillation.teacher.outputs)

    def measured(phase: str, state: TrainState, batch: Batch, draws: Draws) -> tuple:
        groups = getattr(objective, f"{phase}_groups")
        trained = {group: state.params[group] for group in groups}
        loss = lambda trained: objective.loss(phase, state.params | trained, teacher, classes, batch, draws)[0]  # noqa: E731
        unseen = objective.framework.synthesize(
            state.params, classes.semantics[distillation.unseen_labels(classes)], draws.unseen_noise
        )
        every_term = distillation.terms(state.params, teacher, classes, batch, unseen)
        new_state, terms = update(phase, objective, optimization, state, teacher, classes, batch, draws)
        return new_state, terms, every_term, jax.grad(loss)(trained)

    step = jax.jit(measured, static_argnums=0)
    logits = jax.jit(distillation.logits)
    steps, epochs = recording.steps(), int(recording.option("g_epoch"))
    per_epoch = optimization.steps_per_epoch * (setup.n_critic + 1)
    out.add("counts", "epochs", epochs, len(recording.epochs()), EXACT)
    out.add("counts", "updates", epochs * per_epoch, len(steps), EXACT)
    if out.rows["counts"].first_failure:
        return  # nothing after this could be lined up
    rows, width = int(recording.option("batch_size")), objective.framework.feature_size
    noise_size, unseen_rows = objective.framework.noise_size, objective.distillation.unseen_labels(classes).shape[0]
    for number, name in enumerate(steps):
        kind = str(recording[f"{name}/kind"])
        if kind not in ("critic", "generator"):
            raise UserError(f"{recording.path}: {name}/kind is {kind!r}, expected 'critic' or 'generator'")
        expected = "critic" if number % (setup.n_critic + 1) < setup.n_critic else "generator"
        out.add("order of updates", f"{name}/kind (1: {kind})", expected == kind, True, EXACT)
        features = jnp.asarray(recording.shaped(f"{name}/batch/features", rows, width))
        labels = jnp.asarray(recording.shaped(f"{name}/batch/label", rows), jnp.int32)
        if not 0 <= labels.min() <= labels.max() < len(classes.semantics):
            raise UserError(f"{recording.path}: {name}/batch/label holds {labels.min()} to {labels.max()}, not class ids")
        batch = Batch(features=features, labels=labels, teacher=outputs(teacher, features))
        out.add("batch semantics", f"{name}/batch/att", classes.semantics[labels], recording[f"{name}/batch/att"], EXACT)
        critic = kind == "critic"
        interpolation = recording.shaped(f"{name}/noise/interp", rows, 1) if critic else np.zeros((rows, 1), np.float32)
        draws = Draws(
            noise=jnp.asarray(recording.shaped(f"{name}/noise/fake", rows, noise_size)),
            interpolation=jnp.asarray(interpolation),
            unseen_noise=jnp.asarray(recording.shaped(f"{name}/noise/unseen", unseen_rows, noise_size)),
        )
        epoch = int(state.step) // optimization.steps_per_epoch
        rates = {group: float(optimization.learning_rate(group, epoch)) for group in GROUPS}
        state, terms, every_term, gradients = step(kind, state, batch, draws)

        out.add(f"{kind} loss", f"{name}/loss", terms["loss"], recording[f"{name}/loss"], LOSS)
        for key, ours in TERMS.items():
            out.add(f"term {key}", f"{name}/term/{key}", every_term[ours], recording[f"{name}/term/{key}"], LOSS)
        both = every_term["be"] + every_term["kl"]
        out.add("term kd", f"{name}/term/kd", both, recording[f"{name}/term/kd"], LOSS)
        out.add(
            "weighted distillation", f"{name}/weighted_distillation", terms.get("distillation", 0.0),
            recording[f"{name}/weighted_distillation"], LOSS,
        )
        if kind == "critic":
            key = f"{name}/gradient_penalty"
            out.add("gradient penalty", key, terms["gradient_penalty"], recording[key], LOSS)
        for group in GROUPS:
            if recording.has(f"{name}/grad/") and group in gradients:
                for key, ours, theirs in recording.pairs(group, f"{name}/grad/", gradients[group]):
                    out.add(f"gradient {group}", key, ours, theirs, GRADIENT)
            if recording.has(f"{name}/after/"):
                for key, ours, theirs in recording.pairs(group, f"{name}/after/", state.params[group]):
                    out.add(f"parameters {group}", key, ours, theirs, PARAMETER, rates[group])
        if kind == "generator":
            state = state.replace(step=state.step + 1)
        if (number + 1) % per_epoch == 0:
            compare_epoch(recording, setup, state, logits, (number + 1) // per_epoch - 1, rates, out)


def compare_epoch(
    recording: Recording, setup: Setup, state: TrainState, logits: object, epoch: int, rates: dict[str, float], out: Comparison
) -> None:
    """What the recording holds at the end of an epoch: parameters, the learning rates from here on, accuracies."""
    at = f"epoch{epoch}/"
    done = (epoch + 1) * setup.optimization.steps_per_epoch * (setup.n_critic + 1)
    out.add("counts", f"{at}nsteps", done, recording[f"{at}nsteps"], EXACT)
    for group in GROUPS:
        for key, ours, theirs in recording.pairs(group, f"{at}after/", state.params[group]):
            out.add(f"parameters {group}", key, ours, theirs, PARAMETER, rates[group])
    for name, group in RATE_NAMES.items():
        # The rate the next update will really use.
        ours = setup.optimization.learning_rate(group, int(state.step) // setup.optimization.steps_per_epoch)
        out.add("learning rates", f"{at}lr/{name}", ours, recording[f"{at}lr/{name}"], RATE)
    for split, classes in (("seen", setup.classes.seen), ("unseen", setup.classes.unseen)):
        predicted = np.asarray(logits(state.params, recording[f"data/test_{split}_feature"]).argmax(-1))
        ours = mean_over_classes(per_class_accuracy(predicted, recording[f"data/test_{split}_label"], np.asarray(classes)))
        out.add("accuracies", at + split, ours, recording[at + split], EXACT)


def replay(recording: Recording) -> Comparison:
    """The whole recording; float32 with the highest matmul precision."""
    out = Comparison()
    with jax.default_matmul_precision("highest"):
        setup = build(recording)
        replay_preprocessing(recording, out)
        teacher = replay_pretraining(recording, setup, out)
        replay_training(recording, setup, teacher, out)
    return out
