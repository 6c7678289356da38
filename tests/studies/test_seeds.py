"""Seeds trained together are the seeds trained alone."""

import gc
import io
import json
import signal
import weakref

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rich.console import Console

from configs import digits
from d3gzsl_jax import train as train_module
from d3gzsl_jax.errors import DivergenceError, Terminated, UserError
from d3gzsl_jax.runs.display import Display
from d3gzsl_jax.runs.journal import Journal
from d3gzsl_jax.runs.run import Run
from d3gzsl_jax.studies import seeds as seeds_module
from d3gzsl_jax.studies.seeds import interval, summary, train_seeds
from d3gzsl_jax.studies.start import train_on
from d3gzsl_jax.training.states import States
from tools.robustness.kills import difference

pytestmark = pytest.mark.slow

SEEDS = (3, 0)


def config(**fields):
    found = digits.get_config()
    found.train.epochs, found.teacher.epochs, found.eval.every_epochs, found.classifier.epochs = 2, 2, 1, 2
    found.log.report, found.checkpoint.every_minutes, found.train.steps_per_call = False, 0.0, 8
    found.data.pipeline = "device"
    found.update_from_flattened_dict({name.replace("__", "."): value for name, value in fields.items()})
    return found


def quiet():
    return Display(Console(quiet=True))


def together(data, folder, said=None, **fields):
    display = quiet()
    if said is not None:
        display.say = said.append
    return train_seeds(config(**{"seeds": SEEDS} | fields), str(folder), display, data=data)


def alone(data, folder, seed, **fields):
    return train_on(data, config(seed=seed, **fields), str(folder), quiet())


@pytest.fixture(scope="module")
def finished(data, tmp_path_factory):
    """Both, each way: the folder of seeds together, and of each alone."""
    root = tmp_path_factory.mktemp("runs")
    content = together(data, root / "joint")
    return root, content, {seed: alone(data, root / f"alone-{seed}", seed) for seed in SEEDS}


@pytest.mark.optimized
def test_mapped_seeds_leave_the_bits_of_each_alone(finished):
    root, _, _ = finished
    for seed in SEEDS:
        assert difference(root / f"alone-{seed}", root / "joint" / f"seed-{seed}") is None


def test_results_hold_each_seed_and_statistics_of_all(finished):
    root, content, single = finished
    written = json.loads((root / "joint" / "results.json").read_text())
    assert written["seeds"] == list(SEEDS) and "seed" not in written and not written["interrupted"]
    assert [one["seed"] for one in written["runs"]] == list(SEEDS)
    for one in written["runs"]:
        for name, metrics in single[one["seed"]]["predictions"].items():
            assert one["predictions"][name] == metrics["metrics"]
        assert one["predictions"]["result"] == single[one["seed"]]["metrics"]
    for name in ("student", "classifier", "result"):
        for key in ("unseen", "seen", "harmonic", "zsl"):
            values = np.array([one["predictions"][name][key] for one in written["runs"]])
            assert content["mean"][name][key] == pytest.approx(values.mean())
            assert content["std"][name][key] == pytest.approx(values.std(ddof=1))
            assert np.isnan(content["interval95"][name][key])  # of two seeds there is none


def test_one_seed_has_no_spread(finished):
    _, content, single = finished
    console = Console(record=True, width=200)
    shown = lambda of: (seeds_module._show(of, Display(console)), console.export_text())[1]  # noqa: E731
    of_one = shown(summary([single[SEEDS[0]] | {"digests": {}}]))
    student = single[SEEDS[0]]["predictions"]["student"]["metrics"]
    row = next(line for line in of_one.splitlines() if "student" in line)
    assert f" {100 * student['harmonic']:.1f} " in row and "nan" not in of_one and "±" not in of_one and "95 %" not in of_one
    of_two = shown(content)
    assert of_two.count("±") > 4 and "nan" not in of_two and "95 %" not in of_two
    of_three = shown(summary([of | {"digests": {}} for of in (*single.values(), single[SEEDS[0]])]))
    assert of_three.count("95 %") > 2 and "nan" not in of_three


