import jax
import jax.numpy as jnp
import numpy as np
import pytest

from d3gzsl_jax.data.pipeline import Call, host_batches, plan_calls, prefetch_to_device, resolve_mode
from d3gzsl_jax.training.randomness import root_key, sample_rows

ROWS, N_CRITIC, BATCH = 50, 3, 8
FEATURES = np.random.default_rng(0).normal(size=(ROWS, 4)).astype(np.float32)
LABELS = np.random.default_rng(1).integers(0, 5, ROWS).astype(np.int32)


def delivered(calls, features=None, seed=3):
    return list(host_batches(seed, calls, N_CRITIC, BATCH, features, LABELS))


def test_calls_stop_where_asked_and_are_never_too_long():
    calls = plan_calls(0, [5, 12], 4)
    assert calls == [Call(0, 4), Call(4, 1), Call(5, 4), Call(9, 3)]
    assert plan_calls(7, [12], 4) == [Call(7, 4), Call(11, 1)]


@pytest.mark.parametrize("seed", [0, 3, 2**32 - 1])
def test_tensorflow_draws_the_rows_that_jax_draws(seed):
    calls = plan_calls(0, [5, 12], 4)
    rows = np.concatenate([item[: call.count] for item, call in zip(delivered(calls, seed=seed), calls, strict=True)])
    ours = jax.vmap(lambda step: sample_rows(root_key(seed), step, ROWS, N_CRITIC, BATCH))(jnp.arange(12))
    np.testing.assert_array_equal(rows, ours)


def test_batches_do_not_depend_on_where_a_run_starts_or_how_calls_are_cut():
    whole = delivered([Call(0, 6)])[0]
    later = delivered([Call(4, 2)])[0]
    np.testing.assert_array_equal(whole[4:6], later[:2])


def test_streamed_features_are_those_of_the_rows():
    calls = plan_calls(0, [6], 3)
    for rows, (features, labels) in zip(delivered(calls), delivered(calls, FEATURES), strict=True):
        np.testing.assert_array_equal(features, FEATURES[rows])
        np.testing.assert_array_equal(labels, LABELS[rows])


def test_streaming_reads_a_memory_map(tmp_path):
    np.save(tmp_path / "features.npy", FEATURES)
    mapped = np.load(tmp_path / "features.npy", mmap_mode="r")
    features, _ = delivered([Call(0, 2)], mapped)[0]
    np.testing.assert_array_equal(features, delivered([Call(0, 2)], FEATURES)[0][0])


def test_prefetch_keeps_order_and_puts_on_the_device():
    items = list(prefetch_to_device(iter([np.full(2, i) for i in range(5)])))
    assert [int(item[0]) for item in items] == list(range(5))
    assert all(isinstance(item, jax.Array) for item in items)


def test_auto_is_device_without_tensorflow(monkeypatch):
    assert resolve_mode("auto") == "index"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert resolve_mode("auto") == "device" and resolve_mode("stream") == "stream"
