"""Replays a recording of the released D3GZSL loop on its WGAN-GP base."""

import math

import jax
import numpy as np

from d3gzsl_jax.distillation.objective import Objective
from d3gzsl_jax.distillation.teacher import Teacher, TeacherTraining
from d3gzsl_jax.distillation.terms import Distillation
from d3gzsl_jax.evaluation.metrics import mean_over_classes, per_class_accuracy
from d3gzsl_jax.frameworks.base import Sizes
from d3gzsl_jax.frameworks.structures import Classes, Params, TrainState
from d3gzsl_jax.frameworks.wgan import WGAN
from d3gzsl_jax.losses.distillation import in_distribution_score
from d3gzsl_jax.training.optimizers import Optimization
from tools.parity_parts.comparison import EXACT, LOSS, PARAMETER, Comparison
from tools.parity_parts.recording import Recording
from tools.parity_parts.released_rates import RELEASED_DECAY_EVERY, RELEASED_FACTORS
from tools.parity_parts.replay_preprocessing import read_data, replay_preprocessing
from tools.parity_parts.replay_steps import (
    Setup,
    Update,
    accuracy,
    compiled,
    load_teacher,
    read_classes,
    replay_updates,
)

RATE_NAMES = {"G": "generator", "D": "critic", "Map": "student_embedding", "FCLS": "student_head", "Sigmoid": "confidence"}
TERMS = {"cls": "cls", "od": "od", "embedding_kd": "be", "label_kd": "kl"}


def build(recording: Recording) -> Setup:
    """Objects at the recorded sizes and options (`batch_size` is that of training, `gan_batch_size` that of pretraining)."""
    option = recording.option
    size = lambda name: int(option(name))  # noqa: E731
    sizes = Sizes(
        features=size("x_dim"), semantics=size("attr_dim"), noise=size("nz"), seen=size("n_class_seen"),
        generator_hidden=size("hidden"), critic_hidden=size("hidden"), embedding=size("embedSize"),
    )
    distillation = Distillation(
        teacher=Teacher(seen=sizes.seen, embedding_width=sizes.embedding), classes=size("n_class_all"),
        embedding_width=sizes.embedding, n_syn=size("ood_train_syn_num"), weight_cls=option("oodclass_loss_para"),
        weight_od=option("bi_loss_para"), weight_be=option("kl_loss_para"), weight_kl=option("kl_loss_para"),
    )
    objective = Objective(WGAN(sizes, gradient_penalty_weight=option("lambda1")), distillation)
    rows = recording["data/train_label"].shape[0]
    optimization = Optimization(
        learning_rates=dict.fromkeys(objective.groups, option("lr")), factors=RELEASED_FACTORS, decay_every=RELEASED_DECAY_EVERY,
        steps_per_epoch=math.ceil(rows / size("batch_size")), beta1=option("beta1"),
    )
    training = TeacherTraining(learning_rate=option("lr"), loss_weight=option("oodtrain_loss_para"), beta1=option("beta1"))
    rate_names = {theirs: group for theirs, group in RATE_NAMES.items() if group in objective.groups}
    return Setup(
        objective, optimization, training, read_classes(recording, "attr_dim", "n_class_seen", "n_class_all"),
        n_critic=size("critic_iter"), batch_size=size("batch_size"), epochs=size("g_epoch"), rate_names=rate_names,
    )


def replay_pretraining(recording: Recording, setup: Setup, out: Comparison) -> Params:
    """Teacher pretraining batch by batch; returns the teacher it ends with."""
    params = load_teacher(recording, setup, "init/")
    opt_state = setup.teacher_training.init(params)
    step = compiled(setup, "teacher update", lambda *args: setup.teacher_training.update(setup.teacher, *args))
    logits = compiled(setup, "teacher logits", setup.teacher.logits)
    epochs = int(recording.option("o_epoch"))
    out.add("counts", "pretrain epochs", epochs, len(recording.epochs("pretrain/epoch")), EXACT)
    for epoch in range(epochs):
        at = f"pretrain/epoch{epoch}/"
        total, batch = 0.0, 0
        while f"{at}batch{batch}/features" in recording:
            rows = int(recording.option("gan_batch_size"))
            features = recording.shaped(f"{at}batch{batch}/features", rows, setup.objective.framework.sizes.features)
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
        ours = {
            "seen_accuracy": mean_over_classes(
                per_class_accuracy(classes[seen.argmax(-1)], recording["data/test_seen_label"], classes)
            ),
            "id_accuracy": np.mean(in_distribution_score(seen) > recording.option("id_threshold")),
            "ood_accuracy": np.mean(in_distribution_score(unseen) <= recording.option("ood_threshold")),
        }
        for name, value in ours.items():
            out.add("teacher accuracies", at + name, value, recording[at + name], EXACT)
    return params


def replay_training(recording: Recording, setup: Setup, teacher: Params, out: Comparison) -> None:
    """Every recorded update; the distillation terms of each, the student's accuracies after every epoch."""
    distillation, framework, classes = setup.objective.distillation, setup.objective.framework, setup.classes

    def terms(params: Params, teacher: Params, classes: Classes, batch: object, noise: jax.Array) -> dict[str, jax.Array]:
        unseen = framework.synthesize(params, classes.semantics[distillation.unseen_labels(classes)], {"noise": noise})
        embedding = distillation.embed(params, jax.numpy.concatenate([unseen, batch.features]))
        return distillation.terms(params, teacher, classes, batch, unseen, embedding)

    every_term = compiled(setup, "terms", terms)
    logits = compiled(setup, "student logits", setup.objective.student_logits)

    def compare_terms(done: Update) -> None:
        name, found = done.name, every_term(done.params, teacher, classes, done.batch, done.draws["unseen_noise"])
        for key, ours in TERMS.items():
            out.add(f"term {key}", f"{name}/term/{key}", found[ours], recording[f"{name}/term/{key}"], LOSS)
        out.add("term kd", f"{name}/term/kd", found["be"] + found["kl"], recording[f"{name}/term/kd"], LOSS)
        key = f"{name}/weighted_distillation"
        out.add("weighted distillation", key, done.terms.get("distillation", 0.0), recording[key], LOSS)

    def epoch_done(epoch: int, state: TrainState) -> None:
        for split in ("seen", "unseen"):
            found = logits(state.params, recording[f"data/test_{split}_feature"])
            at = f"epoch{epoch}/{split}"
            out.add("accuracies", at, accuracy(found, recording, split, classes[split]), recording[at], EXACT)

    replay_updates(recording, setup, teacher, out, compare_terms, epoch_done)


def replay(recording: Recording, out: Comparison) -> None:
    """The whole recording."""
    setup = build(recording)
    if recording.has("mat/"):
        replay_preprocessing(recording, read_data(recording), out)
    teacher = replay_pretraining(recording, setup, out)
    replay_training(recording, setup, teacher, out)
