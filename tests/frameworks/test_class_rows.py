import jax
import jax.numpy as jnp
import numpy as np
from jax.test_util import check_grads

from d3gzsl_jax.frameworks.class_rows import once_per_class, seen_index, take_rows
from d3gzsl_jax.frameworks.structures import Classes


def test_take_rows_is_indexing_with_the_same_derivative(rng):
    table, index = jnp.asarray(rng.normal(size=(4, 3)), jnp.float32), jnp.array([2, 0, 2, 2, 1])
    np.testing.assert_array_equal(take_rows(table, index), table[index])
    pull = jnp.asarray(rng.normal(size=(5, 3)), jnp.float32)
    ours, theirs = (jax.grad(lambda t, f=f: jnp.sum(f(t) * pull))(table) for f in (lambda t: take_rows(t, index), lambda t: t[index]))
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    check_grads(lambda t: jnp.sin(take_rows(t, index)), (table,), 1, ["rev"], 1e-2, 1e-2)


def test_places_among_the_seen_classes():
    classes = Classes(semantics=jnp.zeros((6, 1)), seen=jnp.array([1, 2, 5]), unseen=jnp.array([0, 3, 4]))
    labels = jnp.array([[5, 1, 1], [2, 5, 1]])
    found = jax.jit(seen_index)(classes, labels)
    np.testing.assert_array_equal(found, np.searchsorted([1, 2, 5], labels))
    assert found.dtype == jnp.int32
    on_gpu = jax.jit(seen_index).trace(classes, labels).lower(lowering_platforms=("cuda",))
    assert "while" not in on_gpu.as_text()  # a GPU launches each step of a loop


def test_rows_of_classes_are_the_same_computed_per_class_or_per_row(rng):
    semantics, kernel = (jnp.asarray(rng.normal(size=shape), jnp.float32) for shape in ((6, 3), (3, 4)))
    classes = Classes(semantics=semantics, seen=jnp.array([1, 2, 5]), unseen=jnp.array([0, 3, 4]))
    function = lambda a: jnp.tanh(a @ kernel)  # noqa: E731
    for labels in (jnp.array([5, 1]), jnp.array([[5, 1, 1, 2], [2, 2, 5, 1]])):  # per row, per class
        np.testing.assert_allclose(once_per_class(function, classes, labels), function(semantics[labels]), rtol=1e-6)
