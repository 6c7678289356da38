"""From a configuration and data to the objects of a run: networks sized by the data, objective, optimisers, teacher."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from ml_collections import ConfigDict

from d3gzsl_jax.config.budget import steps_of_epoch
from d3gzsl_jax.config.check import has_distillation
from d3gzsl_jax.config.framework_fields import FRAMEWORKS as FRAMEWORK_FIELDS
from d3gzsl_jax.config.schema import options_of
from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.distillation.objective import Objective
from d3gzsl_jax.distillation.student_rows import StudentRows
from d3gzsl_jax.distillation.teacher import Teacher, TeacherTraining
from d3gzsl_jax.distillation.terms import Distillation
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.frameworks.base import Framework, Sizes
from d3gzsl_jax.frameworks.final_classifier import FinalClassifier
from d3gzsl_jax.frameworks.registry import FRAMEWORKS
from d3gzsl_jax.frameworks.representations import ENCODER
from d3gzsl_jax.frameworks.schedule import check_phases
from d3gzsl_jax.frameworks.softmax import SoftmaxTraining
from d3gzsl_jax.frameworks.structures import Classes, Params
from d3gzsl_jax.keys import root_key
from d3gzsl_jax.training.optimizers import Optimization
from d3gzsl_jax.training.sharding import Sharding, over_devices

_DECAYS, _MOST_DECAYS = 2047, 65_535  # of a learning rate; a run with more epochs than that is one to be ended by hand


@dataclasses.dataclass(frozen=True)
class Model:
    """The objects of a run; final_classifier is None where none is fitted, first_stage where the base method has none."""

    objective: Objective
    optimization: Optimization
    teacher_training: TeacherTraining
    classes: Classes
    final_classifier: FinalClassifier | None = None
    first_stage: Framework | None = None

    @property
    def teacher(self) -> Teacher:
        """The teacher network."""
        return self.objective.distillation.teacher


def build(config: ConfigDict, data: GZSLData) -> Model:
    """Sizes everything from the data; see configs/default.py for the fields.

    Raises:
        UserError: a batch is larger than the training set, or there are representations that the base method does not take.
    """
    rows, train = len(data.trainval), config.train
    classes = class_table(data.semantics, data.seen_classes, data.unseen_classes)
    sampled, unseen = config.distillation.unseen_per_step, len(data.unseen_classes)
    if sampled > unseen:
        raise UserError(
            f"config.distillation.unseen_per_step={sampled}: {data.name} has {unseen} unseen classes; give at most as many, or 0 "
            "for all"
        )
    objective = build_objective(config, classes, data.feature_size, data.representation_size)
    framework = objective.framework
    teacher_batch = config.teacher.batch_size if has_teacher(config, framework, data) else 0
    for field, size in (("train.batch_size", train.batch_size), ("teacher.batch_size", teacher_batch)):
        if size > rows:
            raise UserError(f"config.{field}={size}: larger than the {rows} trainval rows of {data.name}; lower it")
    if (file := config.data.get("representation_file", "")) and not framework.takes_representations:
        raise UserError(f"config.data.representation_file={file}: {config.framework} takes no representations; leave it out")
    optimization = build_optimization(config, objective, rows)
    training = TeacherTraining(
        learning_rate=config.teacher.learning_rate, loss_weight=config.teacher.loss_weight, beta1=train.beta1, beta2=train.beta2
    )
    fitted = config.classifier.fit != "never"
    final = build_final_classifier(config, objective, data.class_count) if fitted else None
    return Model(objective, optimization, training, classes, final, build_first_stage(config, framework))


def has_teacher(config: ConfigDict, framework: Framework, data: GZSLData) -> bool:
    """Whether a run has a teacher: for D3, or for representations that the base method takes and the data does not have."""
    return has_distillation(config) or (framework.takes_representations and data.representations is None)


def build_optimization(config: ConfigDict, objective: Objective, rows: int) -> Optimization:
    """The optimisers of all groups, for so many training rows."""
    train, framework = config.train, objective.framework
    phases, rules = [phase for phases in framework.phases_by_pass for phase in phases], objective.rules
    factors = dict.fromkeys(rules, train.critic_factor)
    others = [phase for phase in phases if phase.name != "critic"]  # what they train is not the critic's alone
    factors |= {group: train.generator_factor for phase in others for of in phase.updates for group in of.groups}
    factors |= dict.fromkeys(("student_embedding", "student_head"), train.student_factor) | {"confidence": train.confidence_factor}
    rates = {group: rule.learning_rate for group, rule in rules.items()}
    return Optimization(
        learning_rates={group: train.learning_rate if rate is None else rate for group, rate in rates.items()},
        factors={group: factors[group] for group in objective.groups},
        decay_every=train.decay_every, steps_per_epoch=steps_of_epoch(config, rows, framework.passes),
        beta1=train.beta1, beta2=train.beta2, rules=rules,
        most_decays=min(max(_DECAYS, train.epochs // train.decay_every), _MOST_DECAYS),
    )


def updates_of_step(config: ConfigDict, framework: Framework) -> int:
    """How many batches the phases of an outer step go through: at most so many updates of one group."""
    return sum(phase.count(config.train.n_critic) for phase in framework.phases(0))


def class_table(semantics: np.ndarray, seen: np.ndarray, unseen: np.ndarray) -> Classes:
    """Semantics (C, da) and ascending ids of seen and unseen classes, on the device."""
    return Classes(semantics=jnp.asarray(semantics), seen=jnp.asarray(seen), unseen=jnp.asarray(unseen))


def build_objective(config: ConfigDict, classes: Classes, features: int, representation: int = 0) -> Objective:
    """The base method and D3 on it, for features of this size, and representations that come with the data (0: none do)."""
    count, size = classes.semantics.shape
    networks, weights, seen = config.networks, config.distillation, len(classes.seen)
    distillation = Distillation(
        teacher=Teacher(seen=seen, embedding_width=networks.embedding), classes=count, embedding_width=networks.embedding,
        n_syn=weights.n_syn, weight_cls=weights.weight_cls, weight_od=weights.weight_od, weight_be=weights.weight_be,
        weight_kl=weights.weight_kl, variant=weights.variant, score=weights.score, target=weights.target,
        temperature=weights.temperature, unseen_per_step=weights.unseen_per_step,
        head=weights.head,
    )
    sizes = Sizes(
        features=features, semantics=size, noise=networks.noise or size, seen=seen, generator_hidden=networks.generator_hidden,
        critic_hidden=networks.critic_hidden, embedding=networks.embedding,
    )
    check_options(config.framework)
    if networks.output not in ("published", *(allowed := FRAMEWORKS[config.framework].outputs)):
        raise UserError(
            f"config.networks.output={networks.output!r}: the losses of {config.framework} allow {', '.join(allowed)}; give one of "
            "these, or 'published'"
        )
    if FRAMEWORKS[config.framework].takes_representations:
        sizes = dataclasses.replace(sizes, representation=representation or networks.embedding)
    framework = FRAMEWORKS[config.framework](
        sizes=sizes, gradient_penalty_weight=config.train.gradient_penalty_weight, output=networks.output,
        **config.get(config.framework, {}),
    )
    _check_together(config.framework, framework)
    check_phases(framework.phases_by_pass)
    for update in (update for phases in framework.phases_by_pass for phase in phases for update in phase.updates):
        if type(framework).loss is Framework.loss and not hasattr(framework, f"{update.name}_loss"):
            raise UserError(f"{type(framework).__name__} has no {update.name}_loss, which its update of that name minimises")
    return Objective(framework, distillation)


def build_first_stage(config: ConfigDict, framework: Framework) -> Framework | None:
    """The method that is trained before `framework`, on representations as its features; None where there is none.

    Raises:
        UserError: an option differs that both must have alike, or cannot be computed with.
    """
    if not (name := framework.first_stage):
        return None
    check_options(name)
    options = config.get(name, {})
    for option in framework.first_stage_options:
        if options[option] != (needed := getattr(framework, option)):
            raise UserError(f"config.{name}.{option}={options[option]}: must be {needed}, as config.{config.framework}.{option} is")
    sizes = dataclasses.replace(framework.sizes, features=framework.sizes.representation, representation=0)
    stage = FRAMEWORKS[name](sizes=sizes, gradient_penalty_weight=config.train.gradient_penalty_weight, **options)
    _check_together(name, stage)
    return stage


def _check_together(name: str, framework: Framework) -> None:
    """Refuses options of a method that are each in their range, and cannot be computed with.

    Raises:
        UserError: naming one of them.
    """
    if problem := framework.problem:
        raise UserError(f"config.{name}.{problem}")


def first_stage_shapes(stage: Framework | None, objective: Objective, represented: bool) -> Params:
    """The shapes of what a run freezes of its first stage: {} where there is none.

    Args:
        stage: of `build_first_stage`.
        objective: of the run.
        represented: whether representations come with the data; else the encoder that makes them is frozen, too.
    """
    if stage is None:
        return {}
    framework, teacher = objective.framework, objective.distillation.teacher
    params = jax.eval_shape(lambda: stage.init(root_key(0)))
    found = {own: params[group] for own, group in framework.first_stage_groups.items()}
    if not represented:
        embedding = jax.eval_shape(lambda: teacher.init(root_key(0), framework.sizes.features))["embedding"]
        vector = jax.ShapeDtypeStruct((framework.sizes.representation,), jnp.float32)
        found[ENCODER] = {"embedding": embedding, "scale": vector, "offset": vector}
    return found


def check_options(name: str) -> None:
    """Refuses a framework whose options in config/framework_fields.py are not those of its class.

    Raises:
        UserError: naming the option.
    """
    there = {field.name: field.default for field in dataclasses.fields(FRAMEWORKS[name])}
    for option in options_of(name):
        own = option.name.partition(".")[2]
        if own not in there or there[own] != option.default:
            kind, found = FRAMEWORKS[name].__name__, there.get(own, "no such field")
            raise UserError(f"{option.name}={option.default} in config/framework_fields.py, in {kind} {found}: make them the same")
    said, own = FRAMEWORK_FIELDS[name].first_stage, FRAMEWORKS[name].first_stage
    if said != own:
        raise UserError(f"{name}: first_stage is {said!r} in config/framework_fields.py, in its class {own!r}: make them the same")


def build_final_classifier(config: ConfigDict, objective: Objective, classes: int) -> FinalClassifier:
    """The final classifier of `classes` classes, on the base method of the objective."""
    of, framework = config.classifier, objective.framework
    softmax = SoftmaxTraining(
        classes=classes, epochs=of.epochs, batch_size=of.batch_size, learning_rate=of.learning_rate, beta1=of.beta1
    )
    rows = StudentRows.of(objective) if of.inputs == "student" else framework
    return FinalClassifier(
        rows, framework.softmax(softmax), of.n_syn, of.logit_adjustment, of.zsl, of.zsl_epochs, of.zsl_n_syn, of.synthesis
    )


def sharding_of(config: ConfigDict) -> Sharding:
    """The sharding of a run.

    Raises:
        UserError: there are not so many devices, a process would have none, or the batch cannot be split evenly.
    """
    wanted, there, batch = config.parallel.devices, jax.device_count(), config.train.batch_size
    if wanted > there:
        raise UserError(f"config.parallel.devices={wanted}: there are {there}; give at most that, or 0 for all")
    if jax.process_count() > 1 and wanted not in (0, there):
        raise UserError(
            f"config.parallel.devices={wanted}: {jax.process_count()} processes train on all of their {there} devices; give 0"
        )
    count = wanted or there
    if batch % count:
        fitting = max(n for n in range(1, count) if batch % n == 0)
        raise UserError(
            f"config.train.batch_size={batch}: cannot be split evenly over {count} devices; give a multiple of {count}, or "
            f"--config.parallel.devices={fitting}" + (" (in one process)" if jax.process_count() > 1 else "")
        )
    return over_devices(count)
