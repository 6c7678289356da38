"""What memory a configuration needs and what is free: a run that cannot fit is refused before anything is computed.

First by arithmetic on shapes, before anything is made; what it counts is needed for certain, so what fits is never refused. Then by
XLA's own analysis of the compiled step, once that is there (`check_step`), which is exact.
"""

import contextlib
import math
import re
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from jax.stages import Compiled
from ml_collections import ConfigDict

from d3gzsl_jax.config.budget import steps_of_epoch
from d3gzsl_jax.config.check import has_distillation
from d3gzsl_jax.config.framework_fields import FRAMEWORKS
from d3gzsl_jax.data.batches import resolve_mode
from d3gzsl_jax.data.benchmark import GZSLData
from d3gzsl_jax.errors import UserError, reason
from d3gzsl_jax.frameworks import registry
from d3gzsl_jax.frameworks.schedule import Draws, new_batches
from d3gzsl_jax.frameworks.structures import Classes
from d3gzsl_jax.keys import root_key
from d3gzsl_jax.system.host_memory import free_host_memory, size
from d3gzsl_jax.training.build import (
    build_final_classifier,
    build_first_stage,
    build_objective,
    build_optimization,
    first_stage_shapes,
)
from d3gzsl_jax.training.sharding import spreads_seeds

# Fields that ask for memory, each with a small value: the one with which least is needed is the one to lower. The whole numbers
# among the options of the framework come on top.
_FIELDS = {
    "networks.generator_hidden": 1, "networks.critic_hidden": 1, "networks.embedding": 1, "networks.noise": 1, "train.n_critic": 1,
    "train.batch_size": 2, "train.steps_per_call": 1, "distillation.n_syn": 0, "classifier.n_syn": 0, "classifier.epochs": 1,
    "eval.batch_size": 1,
}  # fmt: skip
_LESS = "lower config.train.batch_size, config.networks or what is synthesized (n_syn), or use a machine with more"
_WORD = 4  # bytes of a float32, or an int32


def free_memory() -> int:
    """Bytes that can be had on the first device: what its allocator says, on a CPU `free_host_memory`."""
    device = jax.local_devices()[0]
    known = (device.memory_stats() or {}) if device.platform != "cpu" else {}
    if "bytes_limit" in known:
        return known["bytes_limit"] - known.get("bytes_in_use", 0)
    return free_host_memory()


def needed(config: ConfigDict, data: GZSLData, runs: int = 1, devices: int = 1) -> int:
    """Bytes that training, or what comes after it, needs at once at the least, on a device. Nothing is made to find out.

    Args:
        config: checked.
        data: what is trained on.
        runs: seeds trained as one program.
        devices: how many share the rows of a batch.
    """
    if spreads_seeds(runs, devices):
        runs, devices = runs // devices, 1
    abstract: Any = lambda *shape: jax.ShapeDtypeStruct(shape, np.int32)  # noqa: E731
    seen, unseen, width = len(data.seen_classes), len(data.unseen_classes), data.feature_size
    classes: Any = Classes(semantics=abstract(*data.semantics.shape), seen=abstract(seen), unseen=abstract(unseen))
    represented = data.representation_size
    objective = build_objective(config, classes, width, represented)
    train, networks, rows, mode = config.train, config.networks, len(data.trainval), resolve_mode(config.data.pipeline)
    resident = mode != "stream" or runs > 1  # training rows and what the teacher says of them
    frozen = first_stage_shapes(build_first_stage(config, objective.framework), objective, bool(represented))
    params = jax.eval_shape(lambda: objective.init(root_key(0))) | frozen
    state = _words(params) + _words(jax.eval_shape(build_optimization(config, objective, rows).init, params))
    if has_distillation(config):
        teacher = objective.distillation.teacher
        state += _words(jax.eval_shape(lambda: teacher.init(root_key(0), width)))
        state += rows * (networks.embedding + seen) * resident
    framework, phases = objective.framework, objective.framework.phases(0)
    per_update, batches = train.batch_size + objective.unseen_rows(classes), new_batches(phases, train.n_critic)
    step = per_update * networks.embedding if has_distillation(config) else 0
    for phase in phases:
        count, further = phase.count(train.n_critic), framework.unseen_draws() if phase.distilled else {}
        step += count * (train.batch_size * _per_row(phase.draws) + objective.unseen_rows(classes) * _per_row(further))
        step += count * per_update * (width + framework.hidden_per_row) if phase.made_ahead else 0
    step = step // devices + batches * rows  # and a random number for every row
    if mode == "index":  # row numbers of a call, which ends where the run is evaluated
        most = min(train.epochs, config.eval.every_epochs) * steps_of_epoch(config, rows, framework.passes)
        step += min(train.steps_per_call, most) * batches * train.batch_size
    tests = len(data.test_seen) + len(data.test_unseen)
    evaluated = min(config.eval.batch_size, rows) * (networks.embedding if has_distillation(config) and resident else 1)
    fitted = 0
    if config.classifier.fit != "never":
        row = jax.ShapeDtypeStruct((1, width + represented), np.float32)
        final = build_final_classifier(config, objective, seen + unseen)
        into = jax.eval_shape(final.framework.represent, params, row).shape[1]
        synthesized = unseen * config.classifier.n_syn
        real = seen * framework.real_rows_per_class or rows
        # The synthesized rows, all rows one after another, and the order in which they are gone through.
        ahead = final.is_ahead(unseen, into)
        kept_real = real if resident or framework.real_rows_per_class else 0  # else they are asked for, a batch at a time
        kept_made = synthesized * (2 if kept_real else 1) * ahead
        fitted = (kept_made + kept_real) * into + (real + synthesized) * config.classifier.epochs
    beforehand = framework.pretrain_words(rows)
    kept = (rows + tests) * (width + represented) * resident
    return _WORD * (runs * state + kept + max(runs * step, evaluated, fitted, beforehand))


