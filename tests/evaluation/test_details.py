"""The numbers that explain a run, against the same worked out on the host from whole logits."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from d3gzsl_jax.data.scaling import Scaling, SplitArrays
from d3gzsl_jax.evaluation.details import Predictor, of_generator, of_predictors
from d3gzsl_jax.evaluation.evaluate import Evaluator
from d3gzsl_jax.evaluation.metrics import mean_over_classes, per_class_accuracy
from d3gzsl_jax.frameworks.synthesis import synthesize_classes
from d3gzsl_jax.keys import stream
from tests import small


@pytest.fixture(scope="module")
def case():
    problem = small.problem()
    classes, rng = problem.constants.classes, np.random.default_rng(3)
    seen, unseen = np.asarray(classes.seen), np.asarray(classes.unseen)
    rows = {name: rng.uniform(size=(n, 30)).astype(np.float32) for name, n in (("train", 10), ("seen", 41), ("unseen", 33))}
    labels = {"train": rng.choice(seen, 10), "seen": rng.choice(seen[:-1], 41), "unseen": rng.choice(unseen, 33)}
    arrays = SplitArrays(
        rows["train"], labels["train"], rows["seen"], labels["seen"], rows["unseen"], labels["unseen"],
        Scaling(np.ones(30), np.zeros(30), 1.0),
    )
    evaluator = Evaluator(arrays, seen, unseen, 16, True)
    student = Predictor(lambda params, x: 30.0 * problem.objective.student_logits(params, x), (problem.state.params,))
    teacher = Predictor(problem.objective.distillation.teacher.logits, (problem.constants.teacher,))
    return problem, arrays, of_predictors(evaluator, arrays, classes, {"student": student}, teacher), student, teacher


def test_separation_of_seen_and_unseen_rows(case):
    problem, arrays, found, student, teacher = case
    seen = np.asarray(problem.constants.classes.seen)
    features = np.concatenate([arrays.test_seen_features, arrays.test_unseen_features])
    truth = np.repeat([1, 0], [41, 33])
    of_student = np.asarray(student.logits(*student.params, features), np.float64)
    for name, logits in (("teacher", np.asarray(teacher.logits(*teacher.params, features), np.float64)), ("student", of_student[:, seen])):
        energy = np.log(np.exp(logits).sum(axis=1))
        scores = {"msp": logits.max(axis=1) - energy, "energy": energy, "max_logit": logits.max(axis=1)}
        if name == "student":
            scores["seen_mass"] = energy - np.log(np.exp(of_student).sum(axis=1))
        assert set(found["ood"][name]) == set(scores)
        for score, values in scores.items():
            assert found["ood"][name][score]["auroc"] == pytest.approx(roc_auc_score(truth, values), abs=2e-3), (name, score)
            assert found["ood"][name][score]["aupr"] == pytest.approx(average_precision_score(truth, values), abs=2e-3), (name, score)


def test_accuracies_confusion_and_calibration(case):
    problem, arrays, found, student, _ = case
    classes = problem.constants.classes
    groups = {"seen": np.asarray(classes.seen), "unseen": np.asarray(classes.unseen)}
    for split, other in (("seen", "unseen"), ("unseen", "seen")):
        features, labels = getattr(arrays, f"test_{split}_features"), getattr(arrays, f"test_{split}_labels")
        logits = np.asarray(student.logits(*student.params, features), np.float64)
        predicted = logits.argmax(axis=1)
        confidence = np.exp(logits.max(axis=1)) / np.exp(logits).sum(axis=1)
        assert found["accuracy"]["student"][f"micro_{split}"] == pytest.approx(np.mean(predicted == labels))
        macro = mean_over_classes(per_class_accuracy(predicted, labels, groups[split]))
        assert found["accuracy"]["student"][f"macro_{split}"] == pytest.approx(macro)
        assert found["confusion"]["student"][f"{split}_as_{other}"] == pytest.approx(np.mean(np.isin(predicted, groups[other])))
        error = sum(
            abs((predicted == labels)[inside].sum() - confidence[inside].sum())
            for b in range(15)
            if (inside := (confidence > b / 15) & (confidence <= (b + 1) / 15)).any()
        )
        assert found["calibration_error"]["student"][split] == pytest.approx(error / len(labels), abs=1e-5)


def test_quality_of_the_generator(case):
    problem, arrays, *_ = case
    found = of_generator(problem.objective.framework, problem.state.params, arrays, problem.constants.classes, jax.random.key(0))
    assert set(found) == {"frechet", "nearest_real_class", "diversity"}
    assert found["frechet"] > 0 and 0 <= found["nearest_real_class"] <= 1 and found["diversity"] > 0


def test_without_teacher_or_predictors(case):
    problem, arrays, *_ = case
    classes = problem.constants.classes
    evaluator = Evaluator(arrays, np.asarray(classes.seen), np.asarray(classes.unseen), 16, True)
    assert of_predictors(evaluator, arrays, classes, {}, None) == {"ood": {}, "confusion": {}, "accuracy": {}, "calibration_error": {}}


def of_logits(seen_rows, unseen_rows):
    """Details of two predictors by name, on rows that are their own logits (n, 12); the second one's are negated."""
    classes = small.problem().constants.classes
    seen, unseen = np.asarray(classes.seen), np.asarray(classes.unseen)
    rows = [np.asarray(x, np.float32) for x in (seen_rows, unseen_rows)]
    labels = [np.resize(ids, len(x)).astype(np.int32) for ids, x in zip((seen, unseen), rows, strict=True)]
    arrays = SplitArrays(
        rows[0], labels[0], rows[0], labels[0], rows[1], labels[1], Scaling(np.ones(12), np.zeros(12), 1.0)
    )  # fmt: skip
    predictors = {"student": Predictor(lambda sign, x: sign * x, (1.0,)), "classifier": Predictor(lambda sign, x: sign * x, (-1.0,))}
    return of_predictors(Evaluator(arrays, seen, unseen, 7, True), arrays, classes, predictors, None), classes


