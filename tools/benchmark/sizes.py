"""The sizes that are timed, and the objects of a run at one of them, on random data."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp

from d3gzsl_jax.distillation.objective import Objective
from d3gzsl_jax.distillation.teacher import Teacher
from d3gzsl_jax.distillation.terms import Distillation
from d3gzsl_jax.frameworks.base import Framework, Sizes
from d3gzsl_jax.frameworks.registry import FRAMEWORKS
from d3gzsl_jax.frameworks.structures import Batch, Classes, Params, TrainState
from d3gzsl_jax.keys import root_key
from d3gzsl_jax.training.loop import Constants, Loop
from d3gzsl_jax.training.optimizers import Optimization
from tools.parity_parts.released_rates import RELEASED_DECAY_EVERY, RELEASED_FACTORS

N_CRITIC = 5


class Size(NamedTuple):
    """Sizes of a benchmark, representations as wide as features; n_syn 0 leaves D3 out, and unseen_per_step and head are those of
    config.distillation."""

    framework: str
    rows: int
    features: int
    semantics: int
    seen: int
    unseen: int
    hidden: int  # of generator and critic; CADA-VAE's are its own
    embedding: int
    batch: int
    n_syn: int
    unseen_per_step: int = 0
    head: str = "all"
    n_critic: int = N_CRITIC


SIZES = {
    "cub": Size("wgan", 7057, 2048, 312, 150, 50, 4096, 2048, 256, 5),
    "awa2": Size("wgan", 23527, 2048, 85, 40, 10, 4096, 2048, 256, 5),
    "flo": Size("wgan", 5631, 2048, 1024, 82, 20, 4096, 2048, 256, 5),
    "sun": Size("wgan", 10320, 2048, 102, 645, 72, 4096, 2048, 256, 5),
    "cub_small": Size("wgan", 7057, 768, 1024, 150, 50, 384, 384, 128, 3),
    "digits": Size("wgan", 1003, 64, 21, 7, 3, 256, 128, 64, 100),
    "cegzsl_cub": Size("cegzsl", 7057, 2048, 1024, 150, 50, 4096, 2048, 2048, 0),
    "cegzsl_cub_d3": Size("cegzsl", 7057, 2048, 1024, 150, 50, 4096, 2048, 2048, 50),
    "cegzsl_awa2_d3": Size("cegzsl", 23527, 2048, 85, 40, 10, 4096, 2048, 4096, 50),
    "cegzsl_sun_d3": Size("cegzsl", 10320, 2048, 102, 645, 72, 4096, 2048, 1024, 50),
    "tfvaegan_cub": Size("tfvaegan", 7057, 2048, 312, 150, 50, 4096, 2048, 64, 0),
    "tfvaegan_cub_d3": Size("tfvaegan", 7057, 2048, 312, 150, 50, 4096, 2048, 64, 5),
    "cadavae_cub": Size("cadavae", 7057, 2048, 312, 150, 50, 0, 2048, 50, 0),
    "cadavae_cub_d3": Size("cadavae", 7057, 2048, 312, 150, 50, 0, 2048, 50, 5),
    "free_cub": Size("free", 7057, 2048, 312, 150, 50, 4096, 2048, 64, 0, n_critic=1),
    "free_cub_d3": Size("free", 7057, 2048, 312, 150, 50, 4096, 2048, 64, 5, n_critic=1),
    "zerodiff_awa2": Size("zerodiff", 23527, 2048, 85, 40, 10, 4096, 2048, 64, 0),
    "zerodiff_awa2_d3": Size("zerodiff", 23527, 2048, 85, 40, 10, 4096, 2048, 64, 5),
    "zerodiff_representation_awa2": Size("zerodiff_representation", 23527, 2048, 85, 40, 10, 4096, 2048, 64, 0),
    "tiny": Size("wgan", 200, 32, 8, 6, 4, 64, 32, 16, 2),
    "fclswgan_tiny": Size("fclswgan", 200, 32, 8, 6, 4, 64, 32, 16, 2),
    "cegzsl_tiny": Size("cegzsl", 200, 32, 8, 6, 4, 64, 32, 16, 2),
    "fvaegan_tiny": Size("fvaegan", 200, 32, 8, 6, 4, 64, 32, 16, 2),
    "tfvaegan_tiny": Size("tfvaegan", 200, 32, 8, 6, 4, 64, 32, 16, 2),
    "cadavae_tiny": Size("cadavae", 200, 32, 8, 6, 4, 0, 32, 16, 2),
    "free_tiny": Size("free", 200, 32, 8, 6, 4, 64, 32, 16, 2, n_critic=1),
    "zerodiff_tiny": Size("zerodiff", 200, 32, 8, 6, 4, 64, 32, 16, 2),
    "zerodiff_representation_tiny": Size("zerodiff_representation", 200, 32, 8, 6, 4, 64, 32, 16, 0),
}


def build(of: Size) -> tuple[Loop, TrainState, Constants]:
    """Loop, state and constants at a size, with random data."""
    root, count = root_key(0), of.seen + of.unseen
    teacher = Teacher(seen=of.seen, embedding_width=of.embedding)
    method = FRAMEWORKS[of.framework]
    representation = of.features if method.takes_representations else 0
    framework = method(
        Sizes(of.features, of.semantics, of.semantics, of.seen, of.hidden, of.hidden, of.embedding, representation)
    )
    weight = 1e-4 if of.n_syn else 0.0
    objective = Objective(
        framework,
        Distillation(
            teacher=teacher, classes=count, embedding_width=of.embedding, n_syn=of.n_syn, weight_cls=weight, weight_od=weight,
            weight_be=weight, weight_kl=weight, unseen_per_step=of.unseen_per_step, head=of.head,
        ),
    )
    params = objective.init(root)
    optimization = Optimization(
        learning_rates=dict.fromkeys(params, 1e-4), factors=RELEASED_FACTORS, decay_every=RELEASED_DECAY_EVERY,
        steps_per_epoch=framework.passes * -(-of.rows // of.batch),
        rules=objective.rules,
    )
    x = jax.random.uniform(root, (of.rows, of.features + representation))
    labels = jax.random.randint(root, (of.rows,), 0, of.seen)
    frozen = framework.pretrain(root, x, labels)
    teacher_params = teacher.init(root, of.features)
    ids = jnp.arange(count)
    classes = Classes(semantics=jax.random.uniform(root, (count, of.semantics)), seen=ids[: of.seen], unseen=ids[of.seen :])
    outputs = jax.jit(lambda params, x: teacher.outputs(params, x[:, : of.features]))
    table = Batch(features=x, labels=labels, teacher=outputs(teacher_params, x))
    constants = Constants(root=root, teacher=teacher_params, classes=classes, rows=table)
    state = TrainState(
        step=jnp.int32(0), params=params | frozen | first_stage(framework, root), opt_state=optimization.init(params),
        method=framework.initial_state(),
    )  # fmt: skip
    loop = Loop(objective, optimization, of.n_critic, of.batch, terms_at_once=jax.default_backend() != "cpu")
    return loop, state, constants


def first_stage(framework: Framework, root: jax.Array) -> Params:
    """The groups that the first stage leaves behind, with fresh parameters, for rows that have representations; {} for most."""
    if not framework.first_stage:
        return {}
    sizes = dataclasses.replace(framework.sizes, features=framework.sizes.representation, representation=0)
    made = FRAMEWORKS[framework.first_stage](sizes).init(root)
    return {ours: made[theirs] for ours, theirs in framework.first_stage_groups.items()}
