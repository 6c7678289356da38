"""A trained model by itself: it predicts what the run evaluated, survives saving, and learns new classes."""

import csv
import dataclasses
import json
import shutil
import zipfile

import chex
import filelock
import numpy as np
import pytest

from d3gzsl_jax import api as d3
from d3gzsl_jax import convert
from d3gzsl_jax.data.digits import read_digits
from d3gzsl_jax.main import main
from d3gzsl_jax.runs import torch_files
from d3gzsl_jax.runs.display import Display
from d3gzsl_jax.runs.model_commands import MODES, run_mode
from d3gzsl_jax.runs.predict_file import predict_file
from d3gzsl_jax.runs.reopen import evaluate, model_at, run_config
from d3gzsl_jax.runs.storage import lock
from d3gzsl_jax.system import compile_cache
from tests.conftest import ROOT

pytestmark = pytest.mark.slow

QUICK = {"train.epochs": 3, "teacher.epochs": 3, "classifier.epochs": 3, "log.report": False}
OPTIONS = {
    "workdir": "", "checkpoint": "", "data_root": "", "input": "", "output": "", "key": "", "representations": "", "top": 1, "predictor": "",
    "classes": "unseen", "count": 100, "seed": 0, "semantics": "", "images": "", "image_encoder": "", "bad": "refuse", "names": "", "gallery": "",
    "accuracy": "",
}  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A short digits run without the digit 9."""
    folder = tmp_path_factory.mktemp("runs") / "digits"
    overrides = QUICK | {"data.leave_out": "9"}
    config = d3.load_config(ROOT / "configs" / "digits.py", overrides)
    return d3.train(config, workdir=folder, overrides=overrides)


@pytest.fixture(scope="module")
def base_run(tmp_path_factory):
    """CE-GZSL alone."""
    folder = tmp_path_factory.mktemp("runs") / "base"
    config = d3.load_config(f"{ROOT / 'configs' / 'digits.py'}:base", QUICK | {"framework": "cegzsl"})
    return d3.train(config, workdir=folder)


@pytest.fixture(scope="module")
def data(run):
    return d3.load_data(run.model.config)


def mode(name, display=None, **given):
    run_mode(name, OPTIONS | MODES[name].defaults | {flag: str(value) if flag in ("workdir", "input", "output", "semantics") else value for flag, value in given.items()},
             display or Display())  # fmt: skip


def accuracies(run, data, predictor):
    found = {}
    for split, classes in (("unseen", data.unseen_classes), ("seen", data.seen_classes)):
        rows = getattr(data, f"test_{split}")
        hits = run.model.predict(data.features[rows], predictor=predictor).classes[:, 0] == data.labels[rows]
        found[split] = np.mean([hits[data.labels[rows] == label].mean() for label in classes])
    return found


@pytest.mark.parametrize("predictor", ["student", "classifier"])
def test_it_predicts_what_the_run_evaluated(run, data, predictor):
    expected = run.results["predictions"][predictor]["metrics"]
    assert accuracies(run, data, predictor) == pytest.approx({split: expected[split] for split in ("unseen", "seen")})


def test_a_base_method_predicts_by_its_classifier(base_run):
    data = d3.load_data(base_run.model.config)
    expected = base_run.results["metrics"]
    assert accuracies(base_run, data, "") == pytest.approx({split: expected[split] for split in ("unseen", "seen")})
    found = base_run.model.predict(data.features[:5])
    assert found.in_distribution is None and base_run.model.predictors == ("classifier",)
    with pytest.raises(d3.UserError, match="predictor 'student': this model has classifier"):
        base_run.model.predict(data.features[:5], predictor="student")


def test_probabilities_and_their_order(run, data):
    top = run.model.predict(data.features[:50], top=9)
    assert top.classes.shape == (50, 9) and np.all(np.diff(top.probabilities, axis=1) <= 0)
    np.testing.assert_allclose(top.probabilities.sum(axis=1), 1.0, atol=1e-5)
    seen = np.isin(top.classes, run.model.seen)
    np.testing.assert_allclose(np.where(seen, top.probabilities, 0).sum(axis=1), top.seen, atol=1e-5)
    assert np.all((top.in_distribution > 0) & (top.in_distribution <= 1))
    one = run.model.predict(data.features[:50])
    np.testing.assert_array_equal(one.classes[:, 0], top.classes[:, 0])
    assert run.model.predict(data.features[:0]).classes.shape == (0, 1)
    # However the rows are cut into chunks.
    pieces = [run.model.predict(data.features[:50][i : i + 7]) for i in range(0, 50, 7)]
    np.testing.assert_allclose(np.concatenate([piece.probabilities for piece in pieces]), one.probabilities, atol=1e-6)


@pytest.mark.parametrize(
    ("features", "options", "message"),
    [
        (np.zeros((3, 63)), {}, r"features of shape \(3, 63\): this model takes \(n, 64\)"),
        (np.full((3, 64), np.nan), {}, "row 0 is not finite"),
        (np.zeros((3, 64)), {"top": 10}, "top 10: must be from 1 to the 9 classes"),
        (np.zeros((3, 64)), {"predictor": "teacher"}, "predictor 'teacher': this model has student and classifier"),
    ],
)
def test_what_predict_refuses(run, features, options, message):
    with pytest.raises(d3.UserError, match=message):
        run.model.predict(features, **options)


@pytest.mark.parametrize("wished", [True, False])
def test_what_is_opened_says_whether_compiled_programs_are_kept(run, wished, tmp_path, monkeypatch):
    chosen = []
    monkeypatch.setattr(compile_cache, "_turn", chosen.append)
    monkeypatch.setattr(compile_cache, "_is_decided", False)
    config = run.model.config.copy_and_resolve_references()
    config.compile_cache = wished
    dataclasses.replace(run.model, config=config).save(tmp_path / "model")
    assert d3.load_model(tmp_path / "model").config.compile_cache is wished and chosen == [wished]
    content = json.loads((run.folder / "config.json").read_text()) | {"compile_cache": wished}
    (tmp_path / "config.json").write_text(json.dumps(content))
    run_config(tmp_path)  # which every command opens a run by
    assert chosen == [wished, wished]
    compile_cache.use(False)  # as training does
    d3.load_model(tmp_path / "model")
    assert chosen == [wished, wished, False]


def test_saved_and_loaded(run, data, tmp_path):
    run.model.save(tmp_path / "model")
    loaded = d3.load_model(tmp_path / "model")
    for one, other in zip(run.model.predict(data.features[:20], 3), loaded.predict(data.features[:20], 3), strict=True):
        np.testing.assert_array_equal(one, other)
    assert loaded.class_names == run.model.class_names and loaded.config.to_dict() == run.model.config.to_dict()
    with pytest.raises(d3.UserError, match="holds no saved model"):
        d3.load_model(tmp_path / "model" / "arrays")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (([10], 1), "classes: there is no class 10; ids go from 0 to 8"), (([-1], 1), "there is no class -1"),
        (([1.7], 1), "classes: need a list of class ids, whole numbers"), ((np.ones(9, bool), 1), "of a mask give np.flatnonzero"),
        (([[0, 1]], 1), "need a list of class ids"), (([[0], [1, 2]], 1), "need a list of class ids"), ((3, 1), "need a list of class ids"),
        ((["okapi"], 1), "need a list of class ids"), (([0], 1.5), "count=1.5: expected a whole number, 1 or more"),
        (([0], 0), "count=0: expected a whole number"), (([0], True), "count=True"), (([0], "3"), "count='3'"),
        (([0], 1, -1), "seed=-1: expected a whole number, 0 to 4294967295"), (([0], 1, 2**32), "seed=4294967296"),
        (([0], 1, 0.5), "seed=0.5"),
    ],
)  # fmt: skip
def test_what_cannot_be_synthesized_is_refused(run, given, message):
    for of in (run.model.synthesize, run.model.synthesized):
        with pytest.raises(d3.UserError, match=message):
            of(*given)


def test_ids_in_any_form_are_the_same_rows(run):
    rows = run.model.synthesize(np.array([3, 0]), 2)
    for ids, count in (([3, 0], 2), ((3, 0), np.int64(2)), (np.array([3, 0], np.uint8), np.uint8(2))):
        np.testing.assert_array_equal(run.model.synthesize(ids, count, np.int32(0)), rows)
    assert run.model.synthesize([], 2).shape == (0, 64)


def test_a_text_is_no_list_of_names(run, data):
    with pytest.raises(d3.UserError, match="names='okapi': is one text; give a name for each class"):
        run.model.add_classes(np.ones((5, data.semantic_size)), "okapi", data)


def test_rows_in_parts_are_the_rows_of_one_call(run, monkeypatch, tmp_path):
    """Neither where calls are cut, between classes or within one, nor the file changes a bit."""
    ids = np.array([3, 6, 0, 1, 8])
    for count in (7, 5003):
        whole = run.model.synthesize(ids, count)
        for size in (2**28, 2**22, 1):
            monkeypatch.setattr("d3gzsl_jax.frameworks.synthesis._PART_BYTES", size)
            parts = list(run.model.synthesized(ids, count))
            assert len(parts) > 1 or size > 1
            np.testing.assert_array_equal(np.concatenate(parts), whole) if count > 2048 or size > 1 else None
    mode("synthesize", workdir=run.folder, output=tmp_path / "s.npz", classes="3,6", count=5003)
    with np.load(tmp_path / "s.npz") as file:
        assert file["features"].dtype == np.float32 and set(file) == {"features", "labels", "class_names"}
        np.testing.assert_array_equal(file["features"], whole[: 2 * 5003])
        np.testing.assert_array_equal(file["labels"], np.repeat([3, 6], 5003))
        assert tuple(file["class_names"]) == run.model.class_names


def test_what_fits_no_disk_and_no_memory_is_refused_first(run, tmp_path):
    with pytest.raises(d3.UserError, match=r"--count=1000000000000000: the rows of 3 classes take up to .* are free"):
        mode("synthesize", workdir=run.folder, output=tmp_path / "s.npz", classes="3,6,0", count=10**15)
    assert not list(tmp_path.iterdir())
    with pytest.raises(d3.UserError, match="count 1000000000000: the rows of 1 classes need"):
        run.model.synthesize(np.array([3]), 10**12)
    np.save(tmp_path / "x.npy", np.zeros((2, 64), np.float32))
    with pytest.raises(d3.UserError, match="top 1000000000: must be from 1 to"):
        mode("predict", workdir=run.folder, input=tmp_path / "x.npy", output=tmp_path / "y.csv", top=10**9)
    assert not (tmp_path / "y.csv").exists()


def test_synthesized_rows_are_raw_and_depend_on_class_and_seed_only(run, data):
    rows = run.model.synthesize(np.array([3, 6]), 40)
    assert rows.shape == (80, 64) and rows.dtype == np.float32
    np.testing.assert_allclose(run.model.synthesize(np.array([6]), 40), rows[40:], atol=1e-4)
    assert np.abs(run.model.synthesize(np.array([3]), 40, seed=1) - rows[:40]).max() > 0.1
    assert rows.min() > -1 and rows.max() < 20 and rows.mean() > 0.5  # grey values go from 0 to 16
    scaled = run.model.scaling.apply(rows)
    np.testing.assert_allclose(run.model.scaling.invert(scaled), rows, atol=1e-4)


def test_a_class_added_after_training(run, data):
    """The digit 9 was left out; from its strokes alone the model tells it from chance, and forgets little."""
    whole = read_digits()
    grown = run.model.add_classes(whole.semantics[[9]], ("nine",), data)
    assert grown.class_names[9] == "nine" and grown.unseen.tolist() == [3, 6, 9] and grown.predictors == ("classifier",)
    assert len(run.model.class_names) == 9  # the old model is as it was
    before = run.model.classifier["params"]["linear"]["kernel"].shape
    assert before == (64, 9) and grown.classifier["params"]["linear"]["kernel"].shape == (64, 10)
    assert set(grown.predict(whole.features, top=10).classes.ravel().tolist()) == set(range(10))


def test_fitting_the_classifier_anew_gives_the_bits_of_the_run(run, data):
    again = run.model.fit_classifier(data)
    for name in ("kernel", "bias"):
        np.testing.assert_array_equal(again.classifier["params"]["linear"][name], run.model.classifier["params"]["linear"][name])


def test_a_classifier_fitted_anew_has_the_precision_of_the_run(tmp_path):
    """From a checkpoint, and with classes added: nobody says which precision, and the bits are the run's."""
    overrides = QUICK | {"precision": "bfloat16", "train.epochs": 1, "classifier.n_syn": 20, "data.leave_out": "9"}
    config = d3.load_config(f"{ROOT / 'configs' / 'digits.py'}:base", overrides)
    run = d3.train(config, workdir=tmp_path / "run", overrides=overrides)
    again = model_at(tmp_path / "run", "last", Display(quiet=True))
    chex.assert_trees_all_equal(again.classifier, run.model.classifier)
    data = d3.load_data(run.model.config)
    for classifier in (run.model.fit_classifier(data).classifier, _added(run.model, data).classifier):
        float32 = dataclasses.replace(run.model, config=d3.load_config(f"{ROOT / 'configs' / 'digits.py'}:base", overrides | {"precision": "float32"}))
        exact = float32.fit_classifier(data) if classifier["params"]["linear"]["bias"].shape == (9,) else _added(float32, data)
        assert np.abs(classifier["params"]["linear"]["kernel"] - exact.classifier["params"]["linear"]["kernel"]).max() > 0
    evaluate(tmp_path / "run", "last", Display(quiet=True))
    found = json.loads(next((tmp_path / "run").glob("evaluation-*.json")).read_text())
    assert found["predictions"]["classifier"]["metrics"] == run.results["predictions"]["classifier"]["metrics"]