def test_every_score_of_every_predictor_exactly(rng):
    """Well-spread logits, so that rounding swaps no rows."""
    rows = [3.0 * rng.normal(size=(n, 12)).astype(np.float32) for n in (45, 37)]
    found, classes = of_logits(*rows)
    seen, truth = np.asarray(classes.seen), np.repeat([1, 0], [45, 37])
    assert set(found["ood"]) == {"student", "classifier"}
    for name, sign in (("student", 1.0), ("classifier", -1.0)):
        logits = sign * np.concatenate(rows).astype(np.float64)
        energy, total = (np.log(np.exp(x).sum(axis=1)) for x in (logits[:, seen], logits))
        top = logits[:, seen].max(axis=1)
        for score, values in {"msp": top - energy, "energy": energy, "max_logit": top, "seen_mass": energy - total}.items():
            fpr, tpr, _ = roc_curve(truth, values, drop_intermediate=False)
            assert found["ood"][name][score] == pytest.approx({
                "auroc": roc_auc_score(truth, values), "aupr": average_precision_score(truth, values),
                "fpr_at_95": fpr[np.argmax(tpr >= 0.95 - 1e-9)],
            })  # fmt: skip


def test_seen_mass_ranks_rows_whose_probability_rounds_to_one():
    classes = small.problem().constants.classes
    seen = np.asarray(classes.seen)
    # Unseen classes weigh exp(-40) and less against seen ones: float32 cannot tell their sum from the seen classes' alone.
    logits = lambda tops: np.where(np.isin(np.arange(12), seen), np.asarray(tops)[:, None], 0.0)  # noqa: E731
    found, _ = of_logits(logits([50.0, 60.0, 70.0]), logits([40.0, 45.0]))
    assert found["ood"]["student"]["seen_mass"] == {"auroc": 1.0, "aupr": 1.0, "fpr_at_95": 0.0}


def test_quality_of_the_generator_by_hand(case):
    """Only classes with test rows are synthesized; each one's 100 rows are compared with its own real rows."""
    problem, arrays, *_ = case
    classes, framework, root = problem.constants.classes, problem.objective.framework, jax.random.key(4)
    kept = np.isin(arrays.test_unseen_labels, np.asarray(classes.unseen)[1:])
    real, labels = arrays.test_unseen_features[kept], arrays.test_unseen_labels[kept]
    arrays = dataclasses.replace(arrays, test_unseen_rows=real, test_unseen_labels=labels)
    found = of_generator(framework, problem.state.params, arrays, classes, root)
    tested = np.unique(labels)
    rows = synthesize_classes(
        framework, problem.state.params, stream(root, "details"), classes.semantics, jnp.asarray(tested, jnp.int32), 100
    )
    rows = np.asarray(rows, np.float64).reshape(len(tested), 100, 30)
    means = np.stack([real[labels == c].mean(axis=0, dtype=np.float64) for c in tested])
    frechet, hits, ratios = [], [], []
    for i, c in enumerate(tested):
        mine = real[labels == c].astype(np.float64)
        one, other = (np.cov(x, rowvar=False) for x in (mine, rows[i]))
        # tr (C1 C2)^(1/2) from the eigenvalues of C1 C2, which are real and not negative.
        roots = np.sqrt(np.clip(np.linalg.eigvals(one @ other).real, 0.0, None)).sum()
        frechet.append(((means[i] - rows[i].mean(axis=0)) ** 2).sum() + np.trace(one) + np.trace(other) - 2.0 * roots)
        hits.append(np.mean(((rows[i][:, None] - means) ** 2).sum(axis=-1).argmin(axis=1) == i))
        ratios.append(rows[i].var(axis=0, ddof=1).mean() / mine.var(axis=0, ddof=1).mean())
    expected = {"frechet": np.mean(frechet), "nearest_real_class": np.mean(hits), "diversity": np.mean(ratios)}
    assert found == pytest.approx(expected, rel=1e-4)
