"""How a base method says what an outer step does: its draws, and how often each phase is gone through."""

import jax
import numpy as np
import pytest

from d3gzsl_jax.frameworks.schedule import Draw, Phase, Update, check_phases, new_batches, repeats
from d3gzsl_jax.keys import root_key
from d3gzsl_jax.training.draws import step_draws


@pytest.mark.parametrize(
    ("draw", "low", "high", "dtype"),
    [(Draw("normal", (3,)), -np.inf, np.inf, np.float32), (Draw("uniform"), 0, 1, np.float32), (Draw("uniform", (1,)), 0, 1, np.float32),
     (Draw("integers", (2, 2), high=5), 0, 5, np.int32), (Draw("integers", high=1), 0, 1, np.int32)],
)  # fmt: skip
def test_a_draw_has_its_kind_range_and_shape_of_a_row(draw, low, high, dtype):
    found = np.asarray(draw.sample(root_key(0), 3000))
    assert found.shape == (3000, *draw.shape) and found.dtype == dtype
    assert (found >= low).all() and (found < high).all()
    rows = found.reshape(3000, -1).astype(float)
    mean, deviation = {"normal": (0, 1), "uniform": (0.5, 12**-0.5), "integers": ((draw.high - 1) / 2, ((draw.high**2 - 1) / 12) ** 0.5)}[draw.kind]
    np.testing.assert_allclose(rows.mean(axis=0), mean, atol=0.1)
    np.testing.assert_allclose(rows.std(axis=0), deviation, atol=0.1)
    if draw.kind == "integers":
        assert set(found.ravel()) == set(range(draw.high))
    np.testing.assert_array_equal(found, draw.sample(root_key(0), 3000))


CRITIC = Phase("critic", (Update("critic", ("critic",)),), {"noise": Draw("normal", (2,)), "class": Draw("integers", (), 7)})
LAST = Phase("generator", (Update("generator", ("generator",)),), {"noise": Draw("normal", (2,))}, new_batch=False, repeats=9)
TWICE = Phase("warm", (Update("warm", ("warm",), distilled=False),), {"mix": Draw("uniform", (1,))}, repeats=2)
ONCE = Phase("only", (Update("only", ("only",)),), {}, repeats=1)


@pytest.mark.parametrize(
    ("phases", "n_critic", "counts", "batches"),
    [((CRITIC, LAST), 5, [5, 1], 5), ((TWICE, CRITIC, LAST), 3, [2, 3, 1], 5), ((ONCE,), 5, [1], 1), ((TWICE, LAST), 7, [2, 1], 2),
     ((CRITIC, CRITIC), 2, [2, 2], 4), ((CRITIC, LAST, ONCE), 1, [1, 1, 1], 2)],
)  # fmt: skip
def test_batches_of_a_step_and_back(phases, n_critic, counts, batches):
    assert [phase.count(n_critic) for phase in phases] == counts
    assert new_batches(phases, n_critic) == batches
    assert repeats(phases, batches) == counts


def test_a_phase_is_distilled_where_any_of_its_updates_is():
    both = Phase("both", (*TWICE.updates, *CRITIC.updates), {})
    assert (CRITIC.distilled, TWICE.distilled, both.distilled) == (True, False, True)


def test_the_draws_of_a_step_are_those_of_its_phases():
    """A leading axis over the repeats where each has a batch; D3's draws only where something is distilled; no two alike."""
    further = {"unseen_noise": Draw("normal", (4,))}
    of = lambda step: step_draws(root_key(0), step, (TWICE, CRITIC, LAST), 3, 6, further, 5)  # noqa: E731
    shapes = [{name: array.shape for name, array in phase.items()} for phase in of(0)]
    assert shapes == [
        {"mix": (2, 6, 1)}, {"noise": (3, 6, 2), "class": (3, 6), "unseen_noise": (3, 5, 4)}, {"noise": (6, 2), "unseen_noise": (5, 4)},
    ]  # fmt: skip
    rows = [row for step in (0, 1) for draws in of(step) for name in ("noise", "mix") for row in np.atleast_3d(draws.get(name, []))]
    assert len({row.tobytes() for row in rows if row.size}) == len([row for row in rows if row.size])
    jax.tree.map(np.testing.assert_array_equal, of(0), of(0))


@pytest.mark.parametrize(
    ("passes", "message"),
    [
        ([()], "pass 0: its first phase must have new batches"),
        ([(Phase("g", (Update("g", ("g",)),), {}, new_batch=False),)], "there is no last one yet"),
        ([(Phase("c", (), {}),)], "phase 'c' of pass 0 has no update"),
        ([(Phase("c", (Update("c", ("c",)),), {}, repeats=0),)], "phase 'c' of pass 0: repeats=0 needs"),
        ([(Phase("c", (Update("c", ("c",)),), {}),), (Phase("d", (Update("c", ("c",)),), {}),)], "names, batches and repeats must be the same"),
    ],
)  # fmt: skip
def test_phases_no_step_can_go_through_are_refused(passes, message):
    with pytest.raises(ValueError, match=message):
        check_phases(passes)


@pytest.mark.parametrize("draw", [("gamma",), ("normal", (), 3), ("integers", (), 0)])
def test_draws_that_mean_nothing_are_refused(draw):
    with pytest.raises(ValueError, match="expected one of normal, uniform, integers"):
        Draw(*draw)
