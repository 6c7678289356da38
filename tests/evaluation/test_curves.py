import numpy as np
import pytest

from d3gzsl_jax.evaluation import curves, metrics
from d3gzsl_jax.evaluation.curves import Best

SEEN, UNSEEN = np.array([1, 4, 6, 7]), np.array([0, 2, 9])


def best(logits):
    """Of logits (n, 10), by argmax."""
    seen, unseen = logits[:, SEEN], logits[:, UNSEEN]
    return Best(SEEN[seen.argmax(1)], seen.max(1), UNSEEN[unseen.argmax(1)], unseen.max(1))


def case(seed, rows=40):
    """Logits of test-seen and test-unseen rows with their labels; coarse, so that margins tie, and not of every class."""
    rng = np.random.default_rng(seed)
    found = []
    for classes in (SEEN[:3], UNSEEN[:2]):
        labels = rng.choice(classes, rng.integers(1, rows))
        found += [np.round(rng.normal(size=(len(labels), 10)) + 1.5 * np.eye(10)[labels], 1), labels]
    return found


def curve_of(logits_seen, labels_seen, logits_unseen, labels_unseen):
    return curves.trade_off(best(logits_seen), labels_seen, best(logits_unseen), labels_unseen, SEEN, UNSEEN)


def predicted(rows, gamma):
    return np.where(rows.seen_logit - rows.unseen_logit >= gamma, rows.seen_class, rows.unseen_class)


