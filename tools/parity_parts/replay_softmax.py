"""Replays a recorded softmax classifier: its batches, of the recorded rows in the recorded order, its accuracies after every epoch.

Our rows are compared with the recorded ones, which the classifier then is fitted to: a column that is small in all rows has small
gradients, Adam divides them by their size, and an error of rounding in the rows, of all rows alike, becomes one of its parameters.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax

from d3gzsl_jax.evaluation.metrics import mean_over_classes, per_class_accuracy
from d3gzsl_jax.frameworks.softmax import SoftmaxTraining
from d3gzsl_jax.frameworks.structures import Params
from tools.parity_parts.comparison import EXACT, LOSS, PARAMETER, Comparison
from tools.parity_parts.recording import Recording

Carry = tuple[Params, optax.OptState]


def replay_softmax(
    recording: Recording, at: str, softmax: SoftmaxTraining, rows: jax.Array, labels: np.ndarray, test: dict[str, jax.Array],
    outputs: np.ndarray, out: Comparison,
) -> np.ndarray:
    """Fits a recorded classifier; returns the mean per-class accuracies after each epoch, (epochs, splits).

    Args:
        at: prefix of its keys.
        softmax: how it is fitted.
        rows, labels: what to, by us: (n, width) as represented, and (n,) numbers of outputs.
        test: 'seen' and 'unseen', or one of them, -> test rows as represented.
        outputs: class id of each output.
    """
    quantity = "T1 classifier" if len(test) == 1 else "classifier"
    out.add(f"{quantity} rows", f"{at}train_feature", rows, recording[f"{at}train_feature"], LOSS)
    out.add(f"{quantity} rows", f"{at}train_label", labels, recording[f"{at}train_label"], EXACT)
    for split, features in test.items():
        out.add(f"{quantity} rows", f"{at}test_{split}_feature", features, recording[f"{at}test_{split}_feature"], LOSS)
    order = recording[f"{at}batch_index"]
    expected = jax.eval_shape(functools.partial(softmax.rows, count=len(labels)), jax.random.key(0)).shape
    out.add("counts", f"{at}batch_index", expected, order.shape, EXACT)
    if expected != order.shape:
        return np.full((softmax.epochs, len(test)), np.nan)  # nothing after this could be lined up
    fresh = jax.eval_shape(functools.partial(softmax.init, width=rows.shape[1]), jax.random.key(0))
    begin = recording.load("final_classifier", f"{at}init/", fresh)
    order = order.reshape(softmax.epochs, -1, softmax.batch_size)
    recorded = jnp.asarray(recording.shaped(f"{at}train_feature", *rows.shape))
    fitted, predicted = _fit(softmax, begin, recorded, jnp.asarray(labels), jnp.asarray(order), tuple(test.values()))
    for key, ours, theirs in recording.pairs("final_classifier", f"{at}after/", fitted):
        out.add(f"{quantity} parameters", key, ours, theirs, PARAMETER, softmax.learning_rate)
    found = np.stack([_accuracies(recording, split, outputs[np.asarray(of)]) for split, of in zip(test, predicted, strict=True)], 1)
    out.add("accuracies", f"{at}accuracies", found, recording[f"{at}accuracies"], EXACT)
    return found


@functools.partial(jax.jit, static_argnums=0)
def _fit(
    softmax: SoftmaxTraining, begin: Params, rows: jax.Array, labels: jax.Array, order: jax.Array, test: tuple[jax.Array, ...]
) -> tuple[Params, tuple[jax.Array, ...]]:
    """The parameters at the end, and the outputs predicted for the test rows after each epoch, (epochs, n)."""

    def one_update(carry: Carry, batch: jax.Array) -> tuple[Carry, None]:
        return softmax.update(*carry, rows[batch], labels[batch])[:2], None

    def one_epoch(carry: Carry, batches: jax.Array) -> tuple[Carry, tuple[jax.Array, ...]]:
        carry, _ = jax.lax.scan(one_update, carry, batches)
        return carry, tuple(softmax.logits(carry[0], features).argmax(-1) for features in test)

    (fitted, _), predicted = jax.lax.scan(one_epoch, (begin, softmax.adam.init(begin)), order)
    return fitted, predicted


def _accuracies(recording: Recording, split: str, predicted: np.ndarray) -> np.ndarray:
    """By epoch, of class ids (epochs, n)."""
    labels, classes = recording[f"data/test_{split}_label"], recording[f"data/{split}_classes"]
    return np.array([mean_over_classes(per_class_accuracy(of, labels, classes)) for of in predicted])
