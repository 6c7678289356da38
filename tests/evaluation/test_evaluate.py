"""The evaluator on networks whose every answer is known."""

import dataclasses
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
import pytest

from d3gzsl_jax.data.scaling import Scaling, SplitArrays
from d3gzsl_jax.distillation.objective import Objective
from d3gzsl_jax.distillation.teacher import Teacher
from d3gzsl_jax.distillation.terms import Distillation
from d3gzsl_jax.evaluation.evaluate import Evaluator
from d3gzsl_jax.frameworks.base import Sizes
from d3gzsl_jax.frameworks.wgan import WGAN

SEEN, UNSEEN = np.array([0, 2, 3]), np.array([1, 4])
TEACHER = Teacher(seen=3, embedding_width=5)


def dense(kernel):
    return {"kernel": jnp.asarray(kernel, jnp.float32), "bias": jnp.zeros(np.shape(kernel)[1])}


def evaluator(features_seen, labels_seen, features_unseen, labels_unseen, batch):
    """A student whose logits are its 5 input features, and a teacher whose logits are features 0, 2 and 3."""
    arrays = SplitArrays(
        np.zeros((1, 5), np.float32), np.zeros(1, np.int32), np.asarray(features_seen, np.float32),
        np.asarray(labels_seen, np.int32), np.asarray(features_unseen, np.float32), np.asarray(labels_unseen, np.int32),
        Scaling(np.ones(5), np.zeros(5), 1.0),
    )  # fmt: skip
    student = {
        "student_embedding": {"params": {"linear": dense(np.eye(5))}},
        "student_head": {"params": {"classifier": {"linear": dense(np.eye(5))}, "ood": {"linear": dense(np.zeros((5, 2)))}}},
    }
    teacher = {"embedding": {"params": {"linear": dense(np.eye(5))}}, "head": {"params": {"linear": dense(np.eye(5)[:, SEEN])}}}
    return Evaluator(arrays, SEEN, UNSEEN, batch, True), student, teacher


def one_hot(*classes, second=None):
    rows = np.eye(5)[list(classes)] * 4.0
    if second is not None:
        rows += np.eye(5)[list(second)] * 2.0
    return rows


# Test-seen rows: class 0 right and right, class 2 wrong (as the unseen 4), class 3 has no test row.
SEEN_ROWS = (one_hot(0, 0, 4), [0, 0, 2])
# Test-unseen rows: class 1 right, class 1 taken for the seen 0 (second best: 1), class 4 taken for 0 (second best: 1).
UNSEEN_ROWS = (one_hot(1, 0, 0, second=(0, 1, 1)), [1, 1, 4])


@pytest.mark.parametrize("batch", [1, 2, 3, 100])
def test_student(batch):
    tool, student, _ = evaluator(*SEEN_ROWS, *UNSEEN_ROWS, batch)
    distillation = Distillation(
        teacher=TEACHER, classes=5, embedding_width=5, n_syn=1, weight_cls=1.0, weight_od=1.0, weight_be=1.0, weight_kl=1.0
    )
    objective = Objective(WGAN(Sizes(features=5, semantics=1, noise=1, seen=3)), distillation)
    found = tool.predictor(objective.student_logits)(student)
    assert found.metrics["seen"] == pytest.approx((1.0 + 0.0) / 2)  # class 3 is left out
    assert found.metrics["unseen"] == pytest.approx((0.5 + 0.0) / 2)
    assert found.metrics["zsl"] == pytest.approx((1.0 + 0.0) / 2)  # among unseen classes only: 1, 1, 1
    assert found.metrics["harmonic"] == pytest.approx(2 * 0.5 * 0.25 / 0.75)
    np.testing.assert_allclose(found.per_class, [1.0, 0.5, 0.0, np.nan, 0.0])


