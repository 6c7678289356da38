"""The final classifier's real rows, left on the host."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from d3gzsl_jax.frameworks.host_rows import HostRows
from tests.frameworks.test_final_classifier import case


def fit(final, p, features):
    rows = p.constants.rows
    return final.fit(p.state.params, jax.random.key(2), p.constants.classes, features, rows.labels)


def close(one, other, exactly):
    equal = np.testing.assert_array_equal if exactly else lambda a, b: np.testing.assert_allclose(a, b, atol=2e-5)
    jax.tree.map(equal, one, other)


@pytest.mark.parametrize(
    ("framework", "options"),
    [
        ("wgan", {}),
        ("wgan", {"synthesis": "batches", "zsl": "own"}),
        ("wgan", {"n_syn": 0}),
        ("wgan", {"logit_adjustment": 1.0}),
        ("cegzsl", {}),
        ("cadavae", {}),
    ],
)
def test_the_classifier_is_that_of_rows_on_the_device(framework, options):
    p, final = case(framework, **options)
    features = np.asarray(p.constants.rows.features)
    # Where rows are fitted to as they are, to the bit; else up to what products of fewer rows round differently.
    close(fit(final, p, HostRows(features)), fit(final, p, jnp.asarray(features)), exactly=framework == "wgan")


def test_no_more_than_a_batch_is_asked_for():
    p, final = case()
    asked = []

    class Noted(np.ndarray):
        def __getitem__(self, rows):
            asked.append(np.shape(rows))
            return np.asarray(self)[rows]

    features = HostRows(np.asarray(p.constants.rows.features).view(Noted))
    jax.block_until_ready(fit(final, p, features))
    count = len(features) + 4 * 7
    assert set(asked) == {(25,)} and len(asked) == 3 * -(-count // 25)


def test_the_program_holds_none_of_them():
    p, final = case()
    final = dataclasses.replace(final, synthesis="batches")
    rows = p.constants.rows
    many = jnp.tile(rows.features, (100, 1)), jnp.tile(rows.labels, 100)

    def memory(features):
        given = p.state.params, jax.random.key(0), p.constants.classes, features, many[1], (3,)
        found = type(final).fits.lower(final, *given).compile().memory_analysis()
        return found.argument_size_in_bytes + found.temp_size_in_bytes

    assert memory(many[0]) - memory(HostRows(np.asarray(many[0]))) > 0.9 * many[0].nbytes


def test_equal_is_the_same_array():
    values = np.ones((3, 2), np.float32)
    flat = [jax.tree.structure(HostRows(of)) for of in (values, values, values.copy())]
    assert flat[0] == flat[1] != flat[2] and hash(flat[0]) == hash(flat[1])
    np.testing.assert_array_equal(np.asarray(HostRows(values)), values)
