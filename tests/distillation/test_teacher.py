import jax
import numpy as np
import pytest

from d3gzsl_jax.distillation.teacher import Teacher, TeacherTraining, epoch_rows, pretrain
from d3gzsl_jax.errors import DivergenceError
from d3gzsl_jax.keys import root_key


def fit(resident, learning_rate=3e-3, epochs=8):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, 130).astype(np.int32)
    features = (np.eye(3)[labels] + 0.3 * rng.uniform(size=(130, 3))).astype(np.float32)
    teacher, calls = Teacher(seen=3, embedding_width=10), []
    params = pretrain(
        teacher, TeacherTraining(learning_rate, 0.001), root_key(0), features, labels, epochs, 20, resident, lambda: calls.append(1)
    )
    assert len(calls) == epochs
    return (np.asarray(teacher.logits(params, features)).argmax(-1) == labels).mean(), params


@pytest.mark.slow
def test_it_learns_and_both_ways_of_feeding_agree():
    accuracy, resident = fit(True)
    assert accuracy > 0.95
    _, streamed = fit(False)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5), resident, streamed)


def test_an_epoch_drops_the_last_partial_batch_and_repeats_no_row():
    rows = np.asarray(epoch_rows(root_key(0), 0, 130, 20))
    assert rows.shape == (6, 20) and len(np.unique(rows)) == 120
    assert (rows != np.asarray(epoch_rows(root_key(0), 1, 130, 20))).any()


def test_not_finite_is_reported():
    with pytest.raises(DivergenceError, match=r"teacher pretraining stopped at epoch \d+"):
        fit(True, learning_rate=1e38, epochs=3)
