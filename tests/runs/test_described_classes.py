"""Classes join a model by what is said of them; what does not fit it is refused in one line."""

import dataclasses

import numpy as np
import pytest

from d3gzsl_jax import api as d3
from d3gzsl_jax.encoders import texts
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.main import main
from d3gzsl_jax.runs import described_classes
from tests.serving import small_model
from tools.pictures.digits import DESCRIPTIONS

pytestmark = pytest.mark.slow

NINE = f'class,description\nnine,"{DESCRIPTIONS[9]}"\n'


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return small_model.described_run(tmp_path_factory.mktemp("described"))


@pytest.fixture(autouse=True)
def encoder(monkeypatch):
    """The model's own text encoder, by its notes."""
    asked = []

    def of_notes(notes, spec=""):
        asked.append((notes["kind"], spec))
        return small_model.WordCounts()

    monkeypatch.setattr(texts, "text_encoder_of", of_notes)
    return asked


def attributes_model(model, names=("a", "b", *"cdefghij")):
    encoders = dict(model.encoders) | {"text": None, "semantics": "attributes", "attribute_names": list(names)}
    return dataclasses.replace(model, encoders=encoders)


def test_a_class_joins_by_a_csv_of_descriptions(run, tmp_path, encoder, capsys):
    (tmp_path / "new.csv").write_text(NINE + 'nine,"A loop above a line."\nstar,Five points.\n')
    code = main(["add-classes", f"--workdir={run.folder}", f"--classes={tmp_path / 'new.csv'}", f"--output={tmp_path / 'model'}"])
    assert code == 0 and "a model that knows 11 classes; new: 9 to 10, nine, star" in capsys.readouterr().out
    grown = d3.load_model(tmp_path / "model")
    expected = small_model.WordCounts().encode([DESCRIPTIONS[9], "A loop above a line."]).astype(float)
    expected = (expected / np.linalg.norm(expected, axis=1, keepdims=True)).mean(axis=0)
    np.testing.assert_allclose(grown.semantics[9], expected / np.linalg.norm(expected), rtol=1e-6)
    assert grown.encoders == run.model.encoders and grown.class_names[9:] == ("nine", "star") and encoder == [("words", "")]
    by_api = run.model.add_described_classes({"nine": [DESCRIPTIONS[9], "A loop above a line."], "star": "Five points."}, data_of(run))
    np.testing.assert_array_equal(by_api.semantics, grown.semantics)
    features = data_of(run).features[:20]
    np.testing.assert_array_equal(by_api.predict(features).classes, grown.predict(features).classes)


def data_of(run):
    return d3.load_data(run.model.config)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("class,loops\nnine,1\n", "new.csv: has numbers, but the model was trained on descriptions"),
        ("class,description\neight,Two loops.\n", "new.csv: class 'eight': the model knows a class of that name"),
        ("class,description\nnine,\n", "new.csv: line 2: class 'nine' has no description"),
        ("name,description\nnine,A loop.\n", "new.csv: its first line is"),
        ("class,description\n", "holds no classes"),
    ],
)  # fmt: skip
def test_what_is_refused_by_the_command(run, tmp_path, capsys, content, message):
    (tmp_path / "new.csv").write_text(content)
    code = main(["add-classes", f"--workdir={run.folder}", f"--classes={tmp_path / 'new.csv'}", f"--output={tmp_path / 'model'}"])
    errors = capsys.readouterr().err
    assert code == 2 and message in errors and len(errors.splitlines()) == 1 and not (tmp_path / "model").exists()


def test_options_that_exclude_each_other(run, tmp_path, capsys):
    (tmp_path / "new.csv").write_text(NINE)
    start = ["add-classes", f"--workdir={run.folder}", f"--output={tmp_path / 'model'}"]
    for further, message in (
        ([], "--classes or --semantics is missing"),
        ([f"--classes={tmp_path}/new.csv", f"--semantics={tmp_path}/new.csv"], "--classes and --semantics: give one of them"),
        ([f"--classes={tmp_path}/new.csv", "--key=x"], "--key goes with --semantics"),
        ([f"--semantics={tmp_path}/new.csv", "--text-encoder=clip:x"], "--text-encoder goes with --classes"),
        ([f"--classes={tmp_path}/none.csv"], "none.csv: no such file"),
        ([f"--classes={tmp_path}/new.csv", "--text-encoder=words"], "text encoder 'words': expected sentence-transformers:NAME"),
    ):
        assert main([*start, *further]) == 2
        assert message in capsys.readouterr().err


