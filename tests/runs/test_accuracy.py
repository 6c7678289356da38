"""What is known of rows to predict, and how good predictions of them are."""

import json

import numpy as np
import pytest

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs import accuracy
from d3gzsl_jax.runs.truth import truth_of

NAMES = ("polar bear", "cat", "Dog", "class 3")
UNSEEN = np.array([2, 3], np.int32)


def test_classes_are_known_by_names_as_folders_have_them_and_by_ids():
    found = truth_of(("polar_bear", "CAT", "Dog", "okapi", None, 3, 9), NAMES)
    assert found.ids.tolist() == [0, 1, 2, -1, -1, 3, -1]
    assert found.names == ("polar bear", "cat", "Dog", "okapi", "", "class 3", "class 9") and found.strangers == {"okapi": 1, "class 9": 1}
    assert np.isnan(found.ids_or_nan).tolist() == [False, False, False, True, True, False, True]
    assert found.part(2, 4).names == ("Dog", "okapi")
    assert truth_of(None, NAMES) is None and truth_of((None, None), NAMES) is None


def test_a_number_is_the_class_it_was_in_its_file_though_classes_were_left_out():
    """Without class 1 the ids of those after it are one less, and their names as they were."""
    left = ("class 0", "class 2", "class 3", "okapi")
    found = truth_of((0, 1, 2, 3, 4), left)
    assert found.ids.tolist() == [0, -1, 1, 2, -1] and found.strangers == {"class 1": 1, "class 4": 1}
    assert truth_of((2, 3), ("class 0", "class 1", "class 2", "okapi")).ids.tolist() == [2, 3]  # a class that was added
    assert truth_of((1, 2), ("cat", "dog", "okapi")).ids.tolist() == [1, 2]


def test_a_name_that_may_mean_two_classes_is_none_of_them_unless_it_is_exact():
    assert truth_of(("की", "?", "घोड़ा"), ("का", "+", "घोड़ा")).ids.tolist() == [-1, -1, 2]
    found = truth_of(("a b", "a_b", "A-B"), ("a b", "a-b"))
    assert found.ids.tolist() == [0, -1, -1]


def test_accuracies_are_means_over_classes_and_strangers_count_nowhere():
    truth = truth_of(("polar bear",) * 4 + ("cat", "Dog", "Dog", "okapi", None), NAMES)
    found = accuracy.accuracy_of(np.array([0, 0, 0, 3, 0, 2, 1, 1, 1]), truth, UNSEEN)
    assert (found.rows, found.right) == (7, 4)
    assert found.classes.tolist() == [0, 1, 2] and found.of_classes.tolist() == [0.75, 0, 0.5]
    assert (found.unseen, found.seen) == (0.5, 0.375) and found.harmonic == pytest.approx(2 * 0.5 * 0.375 / 0.875)
    assert found.predicted.tolist() == [0, 1, 2, 3] and found.confusion.tolist() == [[3, 0, 0, 1], [1, 0, 0, 0], [0, 1, 1, 0]]
    assert found.said() == "4 of 7 rows are recognised: U 50.0, S 37.5, H 42.9 percent"
    told = "the model does not know okapi: 1 picture, which count in no accuracy"
    assert accuracy.said_of_strangers(found.strangers, NAMES, "pictures") == told


def test_a_stranger_that_is_called_nearly_like_a_class_is_told_which():
    told = "the model does not know polar beer: 20 pictures, which count in no accuracy; did you mean 'polar bear'?"
    assert accuracy.said_of_strangers({"polar beer": 20}, NAMES, "pictures") == told
    several = accuracy.said_of_strangers({"okapi": 1, "polar beer": 2, "gato": 1, "dogs": 1, "class 9": 3}, NAMES)
    assert several.endswith("8 rows, which count in no accuracy; did you mean 'polar bear' by 'polar beer', 'Dog' by 'dogs'?")
    assert accuracy.meant(["okapi", "class 9"], NAMES) == ""  # another number is another class


def test_a_confusion_matrix_has_seen_classes_first_though_all_rows_are_of_unseen_ones():
    found = accuracy.accuracy_of(np.array([3, 2, 0]), truth_of((2, 2, 2), NAMES), np.array([2, 3]))
    assert found.classes.tolist() == [2] and found.predicted.tolist() == [0, 2, 3] and found.confusion.tolist() == [[1, 1, 1]]


def test_one_kind_of_class_has_no_harmonic_mean():
    found = accuracy.accuracy_of(np.array([2, 1]), truth_of((2, 2), NAMES), UNSEEN)
    assert np.isnan([found.seen, found.harmonic]).all() and found.unseen == found.by_class == 0.5
    assert found.said("pictures") == "1 of 2 pictures are recognised: accuracy, mean over classes 50.0 percent (unseen classes only)"
    assert accuracy.accuracy_of(np.array([2]), truth_of(("okapi",), NAMES), UNSEEN) is None


def test_the_file_of_accuracies(tmp_path):
    path = tmp_path / "a.json"
    accuracy.write_accuracy(accuracy.accuracy_of(np.array([2, 1]), truth_of((2, 2), NAMES), UNSEEN), NAMES, UNSEEN, path)
    found = json.loads(path.read_text())
    assert found["per_class"] == [{"class": 2, "name": "Dog", "seen": False, "rows": 2, "accuracy": 0.5}] and found["seen"] is None
    assert found["confusion"] == {"true": [2], "predicted": [1, 2], "rows": [[1, 1]]} and found["accuracy_of_rows"] == 0.5
    assert accuracy.output_file(path, "--accuracy") == path
    path.write_text('{"harmonic": 1}')
    with pytest.raises(UserError, match=r"--accuracy=.*a file is there that holds no accuracies of predictions"):
        accuracy.output_file(path, "--accuracy")
