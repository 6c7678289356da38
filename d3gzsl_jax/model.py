"""From a configuration and data to the objects of a run: networks sized by the data, objective, optimisers, teacher."""

import dataclasses
import math

import jax.numpy as jnp
from ml_collections import ConfigDict

from d3gzsl_jax.data.gzsl_data import GZSLData
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.frameworks.wgan import WGAN
from d3gzsl_jax.training.distillation import Distillation
from d3gzsl_jax.training.objective import Objective
from d3gzsl_jax.training.optimizers import Optimization
from d3gzsl_jax.training.structures import Classes
from d3gzsl_jax.training.teacher import Teacher, TeacherTraining


@dataclasses.dataclass(frozen=True)
class Model:
    """The objects of a run."""

    objective: Objective
    optimization: Optimization
    teacher_training: TeacherTraining
    classes: Classes

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
    for field, size in (("train.batch_size", config.train.batch_size), ("teacher.batch_size", config.teacher.batch_size)):
        if size > rows:
            raise UserError(f"config.{field}={size}: larger than the {rows} trainval rows of {data.name}; lower it")
    classes = Classes(
        semantics=jnp.asarray(data.semantics), seen=jnp.asarray(data.seen_classes), unseen=jnp.asarray(data.unseen_classes)
    )
    networks, weights, train = config.networks, config.distillation, config.train
    teacher = Teacher(seen=len(data.seen_classes), embedding_width=networks.embedding)
    distillation = Distillation(
        teacher=teacher, classes=data.class_count, embedding_width=networks.embedding, n_syn=weights.n_syn,
        weight_cls=weights.weight_cls, weight_od=weights.weight_od, weight_be=weights.weight_be, weight_kl=weights.weight_kl,
        variant=weights.variant, score=weights.score, target=weights.target, temperature=weights.temperature,
    )
    framework = WGAN(
        feature_size=data.feature_size, semantic_size=data.semantic_size, noise_size=networks.noise or data.semantic_size,
        generator_hidden=networks.generator_hidden, critic_hidden=networks.critic_hidden,
        gradient_penalty_weight=train.gradient_penalty_weight,
    )
    groups = (*framework.generator_groups, *framework.critic_groups, *distillation.groups)
    optimization = Optimization(
        learning_rates=dict.fromkeys(groups, train.learning_rate),
        factors={
            "generator": train.generator_factor, "critic": train.critic_factor, "student_embedding": train.student_factor,
            "student_head": train.student_factor, "confidence": train.confidence_factor,
        },
        decay_every=train.decay_every, steps_per_epoch=math.ceil(rows / train.batch_size),
        beta1=train.beta1, beta2=train.beta2,
    )
    training = TeacherTraining(
        learning_rate=config.teacher.learning_rate, loss_weight=config.teacher.loss_weight, beta1=train.beta1, beta2=train.beta2
    )
    return Model(Objective(framework, distillation), optimization, training, classes)