@pytest.mark.parametrize(("selections", "ended"), [(("folds only", "validation"), False), (("folds only", "folds only"), True)])
def test_figures_of_folds_and_of_test_rows_are_not_averaged(data, tmp_path, monkeypatch, finished, selections, ended):
    """Seeds that are interrupted where some have ended, as validation chose other epochs for them."""
    _, _, single = finished
    runs = [(tmp_path, single[seed] | {"selection": rule, "interrupted": rule == "folds only"}) for seed, rule in zip(SEEDS, selections, strict=True)]
    monkeypatch.setattr(seeds_module, "train_runs", lambda *_: runs)
    if ended:
        assert together(data, tmp_path / "joint")["interrupted"]
    else:
        with pytest.raises(KeyboardInterrupt):
            together(data, tmp_path / "joint")
    assert (tmp_path / "joint" / "results.json").exists() == ended


@pytest.mark.parametrize(("first", "second"), [((2, False), (1, True)), ((1, True), (2, True)), ((1, True), (1, False))])
def test_a_seed_that_was_stopped_is_not_averaged_with_one_that_came_further(data, tmp_path, monkeypatch, finished, first, second):
    """As where memory holds one seed at a time, and ctrl-C comes in the second program; or others have finished before."""
    _, _, single = finished
    states = dict(zip(SEEDS, (first, second), strict=True))
    runs = {seed: (tmp_path, single[seed] | {"epochs": epochs, "interrupted": of}) for seed, (epochs, of) in states.items()}
    monkeypatch.setattr(seeds_module, "train_runs", lambda data, starts, *_: [runs[start.config.seed] for start in starts])
    for at_once in (1, 2):
        with pytest.raises(KeyboardInterrupt):
            together(data, tmp_path / f"joint-{at_once}", parallel__seeds=at_once)
        assert not (tmp_path / f"joint-{at_once}" / "results.json").exists()


def test_seeds_that_were_stopped_together_are_called_so(finished):
    _, _, single = finished
    console = Console(width=160, record=True, quiet=False, file=io.StringIO())
    runs = [single[seed] | {"epochs": 1, "interrupted": True, "digests": {}} for seed in SEEDS]
    seeds_module._show(summary(runs), Display(console))
    assert "seeds 3, 0, percent, interrupted after epoch 1" in console.export_text()


def test_an_interval_by_hand():
    mean, std, half = interval([1.0, 2.0, 4.0, 5.0])
    assert (mean, std, half) == pytest.approx((3.0, np.sqrt(10 / 3), 3.182446 * np.sqrt(10 / 3) / 2))
    assert interval([2.0])[0] == 2.0 and np.isnan(interval([2.0])[1:]).all()


@pytest.mark.optimized
def test_seeds_go_on_together_to_the_same_bits(data, tmp_path, finished, monkeypatch):
    """Ctrl-C and SIGTERM stop all at one step; and a list that grows trains what is new."""
    root, whole, _ = finished
    plain = Display.advance

    def stop_by(number):
        def advance(self, units):
            plain(self, units)
            if self.progress.total > 20 and self.progress.done >= 20:
                signal.raise_signal(number)

        return advance

    with monkeypatch.context() as patch:
        patch.setattr(Display, "advance", stop_by(signal.SIGTERM))
        with pytest.raises(Terminated, match=r"SIGTERM: stopped after outer step \d+; saved .*seed-3.*seed-0"):
            together(data, tmp_path / "joint")
    assert len({tuple(sorted(path.name for path in (tmp_path / "joint" / f"seed-{seed}" / "checkpoints").iterdir())) for seed in SEEDS}) == 1
    with monkeypatch.context() as patch:
        patch.setattr(Display, "advance", stop_by(signal.SIGINT))
        assert together(data, tmp_path / "joint")["interrupted"]
    said = []
    assert together(data, tmp_path / "joint", said)["mean"] == whole["mean"]
    assert sum("going on from outer step" in line for line in said) == 2
    for seed in SEEDS:
        assert difference(root / f"alone-{seed}", tmp_path / "joint" / f"seed-{seed}") is None
    grown = together(data, tmp_path / "joint", said, seeds=(3, 0, 5), parallel__seeds=2)
    assert grown["seeds"] == [3, 0, 5] and grown["runs"][:2] == whole["runs"]
    assert sum("finished already" in line for line in said) == 2