def test_t1s_own_softmax_goes_with_the_model(tmp_path):
    """It is saved, fitted anew to the same bits, grows with the classes, and comes back from PyTorch's layout."""
    overrides = QUICK | {
        "train.epochs": 1, "classifier.n_syn": 20, "classifier.zsl": "own", "classifier.zsl_n_syn": 15, "data.leave_out": "9",
    }  # fmt: skip
    config = d3.load_config(f"{ROOT / 'configs' / 'digits.py'}:base", overrides)
    run = d3.train(config, workdir=tmp_path / "run", overrides=overrides)
    model, data = d3.load_model(tmp_path / "run"), d3.load_data(run.model.config)
    shape = lambda of: of.classifier["zsl"]["params"]["linear"]["kernel"].shape  # noqa: E731
    assert shape(model) == (64, 2) and shape(_added(model, data)) == (64, 3)
    chex.assert_trees_all_equal(model.classifier, model.fit_classifier(data).classifier, run.model.classifier)
    assert run.results["zsl_rule"] == {"classifier": "own"}
    evaluate(tmp_path / "run", "last", Display(quiet=True))
    found = json.loads(next((tmp_path / "run").glob("evaluation-*.json")).read_text())
    assert found["predictions"]["classifier"]["metrics"] == run.results["predictions"]["classifier"]["metrics"]
    assert found["zsl_rule"] == {"classifier": "own"}
    arrays = convert.dump(model)
    assert arrays["zsl/fc.weight"].shape == (2, 64)
    torch_files.write(tmp_path / "weights.npz", arrays)
    arrays = torch_files.read(tmp_path / "weights.npz", ("generator", "critic", "fc", "zsl"))
    chex.assert_trees_all_equal(convert.like_model("weights.npz", arrays, model).classifier, model.classifier)
    written = convert.write_run("weights.npz", arrays, config, tmp_path / "converted", Display(quiet=True))
    chex.assert_trees_all_equal(written.classifier, model.classifier)
    without = {key: array for key, array in arrays.items() if not key.startswith("zsl/")}
    assert "zsl" not in convert.like_model("weights.npz", without, model).classifier
    restricted = d3.train(d3.load_config(f"{ROOT / 'configs' / 'digits.py'}:base", overrides | {"classifier.zsl": "restricted"}), workdir=tmp_path / "r")
    differs = {name for name, value in run.results["metrics"].items() if restricted.results["metrics"][name] != value}
    assert differs == {"zsl"} and restricted.results["zsl_rule"] == {"classifier": "restricted"}