def test_a_model_of_attributes_takes_its_own_columns_in_any_order(run, tmp_path):
    model = attributes_model(run.model, [f"a{i}" for i in range(48)])
    (tmp_path / "new.csv").write_text(",".join(["class", *(f"a{i}" for i in reversed(range(48)))]) + "\n" + ",".join(["x", *map(str, range(48))]) + "\n")
    semantics, names = described_classes.new_semantics(model, tmp_path / "new.csv")
    np.testing.assert_array_equal(semantics, np.arange(48, dtype=np.float32)[None, ::-1])
    assert names == ("x",)
    grown = model.add_described_classes(tmp_path / "new.csv", data_of(run))
    assert grown.class_names[-1] == "x"


def test_other_columns_descriptions_and_models_that_say_nothing(run, tmp_path):
    model = attributes_model(run.model, ("stripes", "hooves"))
    (tmp_path / "new.csv").write_text("class,stripes,wings\nokapi,1,0\n")
    with pytest.raises(UserError, match="its columns are not the 2 attributes of the model: it lacks hooves, and the model does not know wings"):
        model.add_described_classes(tmp_path / "new.csv", data_of(run))
    with pytest.raises(UserError, match="knows no text encoder; its semantics are the 2 attributes stripes, hooves: give these"):
        model.add_described_classes({"okapi": "Striped legs."}, data_of(run))
    nothing = dataclasses.replace(run.model, encoders=None)
    with pytest.raises(UserError, match="knows no text encoder; give their vectors instead, --semantics=FILE"):
        nothing.add_described_classes({"okapi": "Striped legs."}, data_of(run))
    with pytest.raises(UserError, match="but the model's have no names; give their vectors"):
        nothing.add_described_classes(tmp_path / "new.csv", data_of(run))
    with pytest.raises(UserError, match="class 'okapi' has no description"):
        run.model.add_described_classes({"okapi": " "}, data_of(run))
    with pytest.raises(UserError, match="no new classes are given"):
        run.model.add_described_classes({}, data_of(run))


MAPPINGS = {
    "a name with blanks is the same name": ({"okapi": "Brown.", "okapi ": "Striped legs."}, None),
    "another spelling": ({"okapi": "Brown.", "Okapi": "Striped legs."}, "class 'Okapi' is called 'okapi'; write it one way"),
    "twice": ({"okapi": ["Brown.", " Brown."]}, "class 'okapi' has this description twice; drop one"),
    "twice, by blanks": ({"okapi": "Brown.", "okapi ": "Brown."}, "class 'okapi' has this description twice"),
    "none": ({"okapi": None}, "class 'okapi' has no description"), "no list": ({"okapi": []}, "class 'okapi' has no description"),
    "a number": ({"okapi": 5}, "class 'okapi': its description is 5, which is no text"),
    "numbers": ({"okapi": [1.0, 2.0]}, "class 'okapi': its description is 1.0, which is no text"),
    "no name": ({" ": "Brown."}, "' ' is no name of a class"), "a number for a name": ({3: "Brown."}, "3 is no name of a class"),
}  # fmt: skip


@pytest.mark.parametrize("case", MAPPINGS)
def test_a_mapping_has_the_rules_of_a_csv(case):
    classes, message = MAPPINGS[case]
    if message is None:
        assert described_classes.table_of(classes).descriptions == (("Brown.", "Striped legs."),)
        return
    with pytest.raises(UserError, match=message) as refused:
        described_classes.table_of(classes)
    assert not str(refused.value).startswith(":")


def test_what_is_cut_off_is_told(run, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(texts, "text_encoder_of", lambda notes, spec="": small_model.WordCounts())
    long = {"okapi": "Striped legs. " * 60, "zebra": "Stripes."}
    with pytest.warns(UserWarning, match="1 description is longer than the text encoder reads"):
        run.model.add_described_classes(long, data_of(run))
    (tmp_path / "new.csv").write_text("class,description\n" + "".join(f"{name},{text}\n" for name, text in long.items()))
    assert main(["add-classes", f"--workdir={run.folder}", f"--classes={tmp_path / 'new.csv'}", f"--output={tmp_path / 'm'}"]) == 0
    assert "1 description is longer than the text encoder reads" in capsys.readouterr().out


def test_an_encoder_for_numbers_is_refused(run, tmp_path):
    (tmp_path / "new.csv").write_text("class,stripes,hooves\nokapi,1,0\n")
    with pytest.raises(UserError, match=r"^--text-encoder: .*new\.csv holds numbers, no descriptions; leave the option out"):
        described_classes.new_semantics(attributes_model(run.model, ("stripes", "hooves")), tmp_path / "new.csv", "clip:x")


def test_an_encoder_of_another_size_is_refused(run, monkeypatch):
    class Wider(small_model.WordCounts):
        size = 50

    monkeypatch.setattr(texts, "text_encoder_of", lambda notes, spec="": Wider())
    with pytest.raises(UserError, match="makes 50 values a class, but the model takes 48"):
        run.model.add_described_classes({"okapi": "Striped legs."}, data_of(run))
