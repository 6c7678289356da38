"""From a configuration and data to the objects of a run: networks sized by the data, objective, optimisers, teacher."""

import dataclasses
import math

import jax.numpy as jnp
from ml_collections import ConfigDict

from d3gzsl_jax.data.gzsl_data import GZSLData
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.evaluation.final_classifier import FinalClassifier
from d3gzsl_jax.frameworks.base import Sizes
from d3gzsl_jax.frameworks.registry import FRAMEWORKS
from d3gzsl_jax.settings import has_distillation
from d3gzsl_jax.training.distillation import Distillation
from d3gzsl_jax.training.objective import Objective
from d3gzsl_jax.training.optimizers import Optimization
from d3gzsl_jax.training.softmax import SoftmaxTraining
from d3gzsl_jax.training.structures import Classes
from d3gzsl_jax.training.teacher import Teacher, TeacherTraining


@dataclasses.dataclass(frozen=True)
class Model:
    """The objects of a run; final_classifier is None where none is fitted."""

    objective: Objective
    optimization: Optimization
    teacher_training: TeacherTraining
    classes: Classes
    final_classifier: FinalClassifier | None = None

    @property
    def teacher(self) -> Teacher:
        """The teacher network."""
        return self.objective.distillation.teacher


def build(config: ConfigDict, data: GZSLData) -> Model:
    """Sizes everything from the data; see configs/default.py for the fields.

    Raises:
        UserError: a batch is larger than the training set.
    """
    rows = len(data.trainval)
    weights, train = config.distillation, config.train
    teacher_batch = config.teacher.batch_size if has_distillation(config) else 0
    for field, size in (("train.batch_size", train.batch_size), ("teacher.batch_size", teacher_batch)):
        if size > rows:
            raise UserError(f"config.{field}={size}: larger than the {rows} trainval rows of {data.name}; lower it")
    classes = Classes(
        semantics=jnp.asarray(data.semantics), seen=jnp.asarray(data.seen_classes), unseen=jnp.asarray(data.unseen_classes)
    )
    networks = config.networks
    teacher = Teacher(seen=len(data.seen_classes), embedding_width=networks.embedding)
    distillation = Distillation(
        teacher=teacher, classes=data.class_count, embedding_width=networks.embedding, n_syn=weights.n_syn,
        weight_cls=weights.weight_cls, weight_od=weights.weight_od, weight_be=weights.weight_be, weight_kl=weights.weight_kl,
        variant=weights.variant, score=weights.score, target=weights.target, temperature=weights.temperature,
    )
    sizes = Sizes(
        features=data.feature_size, semantics=data.semantic_size, noise=networks.noise or data.semantic_size,
        seen=len(data.seen_classes), generator_hidden=networks.generator_hidden, critic_hidden=networks.critic_hidden,
        embedding=networks.embedding,
    )
    framework = FRAMEWORKS[config.framework](
        sizes=sizes, gradient_penalty_weight=train.gradient_penalty_weight, **config.get(config.framework, {})
    )
    objective = Objective(framework, distillation)
    factors = dict.fromkeys(framework.critic_groups, train.critic_factor)
    factors |= dict.fromkeys(framework.generator_groups, train.generator_factor)
    factors |= dict.fromkeys(("student_embedding", "student_head"), train.student_factor) | {"confidence": train.confidence_factor}
    optimization = Optimization(
        learning_rates=dict.fromkeys(objective.groups, train.learning_rate),
        factors={group: factors[group] for group in objective.groups},
        decay_every=train.decay_every, steps_per_epoch=math.ceil(rows / train.batch_size),
        beta1=train.beta1, beta2=train.beta2, summed_groups=framework.summed_groups,
    )
    training = TeacherTraining(
        learning_rate=config.teacher.learning_rate, loss_weight=config.teacher.loss_weight, beta1=train.beta1, beta2=train.beta2
    )
    final = None
    if config.classifier.fit != "never":
        softmax = SoftmaxTraining(
            classes=data.class_count, epochs=config.classifier.epochs, batch_size=config.classifier.batch_size,
            learning_rate=config.classifier.learning_rate, beta1=config.classifier.beta1,
        )
        final = FinalClassifier(framework, softmax, config.classifier.n_syn)
    return Model(objective, optimization, training, classes, final)

