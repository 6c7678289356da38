"""The programs a run gives to its devices, as shapes at a size of sizes.py: outer step, evaluation, the final classifier's fit."""

import dataclasses
import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec

from d3gzsl_jax.evaluation import evaluate
from d3gzsl_jax.frameworks.final_classifier import FinalClassifier
from d3gzsl_jax.frameworks.softmax import SoftmaxTraining
from d3gzsl_jax.training.loop import Loop
from d3gzsl_jax.training.sharding import AXIS, Sharding
from tools.benchmark.flops import matmul_flops
from tools.benchmark.sizes import Size, build

PROGRAMS = ("step", "evaluation", "classifier")
PER_CLASS = 2  # rows synthesized for the final classifier, which is fitted for two epochs
TESTED = 64  # rows of a call of the evaluation, at a size that has no more in training


@dataclasses.dataclass(frozen=True)
class Program:
    """What is compiled.

    Attributes:
        lowered: for its devices.
        products: floating-point operations of the matrix products it needs, as traced: on all devices together.
        row_products: those of them that grow with the rows (`_row_products`); 0 of a program for one device.
        trained: bytes of all parameters that are trained.
        compared: bytes of what the pair losses compare of all rows of an update.
        row_numbers: bytes of the random bits and numbers of all rows for all batches, which rows are sampled by.
        own_rows: bytes of a device's rows of all updates in the widest layer.
    """

    lowered: jax.stages.Lowered
    products: float
    row_products: float = 0.0
    trained: int = 0
    compared: int = 0
    row_numbers: int = 0
    own_rows: int = 0


def lower(name: str, of: Size, devices: list[Any]) -> Program:
    """The program of this name of PROGRAMS for these devices, at the precision in force."""
    if name == "step":
        return _step(of, devices)
    return (_evaluation if name == "evaluation" else _classifier)(of, devices[0])


def _shapes(of: Size) -> tuple[Loop, Any, Any]:
    """The loop of a size, and the shapes of its state and constants."""
    kept = []

    def make() -> Any:
        loop, *rest = build(of)
        kept.append(loop)
        return rest

    state, constants = jax.eval_shape(make)
    return kept[0], state, constants


@functools.cache
def _products(of: Size) -> float:
    """Floating-point operations of the products of an outer step of the last pass."""
    loop, state, constants = _shapes(of)
    return matmul_flops(lambda *given: loop.one_step(*given, None, None, loop.different_phases[-1]), state, constants)


def _step(of: Size, devices: list[Any]) -> Program:
    """An outer step as the training loop's body is: state and tally are donated; rows are sampled on the device. Of a method whose
    passes differ, the last: TF-VAEGAN's with feedback."""
    loop, state, constants = _shapes(of)
    phases = loop.different_phases[-1]
    tally = jax.eval_shape(loop.empty_tally, state, constants, None)
    mesh = Mesh(np.array(devices), (AXIS,), axis_types=(AxisType.Auto,))
    sharding = Sharding(mesh if len(devices) > 1 else None)
    spread = dataclasses.replace(loop, sharding=sharding, terms_at_once=devices[0].platform != "cpu")
    place = NamedSharding(mesh, PartitionSpec())
    step = lambda *given: spread.add_step(*given, None, phases)  # noqa: E731
    jitted = jax.jit(step, donate_argnums=(0, 1), out_shardings=place)
    rows = of.batch + loop.objective.unseen_rows(constants.classes)
    trained = {group: state.params[group] for group in loop.objective.groups}
    widest = max(of.features, *(leaf.shape[-1] for leaf in jax.tree.leaves(trained) if leaf.shape))
    # D3's pairs are of embeddings, CE-GZSL's of projections, of real rows and as many synthesized ones.
    compared = 4 * max(2 * of.batch, rows) * max(of.embedding, getattr(loop.objective.framework, "projection", 0))
    return Program(
        jitted.lower(*_placed((state, tally, constants), place)), _products(of),
        row_products=_row_products(of) if len(devices) > 1 else 0.0,
        trained=_bytes(trained), compared=compared,
        row_numbers=8 * of.rows * loop.batches, own_rows=4 * loop.batches * -(-rows // len(devices)) * widest,
    )  # fmt: skip


@functools.cache
def _row_products(of: Size) -> float:
    """Of the products of an outer step those that grow with its rows: all of them but what is left where batch and n_syn, in which
    their number is a polynomial of degree two (pairs of rows), are extrapolated to none. What is left is done once a class."""
    more = max(of.batch // 16, 1)
    f = functools.cache(lambda x, y: _products(of._replace(batch=of.batch + x * more, n_syn=of.n_syn + y)))
    x, y = -of.batch / more, -of.n_syn
    found = f(0, 0) + x * (f(1, 0) - f(0, 0)) + x * (x - 1) / 2 * (f(2, 0) - 2 * f(1, 0) + f(0, 0))
    if of.n_syn:
        found += y * (f(0, 1) - f(0, 0)) + y * (y - 1) / 2 * (f(0, 2) - 2 * f(0, 1) + f(0, 0))
        found += x * y * (f(1, 1) - f(1, 0) - f(0, 1) + f(0, 0))
    return f(0, 0) - found


def _evaluation(of: Size, device: Any) -> Program:
    """What evaluates the student, or without D3 the final classifier, on a chunk of test rows, on the first device."""
    loop, state, constants = _shapes(of)
    objective, ids = loop.objective, constants.classes
    rows = jax.ShapeDtypeStruct((max(of.batch, TESTED), of.features), jnp.float32)
    if objective.distillation.active:
        logits, params = objective.student_logits, (state.params,)
    else:
        final = _final(of, loop)
        fitted = jax.eval_shape(lambda params, key: final.init(key, params, of.features), state.params, constants.root)
        logits, params = final.logits, (state.params, fitted)
    function, method_of = evaluate.function_of(logits)
    given = params, ids.seen, ids.unseen, rows
    count = matmul_flops(lambda *given: evaluate.predict(function, method_of, *given), *given)
    return Program(evaluate.predict.lower(function, method_of, *_placed(given, _on(device))), count)


def _classifier(of: Size, device: Any) -> Program:
    """The final classifier's fit to all training rows and PER_CLASS synthesized ones a class, on the first device."""
    loop, state, constants = _shapes(of)
    final, rows = _final(of, loop), constants.rows
    given = state.params, constants.root, constants.classes, rows.features, rows.labels
    after = (final.softmax.epochs,)
    count = matmul_flops(lambda *given: final.fits(*given, after), *given)
    return Program(FinalClassifier.fits.lower(final, *_placed(given, _on(device)), after), count)


def _final(of: Size, loop: Loop) -> FinalClassifier:
    framework = loop.objective.framework
    softmax = framework.softmax(SoftmaxTraining(classes=of.seen + of.unseen, epochs=2, batch_size=of.batch))
    return FinalClassifier(framework, softmax, PER_CLASS)


def _on(device: Any) -> NamedSharding:
    return NamedSharding(Mesh(np.array([device]), (AXIS,), axis_types=(AxisType.Auto,)), PartitionSpec())


def _placed(tree: Any, place: NamedSharding) -> Any:
    return jax.tree.map(lambda leaf: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=place), tree)


def _bytes(tree: Any) -> int:
    return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))