def _added(model, data):
    return model.add_classes(np.ones((1, model.semantics.shape[1]), np.float32), ("another",), data)


@pytest.mark.parametrize(
    ("semantics", "names", "message"),
    [
        (np.zeros((1, 20)), ("nine",), r"semantics of shape \(1, 20\) with 1 names: this model takes \(1, 21\)"),
        (np.zeros((1, 21)), ("0",), "class '0': the model knows a class of that name"),
        (np.full((1, 21), np.nan), ("nine",), "class 'nine' has a value that is not finite as float32, nan in dimension 0; repair"),
        (np.full((1, 21), 2e15), ("nine",), "class 'nine' has a value too large for float32 networks"),
    ],
)
def test_what_add_classes_refuses(run, data, semantics, names, message):
    with pytest.raises(d3.UserError, match=message):
        run.model.add_classes(semantics, names, data)


def test_new_classes_need_the_models_own_data(run):
    with pytest.raises(d3.UserError, match="not the data this model was trained on"):
        run.model.add_classes(np.zeros((1, 21)), ("nine",), read_digits())


def test_predictions_as_csv(run, data, tmp_path):
    np.save(tmp_path / "x.npy", data.features[:10].astype(np.float32))
    assert predict_file(run.model, tmp_path / "x.npy", tmp_path / "y.csv", Display(), top=2) == 10
    with open(tmp_path / "y.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    expected = run.model.predict(data.features[:10], top=2)
    assert [int(row["row"]) for row in rows] == list(range(10))
    assert [[int(row["class"]), int(row["class_2"])] for row in rows] == expected.classes.tolist()
    assert [row["name"] for row in rows] == [run.model.class_names[c] for c in expected.classes[:, 0]]
    for column, values in (("probability", expected.probabilities[:, 0]), ("probability_2", expected.probabilities[:, 1]),
                           ("seen_probability", expected.seen), ("in_distribution", expected.in_distribution)):  # fmt: skip
        np.testing.assert_allclose([float(row[column]) for row in rows], values, rtol=1e-4)


def test_predictions_have_names_and_fit_a_dataframe(run, base_run, data, tmp_path):
    found = run.model.predict(data.features[:10], top=2)
    assert found.names.shape == (10, 2) and found.names[3, 1] == run.model.class_names[found.classes[3, 1]]
    assert repr(found).startswith("Predictions(10 rows, top 2 of 9 classes; means: probability of the best class 0.")
    assert repr(run.model.predict(data.features[:0])) == "Predictions(no rows)" and "in_dist" not in repr(base_run.model.predict(data.features[:2]))
    assert run.model.predict(data.features[:0]).names.shape == (0, 1)
    pandas = pytest.importorskip("pandas")
    table = found.to_dataframe()
    np.save(tmp_path / "x.npy", data.features[:10].astype(np.float32))
    predict_file(run.model, tmp_path / "x.npy", tmp_path / "y.csv", Display(quiet=True), top=2)
    of_csv = pandas.read_csv(tmp_path / "y.csv", dtype={"name": str, "name_2": str})
    assert list(table) == list(of_csv) and table["name"].tolist() == of_csv["name"].tolist()
    np.testing.assert_allclose(table.select_dtypes("number"), of_csv.select_dtypes("number"), rtol=1e-5)
    assert base_run.model.predict(data.features[:3]).to_dataframe()["in_distribution"].isna().all()


def test_a_dataframe_without_pandas(run, data, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(d3.UserError, match=r"needs pandas, which is not installed: pip install .*\[dataframe\]'"):
        run.model.predict(data.features[:3]).to_dataframe()


def test_a_notebook_shows_lines_and_not_arrays(run, base_run, data):
    for shown, begin in (
        (run, "TrainedRun(wgan + D3 on digits-without-9, seed 0, 3 epochs: U "), (base_run, "TrainedRun(cegzsl without D3 on digits, seed 0, 3 epochs"),
        (data, "GZSLData(digits-without-9: features (1617, 64), semantics by class (9, 21); rows: trainval 1003, "),
        (run.model, "TrainedModel(wgan + D3 on digits-without-9: 64 features to 9 classes, 2 of them unseen; predicts by student or classifier"),
    ):
        assert repr(shown).startswith(begin) and len(repr(shown)) < 300 and "\n" not in repr(shown)


def test_results_hold_plain_numbers(run):
    def kinds(value):
        entries = value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ()
        return {type(value)}.union(*map(kinds, entries))

    assert kinds(run.results) <= {dict, list, tuple, str, int, float, bool, type(None)}


def test_no_name_is_a_formula_in_the_csv_of_predictions(run, data, tmp_path):
    np.save(tmp_path / "rows.npy", data.features[:20])
    odd = ("=1+1", "+x", "-x", "@x", "\tx", "\uff1d1", "-3", "a,=1", 'q"')
    model = dataclasses.replace(run.model, class_names=odd)
    predict_file(model, tmp_path / "rows.npy", tmp_path / "rows.csv", Display(quiet=True), top=9)
    rows = list(csv.reader((tmp_path / "rows.csv").read_text(encoding="utf-8").splitlines()))
    names = {rows[0].index("name"), *(place for place, heading in enumerate(rows[0]) if heading.startswith("name_"))}
    assert len(rows) == 21 and {len(row) for row in rows} == {len(rows[0])}
    found = {cell for row in rows[1:] for place, cell in enumerate(row) if place in names}
    assert found == {"'=1+1", "'+x", "'-x", "'@x", "x", "'\uff1d1", "-3", "a,=1", 'q"'}
    for row in rows[1:]:
        for place in set(range(len(row))) - names:
            float(row[place])  # numbers stay numbers


def test_a_bad_row_leaves_no_predictions(run, data, tmp_path):
    features = data.features[:10].astype(np.float32)
    features[7, 3] = np.nan
    np.save(tmp_path / "x.npy", features)
    with pytest.raises(d3.UserError, match="row 7"):
        predict_file(run.model, tmp_path / "x.npy", tmp_path / "y.csv", Display())
    np.save(tmp_path / "x.npy", features[:5])
    with pytest.raises(d3.UserError, match=r"y.csv: .*x.npy is no folder"):
        predict_file(run.model, tmp_path / "x.npy", tmp_path / "x.npy" / "y.csv", Display())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.npy"]
    predict_file(run.model, tmp_path / "x.npy", tmp_path / "new" / "folder" / "y.csv", Display(), gallery=tmp_path / "pages" / "y.html")
    assert (tmp_path / "new" / "folder" / "y.csv").exists() and (tmp_path / "pages" / "y.html").exists()


def test_the_modes_end_to_end(run, tmp_path):
    """Evaluate a checkpoint, predict, synthesize, add a class, predict again."""
    mode("evaluate", workdir=run.folder, checkpoint="last")
    step = run.results["steps"]
    found = json.loads((run.folder / f"evaluation-{step}.json").read_text())
    for name, part in run.results["predictions"].items():
        assert found["predictions"][name]["metrics"] == part["metrics"]
    np.save(tmp_path / "x.npy", read_digits().features[:30].astype(np.float32))
    for source, name in (({}, "a"), ({"checkpoint": "last"}, "b")):
        mode("predict", workdir=run.folder, input=tmp_path / "x.npy", output=tmp_path / f"{name}.csv", predictor="classifier", **source)
    assert (tmp_path / "a.csv").read_text() == (tmp_path / "b.csv").read_text()
    mode("synthesize", workdir=run.folder, output=tmp_path / "s.npz", classes="unseen,0", count=4)
    with np.load(tmp_path / "s.npz") as archive:
        assert archive["features"].shape == (12, 64) and archive["labels"].tolist() == [3] * 4 + [6] * 4 + [0] * 4
    (tmp_path / "nine.csv").write_text("nine," + ",".join(f"{x:g}" for x in read_digits().semantics[9]))
    mode("add_classes", workdir=run.folder, semantics=tmp_path / "nine.csv", output=tmp_path / "model")
    mode("predict", workdir=tmp_path / "model", input=tmp_path / "x.npy", output=tmp_path / "c.csv", top=10)
    assert "nine" in (tmp_path / "c.csv").read_text()
    of_ten = 1 - read_digits().semantics[9]
    (tmp_path / "ten.csv").write_text("ten," + ",".join(f"{x:.9g}" for x in of_ten))
    mode("add_classes", workdir=tmp_path / "model", semantics=tmp_path / "ten.csv", output=tmp_path / "more")  # to what it wrote itself
    nine, more = d3.load_model(tmp_path / "model"), d3.load_model(tmp_path / "more")
    assert more.class_names == (*nine.class_names, "ten") and more.unseen.tolist() == [3, 6, 9, 10]
    expected = nine.add_classes(of_ten[None], ("ten",), d3.load_data(run.model.config))
    chex.assert_trees_all_close(more.classifier, expected.classifier, atol=1e-5)
    for name, given in (("evaluate", {}), ("predict", {"checkpoint": "last", "input": tmp_path / "x.npy", "output": tmp_path / "d.csv"})):
        with pytest.raises(d3.UserError, match=r"more: is a saved model, not the run that it came from, whose folder is needed"):
            mode(name, workdir=tmp_path / "more", **given)
    with pytest.raises(d3.UserError, match=r"class 'ten': the model knows a class of that name"):
        mode("add_classes", workdir=tmp_path / "more", semantics=tmp_path / "ten.csv", output=tmp_path / "most")
    assert zipfile.is_zipfile(tmp_path / "s.npz") and not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("predict", {"output": "x.csv"}, "--input is missing"),
        ("evaluate", {"checkpoint": "7"}, r"--checkpoint=7: expected last, best or one of the outer steps 48"),
        ("evaluate", {"checkpoint": "best"}, "no checkpoint was kept as the best"),
        ("synthesize", {"output": "x.npz", "classes": "zebra"}, "zebra"),
        ("synthesize", {"output": "x.csv"}, "written as .npz"),
        ("add_classes", {"semantics": "none.csv", "output": "x"}, "none.csv: no such file"),
        ("predict", {"input": "none.npy", "output": "x.csv"}, "none.npy"),
    ],
)
def test_what_the_modes_refuse(run, tmp_path, monkeypatch, name, given, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(d3.UserError, match=message):
        mode(name, workdir=run.folder, **given)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", MODES)
def test_a_folder_without_a_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for file in ("x.npy", "x.csv"):
        (tmp_path / file).touch()
    (tmp_path / "run").mkdir()
    needed = {"predict": {"input": "x.npy", "output": "y.csv"}, "synthesize": {"output": "x.npz"},
              "add_classes": {"semantics": "x.csv", "output": "m"}}  # fmt: skip
    with pytest.raises(d3.UserError, match=r"holds no (run|saved model)"):
        mode(name, workdir="run", **needed.get(name, {}))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["run", "x.csv", "x.npy"] and not list((tmp_path / "run").iterdir())
    with pytest.raises(d3.UserError, match=r"^--workdir=none: no such folder$"):
        mode(name, workdir="none", **needed.get(name, {}))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--mode=predict", "--workdir=x", "--input=y"], "d3gzsl predict: --output is missing"),
        (["--mode=predict", "--config=configs/digits.py"], "--config means nothing here"),
        (["--config=configs/digits.py", "--top=3"], "--top means nothing in training"),
        (["--mode=predct"], "--mode=predct: expected one of train, evaluate, predict, synthesize, add_classes, not predct; did you mean predict?"),
        (["evaluate", "--workdir=x", "--count=3"], "--count means nothing here; it takes --workdir, --checkpoint, --data-root"),
        (["predict", "RUN"], "unexpected argument 'RUN'; options are written --name=value"),
        (["--config=configs/digits.py", "--config.train.resume=must"], "config.train.resume=must"),
    ],
)
def test_the_command_line_refuses_in_one_line(arguments, message, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main([argument.replace("configs/", f"{ROOT}/configs/") for argument in arguments]) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1


def test_the_run_folder_tells_where_and_how(run):
    environment = json.loads((run.folder / "environment.json").read_text())
    assert environment["starts"][0]["versions"]["jax"] and len(environment["data"]["sha256"]) == 64
    assert json.loads((run.folder / "overrides.json").read_text())["data.leave_out"] == "9"
    line = json.loads((run.folder / "metrics.jsonl").read_text().splitlines()[0])
    groups = {"generator", "critic", "student_embedding", "student_head", "confidence"}
    assert set(line["learning_rates"]) == groups and line["clock"]["steps_per_second"] > 0
    for kind in ("gradient", "update", "parameter"):
        assert set(line["norms"][kind]) == groups and all(value > 0 for value in line["norms"][kind].values())
    assert 0 < line["diversity"]["lowest"] <= line["diversity"]["median"]


def test_a_row_is_predicted_alike_whatever_its_width(run, data, tmp_path):
    expected = run.model.predict(data.features[:30], 3)
    for width in (np.float16, np.float64, ">f4", np.uint8, np.longdouble):
        for one, other in zip(run.model.predict(data.features[:30].astype(width), 3), expected, strict=True):
            np.testing.assert_array_equal(one, other)
        if width is not np.longdouble:
            np.save(tmp_path / "rows.npy", data.features[:30].astype(width))
            predict_file(run.model, tmp_path / "rows.npy", tmp_path / f"{np.dtype(width).str[1:]}.csv", Display(quiet=True))
    assert len({path.read_text() for path in tmp_path.glob("*.csv")}) == 1


def test_rows_beyond_all_that_was_trained_on_are_refused(run, data, tmp_path):
    rows = data.features[:30].copy()
    rows[7, 5] = 1e38
    with pytest.raises(d3.UserError, match=r"features: row 7 lies .* in dimension 5"):
        run.model.predict(rows)
    np.save(tmp_path / "rows.npy", rows)
    with pytest.raises(d3.UserError, match=r"rows.npy: row 7 lies .* in dimension 5"):
        predict_file(run.model, tmp_path / "rows.npy", tmp_path / "found.csv", Display(quiet=True))
    assert not (tmp_path / "found.csv").exists()


def test_a_new_class_needs_a_vector_of_its_own(run, data):
    known = data.semantics[2]
    with pytest.raises(d3.UserError, match=r"class 'okapi': its semantic vector is that of class 2 \('2'\)"):
        run.model.add_classes(known[None], ("okapi",), data)
    with pytest.raises(d3.UserError, match=r"class 'b': its semantic vector is that of class 9 \('a'\)"):
        run.model.add_classes(np.stack([1 - known, 1 - known]), ("a", "b"), data)


def test_evaluating_a_folder_that_cannot_be_written_says_so_and_keeps_nothing(run, tmp_path, monkeypatch, capsys):
    folder = shutil.copytree(run.folder, tmp_path / "run")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    def refuse(*_, **__):
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr(filelock.FileLock, "acquire", refuse)
        mode("evaluate", workdir=folder)
    said = capsys.readouterr().out
    assert "warning: these figures are not kept" in said and "the file system is read-only" in said and "student" in said
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    with lock.writing(folder), pytest.raises(d3.UserError, match="is being written by process"):
        mode("evaluate", workdir=folder)


def test_outputs_of_modes_are_refused_before_anything_is_read(run, tmp_path, monkeypatch):
    monkeypatch.setattr("d3gzsl_jax.runs.model.load_model", lambda *_: pytest.fail("the model was read"))
    np.save(tmp_path / "x.npy", np.zeros((1, 64), np.float32))
    (tmp_path / "thesis").mkdir()
    for name in ("thesis/1.txt", "thesis.csv", "thesis.npz", "nine.csv"):
        (tmp_path / name).write_text("words")
    inputs = {"predict": {"input": tmp_path / "x.npy"}, "synthesize": {}, "add_classes": {"semantics": tmp_path / "nine.csv"}}
    outputs = {
        "predict": ["thesis", "thesis.csv", "x.npy", run.folder / "config.json", run.folder / "model" / "x.csv"],
        "synthesize": ["thesis.npz", run.folder / "diagnostics.npz", run.folder / "teacher" / "s.npz"],
        "add_classes": ["thesis", "thesis.csv", run.folder, run.folder / "model", run.folder / "teacher", run.folder.parent, "nine.csv", "."],
    }
    before = {path: path.read_bytes() for root in (tmp_path, run.folder) for path in root.rglob("*") if path.is_file()}
    for name, given in outputs.items():
        for output in given:
            with pytest.raises(d3.UserError, match=r"^--output=") as error:
                mode(name, workdir=run.folder, output=tmp_path / output, **inputs[name])
            assert "\n" not in str(error.value)
    assert {path: path.read_bytes() for root in (tmp_path, run.folder) for path in root.rglob("*") if path.is_file()} == before


def test_the_home_folder_means_the_same_in_every_flag(run, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(shutil.copytree(run.folder, tmp_path / "run").parent)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    mode("synthesize", workdir="~/run", output="~/s.npz", classes="0", count=1)
    assert (tmp_path / "s.npz").is_file() and not list((tmp_path / "elsewhere").iterdir())
    d3.load_model("~/run").save("~/models/one")
    assert d3.load_model(tmp_path / "models" / "one").step == run.model.step
    (tmp_path / "models" / "one" / "thesis.txt").write_text("x")
    with pytest.raises(d3.UserError, match="holds no saved model"):
        run.model.save("~/models/one")