def _per_row(draws: Draws) -> int:
    return sum(math.prod(draw.shape) for draw in draws.values())


def _words(tree: Any) -> int:
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(tree))


def check(config: ConfigDict, data: GZSLData, runs: int = 1, devices: int = 1) -> None:
    """Refuses a configuration that needs more than there is (unless config.guards.memory is off); arguments as of `needed`.

    Raises:
        UserError: naming the field that asks for most.
    """
    if not config.guards.memory:
        return
    if config.eval.selection == "validation":
        need, free = config.eval.folds * len(data.trainval) * data.feature_size * data.features.dtype.itemsize, free_host_memory()
        if need > free:
            raise UserError(f"config.eval.folds={config.eval.folds}: {size(need)} of memory are needed and {_advice(free)}")
    need, free = needed(config, data, runs, devices), free_memory()
    if need > free:
        raise UserError(f"{_blamed(config, data, runs, devices)}: at least {size(need)} of memory are needed and {_advice(free)}")


def check_step(compiled: Compiled, config: ConfigDict, data: GZSLData, runs: int = 1, devices: int = 1) -> None:
    """Refuses a compiled step (what jit's lower().compile() gives) whose temporaries do not fit; other arguments as of `needed`.

    Raises:
        UserError: naming the field that asks for most.
    """
    found = compiled.memory_analysis() if config.guards.memory else None
    need, free = getattr(found, "temp_size_in_bytes", 0), free_memory()  # not every backend says
    if need > free:
        raise UserError(f"{_blamed(config, data, runs, devices)}: a step of training needs {size(need)} more and {_advice(free)}")


def _blamed(config: ConfigDict, data: GZSLData, runs: int, devices: int) -> str:
    """The field that asks for most of what is needed, with its value."""
    left = {"parallel.seeds": needed(config, data, 1, devices)} if runs > 1 else {}
    options = {field.name: int(field.low or 0) for field in FRAMEWORKS[config.framework].fields if type(field.default) is int}
    framework = registry.FRAMEWORKS[config.framework]
    shared = {f"{config.framework}.{name}": f"{framework.first_stage}.{name}" for name in framework.first_stage_options}
    for field, small in (_FIELDS | options).items():
        if field in framework.unread_fields:
            continue
        other = config.copy_and_resolve_references()
        with other.unlocked():
            other.update_from_flattened_dict({name: small for name in (field, shared.get(field)) if name})
        left[field] = needed(other, data, runs, devices)
    field = min(left, key=lambda name: left[name])
    group, _, name = field.partition(".")
    return f"config.{field}={runs if field == 'parallel.seeds' else config[group][name]}"


def _advice(free: int) -> str:
    return f"{size(free)} are free; lower it, or try all the same with config.guards.memory=False"


@contextlib.contextmanager
def told(advice: str = _LESS) -> Iterator[None]:
    """Within it, memory that runs out all the same is told in one line, with what to do.

    Raises:
        UserError: memory ran out.
    """
    try:
        yield
    except MemoryError as error:
        raise _ran_out(error, advice) from None
    except jax.errors.JaxRuntimeError as error:
        if re.search(r"RESOURCE_EXHAUSTED|[Oo]ut of memory", str(error)):
            raise _ran_out(error, advice) from None
        raise


def _ran_out(error: BaseException, advice: str) -> UserError:
    return UserError(f"memory ran out ({reason(error)}); {advice}")