def test_teacher():
    # Confident on test-seen rows, less so on test-unseen ones; the scores are max log_softmax of three logits.
    seen = one_hot(0, 2, 3, 0) * np.array([[1.0], [1.0], [1.0], [0.25]])
    unseen = one_hot(0, 2, 2) * np.array([[0.5], [0.0], [0.0]])
    tool, _, teacher = evaluator(seen, [0, 2, 3, 2], unseen, [1, 4, 4], 2)
    score = lambda top: top - np.log(np.exp(top) + 2)  # noqa: E731
    found = tool.teacher(TEACHER, teacher, threshold=float(score(1.5)))
    assert found["seen_accuracy"] == pytest.approx((1 + 0.5 + 1) / 3)
    assert found["id_accuracy"] == pytest.approx(3 / 4)  # tops 4, 4, 4, 1 against 1.5
    assert found["ood_accuracy"] == pytest.approx(2 / 3)  # tops 2, 0, 0
    assert found["auroc"] == pytest.approx((3 * 3 + 2) / 12)
    assert found["fpr_at_95"] == pytest.approx(1 / 3)  # the threshold that keeps all seen rows lets top 2 through


@dataclasses.dataclass(frozen=True)
class Scaled:
    """A model that notes when it is traced."""

    factor: float
    traces: ClassVar[list[float]] = []

    def logits(self, scale, features):
        self.traces.append(self.factor)
        return self.factor * scale * features


def test_predictors_of_equal_objects_are_compiled_once():
    """As the seeds of a run make theirs anew."""
    for _ in range(5):
        tool, *_ = evaluator(*SEEN_ROWS, *UNSEEN_ROWS, 2)
        found = tool.predictor(Scaled(2.0).logits)(jnp.float32(1.0))
    assert Scaled.traces == [2.0]
    assert found.metrics == tool.predictor(Scaled(3.0).logits)(jnp.float32(1.0)).metrics
    assert Scaled.traces == [2.0, 3.0]


class Halves:
    """A predictor of five logits, the features, and one of two, of the unseen classes, which are features 0 and 3."""

    def logits(self, features):
        return features

    def zsl_logits(self, features):
        return features[:, jnp.asarray([0, 3])]


@pytest.mark.parametrize("batch", [1, 2, 100])
def test_t1_by_logits_of_its_own(batch):
    """Test-unseen rows of the classes 1, 1 and 4 light the features 0, 3 and 3: 1 is right once of twice, 4 always. The rest is as
    without."""
    rows = one_hot(0, 3, 3), [1, 1, 4]
    tool, *_ = evaluator(*SEEN_ROWS, *rows, batch)
    halves = Halves()
    restricted, own = tool.predictor(halves.logits)(), tool.predictor(halves.logits, halves.zsl_logits)()
    assert own.metrics["zsl"] == pytest.approx(0.75) and restricted.metrics["zsl"] == pytest.approx(0.5)  # 1, 1, 1
    assert own.metrics | {"zsl": 0.0} == restricted.metrics | {"zsl": 0.0}
    np.testing.assert_array_equal(own.per_class, restricted.per_class)


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("seen", [SEEN_ROWS, (np.zeros((0, 5)), [])], ids=["seen rows", "no rows"])
def test_without_test_rows_of_unseen_classes(seen):
    tool, student, teacher = evaluator(*seen, np.zeros((0, 5)), [], 2)
    found = tool.predictor(lambda params, features: features)(student)
    known = 0.5 if len(seen[0]) else np.nan
    assert found.metrics["seen"] == pytest.approx(known, nan_ok=True)
    assert all(np.isnan(found.metrics[name]) for name in ("unseen", "harmonic", "zsl", "ausuc"))
    assert np.isnan(found.curve["unseen"]).all() and 0.0 in found.curve["gamma"]
    of_teacher = tool.teacher(TEACHER, teacher, -1.0)
    assert np.isnan(of_teacher["auroc"]) and np.isnan(of_teacher["ood_accuracy"])