@pytest.mark.optimized
def test_seeds_at_different_steps_go_on_all_the_same(data, tmp_path, finished, monkeypatch):
    """A process killed while the second seed's checkpoint had not been written."""
    root, whole, _ = finished

    class Killed(Exception):
        pass

    plain = Run.checkpoint

    def checkpoint(self, state, tally, at, *arguments, **options):
        if at >= 16 and self.settings.seed == SEEDS[1]:
            raise Killed
        return plain(self, state, tally, at, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Run, "checkpoint", checkpoint)
        with pytest.raises(Killed):
            together(data, tmp_path / "joint")
    assert together(data, tmp_path / "joint")["mean"] == whole["mean"]
    for seed in SEEDS:
        assert difference(root / f"alone-{seed}", tmp_path / "joint" / f"seed-{seed}") is None


def test_validation_is_each_seeds_own(data, tmp_path):
    """Folds are trained on jointly, what is chosen is each seed's; the retrained runs may end at different epochs."""
    fields = {"eval__selection": "validation", "eval__prediction": "auto", "train__epochs": 3}
    content = together(data, tmp_path / "joint", **fields)
    for index, seed in enumerate(SEEDS):
        single = alone(data, tmp_path / f"alone-{seed}", seed, **fields)
        files = [json.loads((path / "validation.json").read_text()) for path in (tmp_path / f"alone-{seed}", tmp_path / "joint" / f"seed-{seed}")]
        assert files[0]["choices"] == files[1]["choices"] and files[0]["curves"] == files[1]["curves"]
        assert content["runs"][index]["epochs"] == single["epochs"]
        assert content["runs"][index]["predictions"]["result"] == single["metrics"]
        calibrated = content["runs"][index]["predictions"][f"{single['prediction']}, calibrated"]
        assert calibrated["harmonic"] == single["calibrated"]["harmonic"]
        assert difference(tmp_path / f"alone-{seed}", tmp_path / "joint" / f"seed-{seed}") is None


def test_a_breakdown_names_the_seed(data, tmp_path):
    with pytest.raises(DivergenceError, match=r"seed 3: training stopped at outer step 0, .*; there is no checkpoint yet"):
        together(data, tmp_path / "joint", guards__loss_limit=0.3)


@pytest.mark.optimized
def test_seeds_beside_one_that_breaks_down_are_saved(data, tmp_path, finished, monkeypatch):
    """And go on without it to the bits of each alone."""
    root, _, _ = finished
    plain, fields = States.tally_of, {"checkpoint__every_minutes": 1e3}

    def tally_of(self, index):
        found = plain(self, index)
        return found.replace(bad_step=jnp.int32(self.step - 1)) if index == 0 and self.step >= 24 else found

    with monkeypatch.context() as patch:
        patch.setattr(States, "tally_of", tally_of)
        patch.setattr(States, "all_good", lambda self: self.step < 24)
        said = r"^seed 3: training stopped at outer step 23, .*; there is no checkpoint yet; leave seed 3 out of config.seeds to go on with the others$"
        with pytest.raises(DivergenceError, match=said):
            together(data, tmp_path / "joint", **fields)
    steps = lambda seed: [path.name for path in (tmp_path / "joint" / f"seed-{seed}").glob("checkpoints/*")]  # noqa: E731
    assert steps(3) == [] and steps(0) == ["24"]
    said = []
    together(data, tmp_path / "joint", said, seeds=(0,))
    assert any("going on from outer step 24" in line for line in said)
    assert difference(root / "alone-0", tmp_path / "joint" / "seed-0") is None


def test_a_seed_whose_end_breaks_down_keeps_no_other_from_being_concluded(data, tmp_path, monkeypatch):
    plain = Journal.finish

    def finish(self, *arguments):
        if self._settings.seed == SEEDS[0]:
            raise DivergenceError("the final classifier broke down")
        return plain(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "finish", finish)
        with pytest.raises(DivergenceError, match=r"^seed 3: the final .*checkpoints/32; leave seed 3 out of config.seeds to go on with the others$"):
            together(data, tmp_path / "joint")
    results = json.loads((tmp_path / "joint" / "seed-0" / "results.json").read_text())
    assert results["concluded"] and not json.loads((tmp_path / "joint" / "seed-3" / "results.json").read_text())["concluded"]
    assert together(data, tmp_path / "joint", seeds=(0,))["runs"][0]["predictions"]["result"] == results["metrics"]


