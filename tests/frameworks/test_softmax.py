import jax
import jax.numpy as jnp
import numpy as np
import pytest

from d3gzsl_jax.frameworks.softmax import SoftmaxTraining
from tests.conftest import GOLDEN


def blobs(rng, rows=200, classes=4):
    labels = rng.integers(0, classes, rows).astype(np.int32)
    return jnp.asarray(np.eye(classes)[labels] + 0.2 * rng.normal(size=(rows, classes)), jnp.float32), jnp.asarray(labels)


def test_it_learns_deterministically(rng):
    inputs, labels = blobs(rng)
    training = SoftmaxTraining(classes=4, epochs=20, batch_size=32, learning_rate=1e-2)
    fit = jax.jit(training.fit)
    params = fit(jax.random.key(0), inputs, labels)
    assert (training.logits(params, inputs).argmax(-1) == labels).mean() > 0.95
    again = fit(jax.random.key(0), inputs, labels)
    jax.tree.map(np.testing.assert_array_equal, params, again)
    other = fit(jax.random.key(1), inputs, labels)
    assert any(np.any(a != b) for a, b in zip(jax.tree.leaves(params), jax.tree.leaves(other), strict=True))


@pytest.mark.slow
def test_the_scan_is_its_updates_one_after_another(rng):
    inputs, labels = blobs(rng, 30)
    training, key = SoftmaxTraining(classes=4, epochs=2, batch_size=8), jax.random.key(3)
    params = training.init(key, 4)
    opt_state = training.adam.init(params)
    for rows in training.rows(key, 30):
        params, opt_state, _ = training.update(params, opt_state, inputs[rows], labels[rows])
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), jax.jit(training.fit)(key, inputs, labels), params)


@pytest.mark.parametrize(("count", "batch"), [(98, 10), (100, 10), (7, 10), (7, 30)])
def test_batches_run_through_whole_shuffles(count, batch):
    """Each run of `count` rows holds every row once; an epoch has ceil(count / batch) updates."""
    rows = np.asarray(SoftmaxTraining(classes=2, epochs=3, batch_size=batch).rows(jax.random.key(0), count))
    assert rows.shape == (3 * -(-count // batch), batch) and rows.dtype == np.int32
    flat = rows.ravel()
    for start in range(0, len(flat) - count + 1, count):
        assert sorted(flat[start : start + count]) == list(range(count))
    assert len(set(flat[len(flat) // count * count :])) == len(flat) % count


def test_the_recorded_classifier_takes_its_batches_in_the_same_way():
    with np.load(GOLDEN / "cegzsl.npz") as arrays:
        table = arrays["classifier0/train_feature"]
        batches = np.concatenate([arrays[f"classifier0/batch{i:03d}/features"] for i in range(20)])
    rows = [int(np.abs(table - row).sum(1).argmin()) for row in batches]
    assert sorted(rows[:98]) == list(range(98)) == sorted(rows[98:196]) and len(set(rows[196:])) == 4


def test_no_epochs_leave_the_initial_weights():
    training = SoftmaxTraining(classes=3, epochs=0, batch_size=4)
    params = training.fit(jax.random.key(0), jnp.ones((9, 2)), jnp.zeros(9, jnp.int32))
    initial = jax.jit(training.init, static_argnums=1)(jax.random.key(0), 2)
    jax.tree.map(np.testing.assert_array_equal, params, initial)


@pytest.mark.parametrize(("count", "batch"), [(98, 10), (100, 10), (10, 10)])
def test_batches_of_whole_shuffles_leave_the_last_rows_out(count, batch):
    training = SoftmaxTraining(classes=2, epochs=3, batch_size=batch, drops_last=True)
    rows = np.asarray(training.rows(jax.random.key(0), count))
    per_epoch = count // batch
    assert rows.shape == (3 * per_epoch, batch) and rows.dtype == np.int32
    epochs = rows.reshape(3, -1)
    assert all(len(set(epoch)) == per_epoch * batch and max(epoch) < count for epoch in epochs.tolist())
    assert (epochs[0] != epochs[1]).any()


def test_fewer_rows_than_a_batch_are_not_dropped():
    drops = SoftmaxTraining(classes=2, epochs=2, batch_size=30, drops_last=True)
    fills = SoftmaxTraining(classes=2, epochs=2, batch_size=30)
    np.testing.assert_array_equal(drops.rows(jax.random.key(0), 7), fills.rows(jax.random.key(0), 7))


def test_snapshots_with_dropped_rows_are_those_of_shorter_fits(rng):
    inputs, labels = blobs(rng, 30)
    training = SoftmaxTraining(classes=4, epochs=3, batch_size=8, drops_last=True)
    two, three = training.fits(jax.random.key(1), inputs, labels, (2, 3))
    shorter = SoftmaxTraining(classes=4, epochs=2, batch_size=8, drops_last=True).fit(jax.random.key(1), inputs, labels)
    for found, expected in ((two, shorter), (three, training.fit(jax.random.key(1), inputs, labels))):
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), found, expected)


def test_initial_weights():
    for initial, width in (("normal", 0.02), ("xavier", 0.5 * np.sqrt(6 / 240) / np.sqrt(3))):
        layer = SoftmaxTraining(classes=40, epochs=1, batch_size=8, initial=initial).init(jax.random.key(0), 200)["params"]["linear"]
        assert layer["kernel"].shape == (200, 40) and not layer["bias"].any()
        assert float(layer["kernel"].std()) == pytest.approx(width, rel=0.03)
        if initial == "xavier":
            assert 0.99 < float(np.abs(layer["kernel"]).max()) / (0.5 * np.sqrt(6 / 240)) <= 1
