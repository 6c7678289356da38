"""A budget in outer steps, and baselines by name: what is refused, and what follows from them."""

import pytest

from configs import own
from d3gzsl_jax.config import check
from d3gzsl_jax.config.budget import epochs_of_teacher, set_epochs, steps_of_epoch
from d3gzsl_jax.errors import UserError


def config(**fields):
    found = own.get_config()
    found.update_from_flattened_dict({name.replace("__", "."): value for name, value in fields.items()})
    return found


@pytest.mark.parametrize("rows", [10, 1000, 10**6])
def test_a_budget_is_the_same_for_any_number_of_rows(rows):
    assert steps_of_epoch(config(train__outer_steps=600, train__epochs=20), rows, 1) == 30


def test_without_a_budget_an_epoch_goes_over_the_rows():
    assert steps_of_epoch(config(train__outer_steps=0, train__batch_size=64), 100, 2) == 4


def test_another_number_of_epochs_leaves_their_length():
    found = config(train__outer_steps=600, train__epochs=20)
    set_epochs(found, 7)
    assert (found.train.epochs, found.train.outer_steps) == (7, 210) and steps_of_epoch(found, 5, 1) == 30
    found = config(train__outer_steps=0, train__epochs=20)
    set_epochs(found, 7)
    assert (found.train.epochs, found.train.outer_steps) == (7, 0)


@pytest.mark.parametrize(("rows", "epochs"), [(30, 500), (64, 500), (640, 50), (700, 50), (10**6, 1)])
def test_a_teacher_has_the_updates_of_its_budget_in_whole_epochs(rows, epochs):
    batch = min(rows, 64)
    assert epochs_of_teacher(30, 500, rows, batch) == epochs and epochs * (rows // batch) >= 500
    assert epochs_of_teacher(30, 0, rows, batch) == 30


def test_small_data_of_ones_own_gets_the_same_updates():
    assert config().teacher.updates == own.TEACHER_UPDATES


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"train__outer_steps": 1030}, r"config.train.outer_steps=1030: .*epochs=60 equal parts; give --config.train.outer_steps=1020"),
        ({"train__outer_steps": 3}, "give --config.train.outer_steps=60"),
        ({"train__outer_steps": -100}, "config.train.outer_steps=-100: must be at least 0"),
        ({"teacher__updates": -1}, "config.teacher.updates=-1: must be at least 0"),
        ({"train__batch_size": 1}, "config.train.batch_size=1: a batch needs 2 rows"),
        ({"eval__baselines": "ezsl"}, "config.eval.baselines='ezsl': 'ezsl' is none; .*; did you mean 'eszsl'"),
        (
            {"eval__selection": "last", "eval__prediction": "student", "eval__calibration": "none"},
            "config.eval.baselines=.*give selection='validation'",
        ),
        (
            {"eval__selection": "last", "eval__prediction": "student"},
            "config.eval.calibration='folds' and config.eval.selection='last': there are no folds .*; give selection='validation', or",
        ),
    ],
)
def test_what_is_refused(fields, message):
    with pytest.raises(UserError, match=message):
        check.check(config(**fields))


def test_passes_share_an_epoch_evenly():
    with pytest.raises(UserError, match=r"config.train.outer_steps=180: 3 for each .* in 2 passes; give a multiple of 120"):
        steps_of_epoch(config(train__outer_steps=180), 10, 2)


def test_baselines_are_names_each_once():
    assert check.baselines(config(eval__baselines=" eszsl, clip ,eszsl")) == ("eszsl", "clip")
    assert check.baselines(config(eval__baselines="")) == ()
