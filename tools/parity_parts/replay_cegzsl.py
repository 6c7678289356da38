"""Replays a recording of the CE-GZSL loop: its steps, its final classifiers, and D3's terms on its embedding."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from d3gzsl_jax.distillation.objective import Objective
from d3gzsl_jax.distillation.teacher import Teacher, TeacherTraining
from d3gzsl_jax.distillation.terms import Distillation
from d3gzsl_jax.evaluation.metrics import harmonic_mean
from d3gzsl_jax.frameworks.base import Sizes
from d3gzsl_jax.frameworks.cegzsl import CEGZSL
from d3gzsl_jax.frameworks.final_classifier import FinalClassifier
from d3gzsl_jax.frameworks.softmax import SoftmaxTraining
from d3gzsl_jax.frameworks.structures import Batch, Params, TrainState
from d3gzsl_jax.training.optimizers import Optimization
from tools.parity_parts import replay_steps as shared
from tools.parity_parts.comparison import EXACT, GRADIENT, LOSS, PARAMETER, Comparison
from tools.parity_parts.recording import Recording
from tools.parity_parts.replay_preprocessing import read_data, replay_preprocessing
from tools.parity_parts.replay_steps import Setup, Update, accuracy, read_classes, read_labels


def build(recording: Recording) -> Setup:
    """Objects at the recorded sizes and options; D3 is off in the recorded loop."""
    option = recording.option
    size = lambda name: int(option(name))  # noqa: E731
    sizes = Sizes(
        features=size("resSize"), semantics=size("attSize"), noise=size("nz"), seen=size("nclass_seen"),
        generator_hidden=size("ngh"), critic_hidden=size("ndh"), embedding=size("embedSize"),
    )
    framework = CEGZSL(
        sizes, gradient_penalty_weight=option("lambda1"), projection=size("outzSize"), comparator_hidden=size("nhF"),
        weight_instance=option("ins_weight"), weight_class=option("cls_weight"), temperature_instance=option("ins_temp"),
        temperature_class=option("cls_temp"),
    )
    distillation = Distillation(
        teacher=Teacher(seen=sizes.seen, embedding_width=sizes.embedding), classes=size("nclass_all"),
        embedding_width=sizes.embedding, n_syn=size("ood_train_syn_num") if "config/ood_train_syn_num" in recording else 0,
        weight_cls=0.0, weight_od=0.0, weight_be=0.0, weight_kl=0.0,
    )
    objective = Objective(framework, distillation)
    rows = recording["data/train_label"].shape[0]
    optimization = Optimization(
        learning_rates=dict.fromkeys(objective.groups, option("lr")),
        factors=dict.fromkeys(objective.groups, option("lr_dec_rate")), decay_every=size("lr_decay_epoch"),
        steps_per_epoch=math.ceil(rows / size("batch_size")), beta1=option("beta1"),
        rules=objective.rules,
    )
    softmax = SoftmaxTraining(
        classes=size("nclass_all"), epochs=int(recording["classifier0/nepoch"]),
        batch_size=int(recording["classifier0/batch_size"]), learning_rate=float(recording["classifier0/lr"]),
        beta1=option("beta1"),
    )
    classes = read_classes(recording, "attSize", "nclass_seen", "nclass_all")
    return Setup(
        objective, optimization, TeacherTraining(option("lr"), 1.0), classes,
        FinalClassifier(framework, softmax, n_syn=size("syn_num")), n_critic=size("critic_iter"), batch_size=size("batch_size"),
        epochs=len(recording.epochs()), rate_names={"G": "generator", "D": "critic"},
        # A softmax over classes does not see this bias: PyTorch steps it by the rounding noise of a zero gradient.
        free=("comparator/fc2.bias",),
    )


def replay_classifier(recording: Recording, setup: Setup, params: Params, epoch: int, out: Comparison) -> None:
    """The final classifier refitted after an epoch, batch by batch."""
    at, final, framework = f"classifier{epoch}/", setup.final_classifier, setup.objective.framework
    classes, softmax, sizes = setup.classes, final.softmax, framework.sizes
    labels = np.concatenate([recording["data/train_label"], np.repeat(np.asarray(classes.unseen), final.n_syn)])
    out.add("classifier rows", f"{at}train_label", labels, recording[f"{at}train_label"], EXACT)
    real = recording[f"{at}train_feature"][: len(recording["data/train_label"])]
    out.add("classifier rows", f"{at}train_feature (real)", recording["data/train_feature"], real, EXACT)
    fresh = softmax.init(jax.random.key(0), sizes.embedding)
    classifier = recording.load("final_classifier", f"{at}init/", fresh)
    opt_state = softmax.adam.init(classifier)
    update = shared.compiled(
        setup, "classifier update", lambda params, c, s, x, y: softmax.update(c, s, framework.embed(params, x), y)[:2]
    )
    logits = shared.compiled(setup, "classifier logits", final.logits)
    per_epoch = math.ceil(len(labels) / softmax.batch_size)
    best, found = (0.0, 0.0, 0.0), {}
    for number in range(softmax.epochs * per_epoch):
        key = f"{at}batch{number:03d}/"
        features = recording.shaped(f"{key}features", softmax.batch_size, sizes.features)
        labels = read_labels(recording, f"{key}label", softmax.batch_size, classes)
        classifier, opt_state = update(params, classifier, opt_state, features, labels)
        if (number + 1) % per_epoch == 0:
            for split in ("seen", "unseen"):
                scores = logits(params, classifier, recording[f"data/test_{split}_feature"])
                found[split] = accuracy(scores, recording, split, classes[split])
            harmonic = harmonic_mean(found["unseen"], found["seen"])
            best = (found["seen"], found["unseen"], harmonic) if harmonic > best[2] else best
    for key, ours, theirs in recording.pairs("final_classifier", f"{at}after/", classifier):
        out.add("classifier parameters", key, ours, theirs, PARAMETER, softmax.learning_rate)
    accuracies = {f"{at}last_{split}": found[split] for split in ("seen", "unseen")}
    accuracies |= dict(zip((f"{at}best_seen", f"{at}best_unseen", f"{at}best_H"), best, strict=True))
    accuracies |= {f"epoch{epoch}/seen": best[0], f"epoch{epoch}/unseen": best[1]}
    for key, ours in accuracies.items():
        out.add("accuracies", key, ours, recording[key], EXACT)


def replay_training(recording: Recording, setup: Setup, out: Comparison) -> Params:
    """Every recorded update and the final classifier after every epoch; returns the parameters it ends with."""

    def compare_terms(done: Update) -> None:
        for key, ours in (("contrastive", "instance_contrast"), ("class", "class_contrast")):
            out.add(f"term {key}", f"{done.name}/term/{key}", done.terms[ours], recording[f"{done.name}/term/{key}"], LOSS)
        if done.kind == "critic":
            key = f"{done.name}/wasserstein"
            out.add("wasserstein distance", key, done.terms["wasserstein"], recording[key], LOSS)

    def epoch_done(epoch: int, state: TrainState) -> None:
        replay_classifier(recording, setup, state.params, epoch, out)

    return shared.replay_updates(recording, setup, {}, out, compare_terms, epoch_done).params


def replay_scores(recording: Recording, setup: Setup, params: Params, at: str, out: Comparison) -> None:
    """The class contrast of the batch under `at` against both ways in which the published code computes it."""
    framework, classes = setup.objective.framework, setup.classes
    features = jnp.asarray(recording.shaped(f"{at}batch/features", setup.batch_size, framework.sizes.features))
    labels = read_labels(recording, f"{at}batch/label", setup.batch_size, classes)
    ours = framework.class_contrast(params, classes, framework.embed(params, features), labels)
    for key in ("scores/loop", "scores/matrix"):
        out.add("class contrast of the scores", key, ours, recording[key], LOSS)


def replay_distillation(recording: Recording, setup: Setup, out: Comparison) -> Params:
    """D3's terms on the CE-GZSL embedding and the gradients of their unweighted sum; returns the parameters they are taken at."""
    at, framework, distillation, classes = "distill/", setup.objective.framework, setup.objective.distillation, setup.classes
    groups = ("generator", "embedding", "student_head", "confidence")
    fresh = framework.init(jax.random.key(0)) | distillation.init(jax.random.key(0), framework.sizes.features)
    params = {group: recording.load(group, f"{at}params/", fresh[group]) for group in groups}
    teacher = shared.load_teacher(recording, setup, f"{at}params/")
    features = jnp.asarray(recording.shaped(f"{at}batch/features", setup.batch_size, framework.sizes.features))
    labels = read_labels(recording, f"{at}batch/label", setup.batch_size, classes)
    batch = Batch(features=features, labels=labels, teacher=setup.teacher.outputs(teacher, features))
    unseen_labels = distillation.unseen_labels(classes)
    noise = recording.shaped(f"{at}noise/unseen", len(unseen_labels), framework.sizes.noise)

    def total(params: Params) -> tuple[jax.Array, dict[str, jax.Array]]:
        unseen = framework.synthesize(params, classes.semantics[unseen_labels], {"noise": jnp.asarray(noise)})
        embedding = framework.embed(params, jnp.concatenate([unseen, features]))
        terms = distillation.terms(params, teacher, classes, batch, unseen, embedding)
        return sum(terms.values()), terms

    (_, terms), gradients = jax.jit(jax.value_and_grad(total, has_aux=True))(params)
    for ours, theirs in (("cls", "cls"), ("od", "od"), ("be", "embedding_kd"), ("kl", "label_kd")):
        out.add(f"D3 term {theirs}", f"{at}term/{theirs}", terms[ours], recording[f"{at}term/{theirs}"], LOSS)
    for group in groups:
        for key, ours, theirs in recording.pairs(group, f"{at}grad/", gradients[group]):
            out.add(f"D3 gradient {group}", key, ours, theirs, GRADIENT)
    return params


def replay(recording: Recording, out: Comparison) -> None:
    """The whole recording; D3's terms where it has them (the public script of CE-GZSL has none)."""
    setup = build(recording)
    if recording.has("mat/"):
        replay_preprocessing(recording, read_data(recording), out)
    trained, at = replay_training(recording, setup, out), "scores/"
    if recording.has("distill/"):
        # The scores are those of the same batch and embedding; the comparator is the one training ended with.
        trained, at = replay_distillation(recording, setup, out) | {"comparator": trained["comparator"]}, "distill/"
    replay_scores(recording, setup, trained, at, out)
