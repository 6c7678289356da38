"""The tf.data input pipeline: row numbers, or the rows themselves, stateless in (seed, step), and prefetch to the device.

Three ways of feeding the step deliver the same batches: 'index' (tf.data yields row numbers, features are gathered on the
device), 'stream' (tf.data yields the features, for data that does not fit the device) and 'device' (the step samples row numbers
itself: no TensorFlow). They agree because the numbers are JAX's threefry bits, computed here in TensorFlow ops.
TensorFlow is imported only inside functions, and sees no accelerator.
"""

import collections
import contextlib
import importlib.util
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import jax
import numpy as np

from d3gzsl_jax.data.calls import Call
from d3gzsl_jax.keys import root_key, stream


def resolve_mode(mode: str) -> str:
    """'auto' is 'index' where TensorFlow is installed, else 'device': the batches are the same either way."""
    if mode != "auto":
        return mode
    return "index" if importlib.util.find_spec("tensorflow") else "device"


def host_batches(
    seed: int, calls: Iterable[Call], longest: int, batches: int, batch: int, features: np.ndarray | None, labels: np.ndarray,
    part: slice = slice(None),
) -> Iterator[Any]:
    """What the loop is fed, one item per call, by tf.data.

    Args:
        seed: the run's seed.
        calls: the calls, in order; any suffix of a run's calls gives the same items as the whole run.
        longest: steps of the longest of them. Every item holds so many, so that all calls share one shape (a shorter call ignores
            the rest).
        batches, batch: batches per step and rows per batch, without replacement within a batch.
        features: None to yield row numbers (steps, batches, batch) int32; or all N feature rows (N, dx), an array or a
            memory map, to yield pairs of features (steps, batches, batch, dx) and labels (steps, batches, batch).
        labels: (N,) int32.
        part: of every batch's rows, those that are wanted here; the others are not read.
    """
    import tensorflow as tf

    with contextlib.suppress(RuntimeError):  # where TensorFlow is in use already, as in a notebook, it keeps what it sees
        tf.config.set_visible_devices([], "GPU")
    key = np.asarray(jax.random.key_data(stream(root_key(seed), "rows")))
    firsts = lambda: (call.first for call in calls)  # noqa: E731
    steps = tf.data.Dataset.from_generator(firsts, output_signature=tf.TensorSpec((), tf.int64))

    def rows_of_call(first: Any) -> Any:
        one = lambda step: _rows_of_step(tf, key, step, len(labels), batches, batch)[:, part]  # noqa: E731
        return tf.map_fn(one, tf.range(first, first + longest), fn_output_signature=tf.int32)

    as_it_is = tf.autograph.experimental.do_not_convert  # nothing in it is to be rewritten, and looking takes half a second
    dataset = steps.map(as_it_is(rows_of_call), num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
    if features is not None:
        gather = lambda rows: (np.asarray(features[rows], np.float32), labels[rows])  # noqa: E731
        dataset = dataset.map(
            lambda rows: tuple(tf.numpy_function(gather, [rows], (tf.float32, tf.int32))),
            num_parallel_calls=1, deterministic=True,
        )
    return dataset.prefetch(1 if features is not None else 2).as_numpy_iterator()


def prefetch_to_device(items: Iterator[Any], size: int = 2, put: Callable[[Any], Any] = jax.device_put) -> Iterator[Any]:
    """Yields the items as device arrays, where `put` puts them, `size` of them under way, so that copies overlap with compute."""
    queue: collections.deque = collections.deque()
    for item in items:
        queue.append(put(item))
        if len(queue) > size:
            yield queue.popleft()
    yield from queue


def _threefry2x32(tf: Any, key: tuple[Any, Any], x0: Any, x1: Any) -> tuple[Any, Any]:
    """The threefry-2x32 block cipher with 20 rounds (Salmon et al. 2011), on uint32 tensors."""
    keys = (key[0], key[1], key[0] ^ key[1] ^ tf.constant(0x1BD11BDA, tf.uint32))
    x0, x1 = x0 + keys[0], x1 + keys[1]
    for i in range(5):
        for rotation in ((13, 15, 26, 6), (17, 29, 16, 24))[i % 2]:
            left = tf.bitwise.left_shift(x1, tf.constant(rotation, tf.uint32))
            right = tf.bitwise.right_shift(x1, tf.constant(32 - rotation, tf.uint32))
            x0 = x0 + x1
            x1 = (left | right) ^ x0
        x0 = x0 + keys[(i + 1) % 3]
        x1 = x1 + keys[(i + 2) % 3] + tf.constant(i + 1, tf.uint32)
    return x0, x1


def _rows_of_step(tf: Any, key: np.ndarray, step: Any, rows: int, batches: int, batch: int) -> Any:
    """training/draws.py's sample_rows in TensorFlow: (batches, batch) int32."""
    zero = tf.constant(0, tf.uint32)
    constant = (tf.constant(key[0], tf.uint32), tf.constant(key[1], tf.uint32))
    of_step = _threefry2x32(tf, constant, zero, tf.cast(step, tf.uint32))
    critic = tf.range(batches)
    of_update = _threefry2x32(tf, of_step, tf.zeros_like(critic, tf.uint32), tf.cast(critic, tf.uint32))
    counter = tf.cast(tf.range(rows), tf.uint32)[None, :]
    high, low = _threefry2x32(tf, (of_update[0][:, None], of_update[1][:, None]), tf.zeros_like(counter), counter)
    return tf.argsort(tf.cast(high ^ low, tf.int64), axis=-1, stable=True)[:, :batch]
