"""The numbers that explain a run, against the same worked out on the host from whole logits."""

import jax
import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from d3gzsl_jax.data.preprocess import Scaling, SplitArrays
from d3gzsl_jax.evaluation.details import Predictor, of_generator, of_predictors
from d3gzsl_jax.evaluation.evaluate import Evaluator
from d3gzsl_jax.evaluation.metrics import mean_over_classes, per_class_accuracy
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
