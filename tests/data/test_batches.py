import jax
import jax.numpy as jnp
import numpy as np
import pytest

from d3gzsl_jax.data.batches import host_batches, prefetch_to_device, resolve_mode
from d3gzsl_jax.data.calls import Call, Calls, EvaluationSteps
from d3gzsl_jax.keys import root_key
from d3gzsl_jax.training.draws import SORTED_ROWS, sample_rows

ROWS, N_CRITIC, BATCH = 50, 3, 8
FEATURES = np.random.default_rng(0).normal(size=(ROWS, 4)).astype(np.float32)
LABELS = np.random.default_rng(1).integers(0, 5, ROWS).astype(np.int32)


def delivered(calls, features=None, seed=3):
    return list(host_batches(seed, calls, max(call.count for call in calls), N_CRITIC, BATCH, features, LABELS))


def test_calls_stop_where_asked_and_are_never_too_long():
    stops = EvaluationSteps(5, ((1, 2),))
    assert list(Calls(0, stops, 4)) == [Call(0, 4), Call(4, 1), Call(5, 4), Call(9, 1)]
    assert list(Calls(7, stops, 4)) == [Call(7, 3)] and not Calls(10, stops, 4) and list(Calls(10, stops, 4)) == []


def test_stops_and_calls_are_those_that_a_list_would_hold():
    rng = np.random.default_rng(0)
    for _ in range(300):
        per_epoch, most = rng.integers(1, 6), int(rng.integers(1, 30))
        schedules = tuple((int(rng.integers(1, 12)), int(rng.integers(1, 20))) for _ in range(rng.integers(1, 3)))
        listed = sorted({int(per_epoch) * e for every, epochs in schedules for e in (*range(every, epochs, every), epochs)})
        stops = EvaluationSteps.union([EvaluationSteps(int(per_epoch), (schedule,)) for schedule in schedules])
        assert list(stops) == listed and stops.last == listed[-1]
        assert [step for step in range(listed[-1] + 9) if step in stops] == listed
        start = int(rng.integers(0, listed[-1] + 1))
        assert list(stops.after(start)) == [stop for stop in listed if stop > start]
        calls = Calls(start, stops, most)
        assert sum(call.count for call in calls) == listed[-1] - start and bool(calls) == (start < listed[-1])
        if calls and len(schedules) == 1:
            assert calls.longest == max(call.count for call in calls)


@pytest.mark.tensorflow
def test_very_many_stops_are_never_listed():
    stops = EvaluationSteps(16, ((1, 2**27),))
    assert stops.last == 2**31 and 16 * 12345678 in stops and 16 * 12345678 + 1 not in stops
    calls = Calls(16 * 10**8, stops, 5)
    assert next(iter(calls)) == Call(16 * 10**8, 5) and calls.longest == 5
    assert len(next(host_batches(0, calls, calls.longest, N_CRITIC, BATCH, None, LABELS))) == 5


@pytest.mark.tensorflow
@pytest.mark.slow
@pytest.mark.parametrize(("seed", "table"), [(0, ROWS), (3, ROWS), (2**32 - 1, ROWS), (3, SORTED_ROWS + 9)])
def test_tensorflow_draws_the_rows_that_jax_draws(seed, table):
    """Of few rows and of more, which JAX finds in another way."""
    calls = list(Calls(0, EvaluationSteps(6, ((1, 2),)), 4))
    batches = host_batches(seed, calls, 4, N_CRITIC, BATCH, None, np.zeros(table, np.int32))
    rows = np.concatenate([item[: call.count] for item, call in zip(batches, calls, strict=True)])
    ours = jax.vmap(lambda step: sample_rows(root_key(seed), step, table, N_CRITIC, BATCH))(jnp.arange(12))
    np.testing.assert_array_equal(rows, ours)


@pytest.mark.tensorflow
def test_batches_do_not_depend_on_where_a_run_starts_or_how_calls_are_cut():
    whole = delivered([Call(0, 6)])[0]
    later = delivered([Call(4, 2)])[0]
    np.testing.assert_array_equal(whole[4:6], later[:2])


@pytest.mark.tensorflow
def test_streamed_features_are_those_of_the_rows():
    calls = list(Calls(0, EvaluationSteps(6, ((1, 1),)), 3))
    for rows, (features, labels) in zip(delivered(calls), delivered(calls, FEATURES), strict=True):
        np.testing.assert_array_equal(features, FEATURES[rows])
        np.testing.assert_array_equal(labels, LABELS[rows])


@pytest.mark.tensorflow
def test_streaming_reads_a_memory_map(tmp_path):
    np.save(tmp_path / "features.npy", FEATURES)
    mapped = np.load(tmp_path / "features.npy", mmap_mode="r")
    features, _ = delivered([Call(0, 2)], mapped)[0]
    np.testing.assert_array_equal(features, delivered([Call(0, 2)], FEATURES)[0][0])


def test_prefetch_keeps_order_and_puts_on_the_device():
    items = list(prefetch_to_device(iter([np.full(2, i) for i in range(5)])))
    assert [int(item[0]) for item in items] == list(range(5))
    assert all(isinstance(item, jax.Array) for item in items)


@pytest.mark.tensorflow
def test_auto_is_device_without_tensorflow(monkeypatch):
    assert resolve_mode("auto") == "index"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert resolve_mode("auto") == "device" and resolve_mode("stream") == "stream"
