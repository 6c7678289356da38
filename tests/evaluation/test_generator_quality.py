"""Quality of synthesized rows against scipy's matrix root and loops over classes."""

import numpy as np
import pytest
import scipy.linalg

from d3gzsl_jax.evaluation.generator_quality import frechet_distance, quality


def brute_frechet(one, other):
    covariances = [np.cov(rows, rowvar=False) for rows in (one, other)]
    root = scipy.linalg.sqrtm(covariances[0] @ covariances[1])
    gap = one.mean(axis=0) - other.mean(axis=0)
    return float(gap @ gap + np.trace(covariances[0] + covariances[1] - 2.0 * np.real(root)))


def test_frechet_distance_against_the_matrix_root(rng):
    for rows in (30, 8):
        one, other = rng.normal(size=(rows, 5)), rng.normal(0.3, 2.0, size=(12, 5))
        assert frechet_distance(one, other) == pytest.approx(brute_frechet(one, other), rel=1e-8)


def test_frechet_distance_of_a_sample_to_itself_and_to_a_shifted_one(rng):
    rows = rng.normal(size=(6, 40))  # fewer rows than dimensions: singular covariances
    assert frechet_distance(rows, rows) == pytest.approx(0.0, abs=1e-10)
    assert frechet_distance(rows, rows + 2.0) == pytest.approx(160.0)
    assert frechet_distance(rows, 3.0 * (rows - rows.mean(axis=0)) + rows.mean(axis=0)) == pytest.approx(
        4.0 * np.var(rows, axis=0, ddof=1).sum()  # (3 - 1)^2 times the trace
    )


def test_means_over_classes_by_hand(rng):
    labels, made_labels = rng.integers(3, 7, 80), rng.integers(4, 8, 90)
    real, made = rng.normal(size=(80, 6)) + labels[:, None], rng.normal(size=(90, 6)) + made_labels[:, None]
    found = quality(real, labels, made, made_labels)
    both = (4, 5, 6)
    means = np.stack([real[labels == c].mean(axis=0) for c in both])
    hits, ratios, distances = [], [], []
    for i, c in enumerate(both):
        mine = made[made_labels == c]
        hits.append(np.mean([np.argmin(((means - row) ** 2).sum(axis=1)) == i for row in mine]))
        ratios.append(mine.var(axis=0, ddof=1).mean() / real[labels == c].var(axis=0, ddof=1).mean())
        distances.append(brute_frechet(real[labels == c], mine))
    assert found["nearest_real_class"] == pytest.approx(np.mean(hits))
    assert found["diversity"] == pytest.approx(np.mean(ratios))
    assert found["frechet"] == pytest.approx(np.mean(distances), rel=1e-8)


def test_classes_of_one_row_and_no_common_class(rng):
    rows = rng.normal(size=(3, 4))
    found = quality(rows, np.array([1, 2, 2]), rows, np.array([1, 1, 2]))
    assert np.isnan(found["frechet"]) and np.isnan(found["diversity"]) and found["nearest_real_class"] >= 0
    assert all(np.isnan(value) for value in quality(rows, np.array([1, 1, 2]), rows, np.array([3, 3, 3])).values())
