import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from d3gzsl_jax.evaluation import metrics


def test_per_class_accuracy_and_its_rule_for_empty_classes():
    predicted, labels = np.array([0, 0, 2, 2, 5]), np.array([0, 1, 2, 2, 2])
    accuracy = metrics.per_class_accuracy(predicted, labels, np.array([0, 1, 2, 9]))
    np.testing.assert_allclose(accuracy, [1.0, 0.0, 2 / 3, np.nan])
    assert metrics.mean_over_classes(accuracy) == pytest.approx((1 + 0 + 2 / 3) / 3)


def test_mean_over_no_class_is_nan():
    assert np.isnan(metrics.mean_over_classes(np.array([np.nan])))
    assert np.isnan(metrics.mean_over_classes(np.array([])))


def test_rows_of_other_classes_do_not_count():
    accuracy = metrics.per_class_accuracy(np.array([1, 1]), np.array([1, 3]), np.array([1]))
    np.testing.assert_allclose(accuracy, [1.0])


@pytest.mark.parametrize(("u", "s", "h"), [(0.5, 0.5, 0.5), (0.0, 0.9, 0.0), (0.0, 0.0, 0.0), (0.4, 0.8, 0.64 / 1.2)])
def test_harmonic_mean(u, s, h):
    assert metrics.harmonic_mean(u, s) == pytest.approx(h)


def test_harmonic_mean_of_nan_is_nan():
    assert np.isnan(metrics.harmonic_mean(float("nan"), 0.5))


@pytest.mark.parametrize("seed", range(20))
def test_auroc_and_fpr_against_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    positive = np.round(rng.normal(1, 1, rng.integers(3, 60)), 1)  # rounding makes ties
    negative = np.round(rng.normal(0, 1, rng.integers(3, 60)), 1)
    truth, scores = np.r_[np.ones(len(positive)), np.zeros(len(negative))], np.r_[positive, negative]
    assert metrics.auroc(positive, negative) == pytest.approx(roc_auc_score(truth, scores))
    fpr, tpr, _ = roc_curve(truth, scores, drop_intermediate=False)
    assert metrics.fpr_at_tpr(positive, negative) == pytest.approx(fpr[np.argmax(tpr >= 0.95 - 1e-9)])


def test_auroc_without_rows_is_nan():
    assert np.isnan(metrics.auroc(np.array([]), np.array([1.0])))
    assert np.isnan(metrics.fpr_at_tpr(np.array([1.0]), np.array([])))


@pytest.mark.parametrize("decimals", [0, 1, 8])
def test_aupr_is_average_precision(rng, decimals):
    positive, negative = np.round(rng.normal(0.5, 1, 70), decimals), np.round(rng.normal(0, 1, 110), decimals)
    expected = average_precision_score(np.repeat([1, 0], [70, 110]), np.concatenate([positive, negative]))
    assert metrics.aupr(positive, negative) == pytest.approx(expected, abs=1e-12)


def test_aupr_of_separated_scores_is_one():
    assert metrics.aupr(np.array([2.0, 3.0]), np.array([0.0, 1.0])) == 1.0
    assert np.isnan(metrics.aupr(np.array([]), np.array([1.0])))


def test_calibration_error_by_hand(rng):
    confidence, correct = rng.uniform(size=200), rng.uniform(size=200) < 0.5
    confidence[:3] = (0.0, 1.0, 0.2)
    total = 0.0
    for b in range(10):
        inside = (confidence > b / 10) & (confidence <= (b + 1) / 10) | ((confidence == 0) & (b == 0))
        if inside.any():
            total += inside.sum() / 200 * abs(correct[inside].mean() - confidence[inside].mean())
    assert metrics.calibration_error(confidence, correct, bins=10) == pytest.approx(total, abs=1e-12)
    assert metrics.calibration_error(np.ones(5), np.ones(5, bool)) == 0.0
    assert np.isnan(metrics.calibration_error(np.zeros(0), np.zeros(0, bool)))


def test_harmonic_means_are_those_of_pairs(rng):
    unseen, seen = rng.uniform(size=9), rng.uniform(size=9)
    unseen[0] = seen[0] = 0.0
    unseen[1] = np.nan
    found = metrics.harmonic_means(unseen, seen)
    np.testing.assert_array_equal(found, [metrics.harmonic_mean(u, s) for u, s in zip(unseen, seen, strict=True)])
    assert found[0] == 0.0 and np.isnan(found[1])