def test_what_a_seed_begins_with_is_on_the_device_once(data, tmp_path, monkeypatch):
    """What is stacked of all of them is not kept beside."""
    begin, outer_steps, begun, alive = train_module.begin, train_module._outer_steps, [], []

    def noted(*arguments):
        found = begin(*arguments)
        begun.extend(map(weakref.ref, jax.tree.leaves((found.state.params, found.state.opt_state, found.constants.rows.teacher))))
        return found

    def counted(*arguments):
        gc.collect()
        alive.append(sum(one() is not None for one in begun))
        return outer_steps(*arguments)

    monkeypatch.setattr(train_module, "begin", noted)
    monkeypatch.setattr(train_module, "_outer_steps", counted)
    together(data, tmp_path / "joint", train__epochs=1, teacher__epochs=1)
    assert len(begun) > 40 and alive == [0]


def test_chunks(data, monkeypatch):
    of = config(seeds=(0, 1, 2, 3, 4))
    chunks = lambda of: list(seeds_module._chunks(of, data, quiet()))  # noqa: E731
    need = seeds_module.bytes_of_seed(of, data)
    assert need > 4 * 4 * 3 * 128 * 64  # parameters and two moments of one embedding, at least
    monkeypatch.setattr(seeds_module, "free_memory", lambda: 10**12)
    assert chunks(of) == [(0, 1, 2, 3, 4)]
    monkeypatch.setattr(seeds_module, "free_memory", lambda: int(2.5 * need / seeds_module._SHARE))
    assert chunks(of) == [(0, 1), (2, 3), (4,)]
    monkeypatch.setattr(seeds_module, "free_memory", lambda: 0)
    assert len(chunks(of)) == 5
    of.parallel.seeds = 3
    assert chunks(of) == [(0, 1, 2), (3, 4)]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"seeds": (0, 0)}, "a seed is there twice"),
        ({"seeds": (0, -1)}, "-1 is no seed"),
        ({"seeds": (0, 1.5)}, "1.5 is no seed"),
        ({"data__pipeline": "stream"}, "sample rows on the device"),
        ({"parallel__seeds_as": "vmapp"}, "did you mean 'vmap'"),
        ({"parallel__seeds": -1}, "must be at least 0"),
    ],
)
def test_what_makes_no_sense_is_refused(data, tmp_path, fields, message):
    with pytest.raises(UserError, match=message):
        together(data, tmp_path / "joint", **fields)


def test_folders_of_one_run_and_of_several_are_told_apart(data, finished):
    root, _, _ = finished
    with pytest.raises(UserError, match="holds the run of one seed"):
        together(data, root / f"alone-{SEEDS[0]}")
    with pytest.raises(UserError, match="holds the runs of several seeds"):
        alone(data, root / "joint", 0)
    with pytest.raises(UserError, match=r"config.seeds=\(3, 0\): several seeds are trained by"):
        train_on(data, config(seeds=SEEDS), str(root / "other"), quiet())


def test_a_summary_of_runs_that_predict_by_different_things():
    def run(seed, prediction, gain):
        metrics = {"unseen": gain, "seen": 0.5, "harmonic": 0.4, "zsl": 0.3, "ausuc": 0.2}
        found = {"dataset": "d", "framework": "wgan", "distillation": True, "features": "f", "semantics": "s", "selection": "validation"}
        predictions = {name: {"metrics": metrics, "calibrated": {"selection": "validation", "gamma": gain, "harmonic": 0.5}} for name in ("student", "classifier")}
        return found | {"seed": seed, "epochs": 1, "prediction": prediction, "predictions": predictions, "metrics": metrics,
                        "interrupted": False, "digests": {}, "provenance": {}, "config": {}}  # fmt: skip

    found = summary([run(0, "student", 0.1), run(1, "classifier", 0.3)])
    assert found["prediction"] == ["student", "classifier"] and found["mean"]["result"]["unseen"] == pytest.approx(0.2)
    assert found["mean"]["student, calibrated"] == {"gamma": pytest.approx(0.2), "harmonic": 0.5}