@pytest.mark.parametrize("seed", range(15))
def test_trade_off_is_what_every_gamma_gives_by_itself(seed):
    logits_seen, labels_seen, logits_unseen, labels_unseen = case(seed)
    curve = curve_of(logits_seen, labels_seen, logits_unseen, labels_unseen)
    assert (np.diff(curve["gamma"]) < 0).all() and 0.0 in curve["gamma"]
    for gamma, unseen, seen in zip(curve["gamma"], curve["unseen"], curve["seen"], strict=True):
        for value, logits, labels, classes in ((seen, logits_seen, labels_seen, SEEN), (unseen, logits_unseen, labels_unseen, UNSEEN)):
            accuracy = metrics.per_class_accuracy(predicted(best(logits), gamma), labels, classes)
            assert value == pytest.approx(metrics.mean_over_classes(accuracy), abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_trade_off_has_every_pair_that_any_gamma_gives(seed):
    rows = case(seed)
    curve = curve_of(*rows)
    pairs = np.stack([curve["unseen"], curve["seen"]], axis=1)
    for gamma in np.random.default_rng(seed).normal(0, 3, 50):
        u, s = (
            metrics.mean_over_classes(metrics.per_class_accuracy(predicted(best(rows[2 * i]), gamma), rows[2 * i + 1], classes))
            for i, classes in ((1, UNSEEN), (0, SEEN))
        )
        assert np.abs(pairs - [u, s]).max(axis=1).min() < 1e-12


@pytest.mark.parametrize("seed", range(5))
def test_ends_of_the_trade_off(seed):
    logits_seen, labels_seen, logits_unseen, labels_unseen = case(seed)
    curve = curve_of(logits_seen, labels_seen, logits_unseen, labels_unseen)
    assert curve["seen"][0] == 0.0 and curve["unseen"][-1] == 0.0
    among_unseen = metrics.per_class_accuracy(best(logits_unseen).unseen_class, labels_unseen, UNSEEN)
    among_seen = metrics.per_class_accuracy(best(logits_seen).seen_class, labels_seen, SEEN)
    assert curve["unseen"][0] == pytest.approx(metrics.mean_over_classes(among_unseen))  # T1
    assert curve["seen"][-1] == pytest.approx(metrics.mean_over_classes(among_seen))
    assert 0.0 <= curves.area(curve["unseen"], curve["seen"]) <= curve["unseen"][0] * curve["seen"][-1] + 1e-12


def rows_with_margins(classes, margins):
    """Rows that are right within their domain, with these margins of seen over unseen logits."""
    margins, other = np.asarray(margins, float), np.zeros(len(margins))
    if classes is SEEN:
        return Best(SEEN[:1].repeat(len(margins)), margins, UNSEEN[:1].repeat(len(margins)), other), SEEN[:1].repeat(len(margins))
    return Best(SEEN[:1].repeat(len(margins)), margins, UNSEEN[:1].repeat(len(margins)), other), UNSEEN[:1].repeat(len(margins))


def test_area_of_perfect_separation_is_1_and_of_none_one_half():
    apart = curves.trade_off(*rows_with_margins(SEEN, [2, 3, 4]), *rows_with_margins(UNSEEN, [-1, 0, 1]), SEEN, UNSEEN)
    assert curves.area(apart["unseen"], apart["seen"]) == pytest.approx(1.0)
    alike = curves.trade_off(*rows_with_margins(SEEN, np.arange(9)), *rows_with_margins(UNSEEN, np.arange(9)), SEEN, UNSEEN)
    assert curves.area(alike["unseen"], alike["seen"]) == pytest.approx(0.5)
    reversed_ = curves.trade_off(*rows_with_margins(SEEN, [-5]), *rows_with_margins(UNSEEN, [5]), SEEN, UNSEEN)
    assert curves.area(reversed_["unseen"], reversed_["seen"]) == pytest.approx(0.0)


def test_a_tie_goes_to_the_seen_class():
    seen, unseen = rows_with_margins(SEEN, [0.0]), rows_with_margins(UNSEEN, [0.0])
    curve = curves.trade_off(*seen, *unseen, SEEN, UNSEEN)
    at = curve["gamma"] == 0.0
    assert curve["seen"][at] == 1.0 and curve["unseen"][at] == 0.0
    np.testing.assert_array_equal(curves.confusion(seen[0], unseen[0]), [[1, 0], [1, 0]])


def test_a_domain_without_rows_has_no_accuracy():
    none = Best(*(np.zeros(0, int), np.zeros(0)) * 2)
    curve = curves.trade_off(none, np.zeros(0, int), *rows_with_margins(UNSEEN, [1.0, -1.0]), SEEN, UNSEEN)
    assert np.isnan(curve["seen"]).all() and curve["unseen"][0] == 1.0
    assert np.isnan(curves.area(curve["unseen"], curve["seen"]))
    both = curves.trade_off(none, np.zeros(0, int), none, np.zeros(0, int), SEEN, UNSEEN)
    assert len(both["gamma"]) == 2 and np.isnan(both["unseen"]).all()


def test_a_margin_that_is_not_finite_is_refused():
    rows, labels = rows_with_margins(SEEN, [np.nan])
    with pytest.raises(ValueError, match="finite"):
        curves.trade_off(rows, labels, rows, labels, SEEN, UNSEEN)


@pytest.mark.parametrize("limit", [3, 10, 1000])
def test_thinning_keeps_the_ends_and_gamma_0(limit):
    rng = np.random.default_rng(0)
    seen, unseen = rows_with_margins(SEEN, rng.normal(1, 1, 200)), rows_with_margins(UNSEEN, rng.normal(-1, 1, 200))
    curve = curves.trade_off(*seen, *unseen, SEEN, UNSEEN)
    thinned = curves.thin(curve, limit)
    assert len(thinned["gamma"]) <= limit and 0.0 in thinned["gamma"]
    for name, values in thinned.items():
        assert values[0] == curve[name][0] and values[-1] == curve[name][-1]
        assert np.isin(values, curve[name]).all()


@pytest.mark.parametrize("seed", range(5))
def test_confusion_counts_rows(seed):
    logits_seen, labels_seen, logits_unseen, labels_unseen = case(seed)
    counts = curves.confusion(best(logits_seen), best(logits_unseen))
    assert counts.shape == (2, 2) and counts.dtype.kind == "i"
    np.testing.assert_array_equal(counts.sum(axis=1), [len(labels_seen), len(labels_unseen)])
    taken = np.isin(predicted(best(logits_unseen), 0.0), SEEN).sum()
    assert counts[1, 0] == taken


def test_projection_onto_the_plane_that_holds_the_real_rows(rng):
    plane = np.linalg.qr(rng.normal(size=(7, 2)))[0].T
    flat = rng.normal(size=(300, 2)) * [3.0, 1.0]
    found = curves.project(flat @ plane + 5.0, np.arange(300), flat[:50] @ plane + 5.0, np.arange(50), limit=1000)
    assert found["projection/explained"].sum() == pytest.approx(1.0, abs=1e-6)
    assert found["projection/explained"][0] > 0.8
    np.testing.assert_array_equal(found["projection/real_labels"], np.arange(300))
    # The same rows land on the same points, and distances in the plane survive.
    np.testing.assert_allclose(found["projection/synthesized"], found["projection/real"][:50], atol=1e-4)
    distances = [np.linalg.norm(points[:1] - points, axis=1) for points in (found["projection/real"], flat)]
    np.testing.assert_allclose(*distances, rtol=1e-4, atol=1e-4)


def test_projection_is_a_seeded_subsample(rng):
    arguments = rng.normal(size=(90, 4)), np.arange(90), rng.normal(size=(70, 4)), np.arange(70)
    first, again, other = (curves.project(*arguments, limit=20, seed=seed) for seed in (1, 1, 2))
    for name, values in first.items():
        np.testing.assert_array_equal(values, again[name])
    assert first["projection/real"].shape == first["projection/synthesized"].shape == (20, 2)
    assert not np.array_equal(first["projection/real_labels"], other["projection/real_labels"])


@pytest.mark.parametrize("real", [np.zeros((0, 3)), np.ones((1, 3)), np.ones((5, 3)), np.arange(5.0)[:, None]])
def test_nothing_to_project_on(real):
    assert curves.project(real, np.zeros(len(real), int), np.ones((2, real.shape[1])), np.zeros(2, int)) == {}


def test_projection_without_synthesized_rows(rng):
    found = curves.project(rng.normal(size=(9, 3)), np.arange(9), np.zeros((0, 3)), np.zeros(0, int))
    assert found["projection/synthesized"].shape == (0, 2)
