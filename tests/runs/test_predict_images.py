"""From pictures to predictions: by the encoder that the model names, with names, truth, JSON, accuracy and a page."""

import csv
import dataclasses
import json
import re
import shutil
import types

import numpy as np
import pytest
from PIL import Image

from d3gzsl_jax import api as d3
from d3gzsl_jax.data.digits import read_digits
from d3gzsl_jax.encoders import embed_pictures
from d3gzsl_jax.main import main
from d3gzsl_jax.runs import model_files, picture_rows
from d3gzsl_jax.runs.display import Display
from d3gzsl_jax.runs.gallery import thumbnails
from d3gzsl_jax.runs.model_commands import OPTIONS, run_mode
from tests.conftest import ROOT

pytestmark = pytest.mark.slow

ROWS = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 13, 16)  # of the digits: one of each, then 3 and 6


class Greys:
    """The 64 grey values of a picture of 8 by 8 pixels, dark on white, as scikit-learn's digits have them."""

    size = 64

    def notes(self):
        return {"kind": "greys", "spec": "greys", "name": "greys", "sha256": "0"}

    def encode(self, pictures):
        rows = [16 - np.asarray(picture.convert("L"), np.float32).ravel() * (16 / 255) for picture in pictures]
        return np.array(rows, np.float32).reshape(-1, 64)


@pytest.fixture(scope="module")
def data():
    of = read_digits()
    provenance = dict(of.provenance) | {"encoders": {"image": Greys().notes(), "text": None, "semantics": "attributes", "attribute_names": []}}
    return d3.validate(dataclasses.replace(of, provenance=provenance))


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    overrides = {"train.epochs": 2, "teacher.epochs": 2, "classifier.epochs": 2, "log.report": False}
    config = d3.load_config(ROOT / "configs" / "digits.py", overrides)
    return d3.train(config, data, workdir=tmp_path_factory.mktemp("runs") / "digits", overrides=overrides)


@pytest.fixture
def encoder(monkeypatch):
    """The encoder of the notes is the small one."""
    asked = []

    def made(of, spec=""):
        asked.append((of, spec))
        return Greys()

    monkeypatch.setattr("d3gzsl_jax.encoders.images.image_encoder_of", made)
    monkeypatch.setattr("d3gzsl_jax.encoders.images.image_encoder", lambda spec: made(None, spec))
    return asked


def picture(row):
    return Image.fromarray(np.rint(255 - read_digits().features[row].reshape(8, 8) * (255 / 16)).astype(np.uint8))


@pytest.fixture
def folder(tmp_path):
    """Pictures of the digits in a folder for each, and of one the model does not know."""
    for row in ROWS:
        place = tmp_path / "mine" / str(read_digits().labels[row])
        place.mkdir(parents=True, exist_ok=True)
        picture(row).save(place / f"=digit {row}.png")
    (tmp_path / "mine" / "okapi").mkdir()
    picture(20).save(tmp_path / "mine" / "okapi" / "x.png")
    return tmp_path / "mine"


def predict(run, display=None, **given):
    defaults = {name: of.get("default", "") for name, of in OPTIONS.items()}
    run_mode("predict", defaults | {"workdir": str(run.folder)} | {name: value if isinstance(value, int) else str(value) for name, value in given.items()},
             display or Display())  # fmt: skip


def table(path):
    with open(path, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_the_model_knows_its_encoder_after_saving_and_an_older_one_knows_none(run, data, tmp_path):
    assert run.model.encoders == data.provenance["encoders"] == d3.load_model(run.folder).encoders
    dataclasses.replace(run.model, encoders=None).save(tmp_path / "old")
    assert d3.load_model(tmp_path / "old").encoders is None and model_files.read(tmp_path / "old")["encoders"] is None


def test_pictures_of_a_folder(run, folder, encoder):
    found = run.model.predict_images(folder, top=2)
    assert encoder == [(Greys().notes(), "")]
    labels = sorted(int(read_digits().labels[row]) for row in ROWS)
    assert found.truth.ids.tolist() == [*labels, -1] and found.truth.strangers == {"okapi": 1}
    assert found.row_names[0] == "0/=digit 0.png" and found.row_names[-1] == "okapi/x.png"
    rows = [*sorted(ROWS, key=lambda row: (read_digits().labels[row], f"=digit {row}.png")), 20]
    expected = run.model.predict(read_digits().features[rows], top=2)
    np.testing.assert_array_equal(found.classes, expected.classes)
    np.testing.assert_allclose(found.probabilities, expected.probabilities, atol=0.02)  # grey values were rounded
    columns = found.columns()
    assert list(columns)[:3] == ["row", "file", "class"] and columns["true_name"][-1] == "okapi" and np.isnan(columns["true_class"][-1])


def test_single_pictures_and_a_csv_of_them(run, folder, encoder, tmp_path):
    one = run.model.predict_images(folder / "okapi" / "x.png")
    assert one.row_names == ("x.png",) and one.truth is None
    paths = [folder / "okapi" / "x.png", folder / "3" / "=digit 3.png"]
    assert run.model.predict_images(paths).row_names == tuple(map(str, paths))
    (folder / "list.csv").write_text("file,class\nokapi/x.png,1\n3/=digit 3.png,\n")
    found = run.model.predict_images(folder / "list.csv")
    assert found.truth.ids.tolist() == [1, -1] and found.truth.names == ("1", "")


def test_a_picture_is_opened_once_for_features_and_page(run, folder, encoder, tmp_path, monkeypatch):
    opened, plain = [], embed_pictures.open_picture

    def open_picture(path, name=""):
        opened.append(path.name)
        return plain(path, name)

    monkeypatch.setattr(embed_pictures, "open_picture", open_picture)
    monkeypatch.setattr(thumbnails, "open_picture", open_picture)
    predict(run, images=folder, output=tmp_path / "c.csv", gallery=tmp_path / "p.html")
    assert len(opened) == len(set(opened)) == len(ROWS) + 1
    small = re.findall(r'src="(data:image/[^"]+)"', (tmp_path / "p.html").read_text())
    assert sorted(small) == sorted(thumbnails.thumbnail(path)[0] for path in folder.rglob("*.png"))
    monkeypatch.setattr("d3gzsl_jax.runs.gallery.write.MOST", 3)  # of many pictures most are not shown: those that are, again
    opened.clear()
    predict(run, images=folder, output=tmp_path / "c.csv", gallery=tmp_path / "p.html")
    assert len(opened) > len(set(opened)) == len(ROWS) + 1


def test_the_command_writes_table_accuracy_and_page(run, folder, encoder, tmp_path, capsys):
    predict(run, images=folder, output=tmp_path / "c.csv", accuracy=tmp_path / "a.json", gallery=tmp_path / "p.html", top=1)
    said = capsys.readouterr().out
    rows, measured = table(tmp_path / "c.csv"), json.loads((tmp_path / "a.json").read_text())
    assert list(rows[0]) == ["row", "file", "class", "name", "probability", "seen_probability", "in_distribution", "true_class", "true_name"]
    assert rows[0]["file"] == "0/=digit 0.png" and rows[-1]["true_name"] == "okapi" and rows[-1]["true_class"] == ""
    right = sum(row["class"] == row["true_class"] for row in rows)
    assert (measured["rows"], measured["recognised"], measured["unknown_classes"]) == (12, right, {"okapi": 1})
    assert f"{right} of 12 pictures are recognised: U " in said and "the model does not know okapi: 1 picture" in said
    page = (tmp_path / "p.html").read_text()
    assert page.count('class="card') == 13 and page.count("data:image/") == 13 and page.count('<li class="seen">') + page.count('<li class="unseen">') == 39
    assert f"Predicted by the {run.model.prediction}." in page and f"13 rows predicted by the {run.model.prediction} in" in said
    before = table(tmp_path / "c.csv")
    predict(run, images=folder, output=tmp_path / "c.csv", accuracy=tmp_path / "a.json", gallery=tmp_path / "p.html")
    assert table(tmp_path / "c.csv") == before  # its own files are written over


def test_a_page_alone(run, folder, encoder, tmp_path, capsys):
    before = sorted(tmp_path.iterdir())
    predict(run, images=folder, gallery=tmp_path / "p.html", accuracy=tmp_path / "a.json")
    assert sorted({*tmp_path.iterdir()} - {*before}) == [tmp_path / "a.json", tmp_path / "p.html"]
    said = capsys.readouterr().out
    assert "13 rows predicted by the student in " in said and f"wrote {tmp_path / 'p.html'}: a page of 13 pictures" in " ".join(said.split())


def test_a_folder_that_is_called_nearly_like_a_class(run, folder, encoder, tmp_path, capsys, monkeypatch):
    names = (*run.model.class_names[:-1], "okapia")
    shutil.rmtree(folder / "9")
    monkeypatch.setattr("d3gzsl_jax.runs.model.load_model", lambda folder: dataclasses.replace(run.model, class_names=names))
    predict(run, images=folder, output=tmp_path / "c.csv")
    assert "the model does not know okapi: 1 picture, which count in no accuracy; did you mean 'okapia'?" in " ".join(capsys.readouterr().out.split())
    for path in folder.iterdir():
        if path.name != "okapi":
            shutil.rmtree(path)
    predict(run, images=folder, output=tmp_path / "c.csv")
    assert "the model knows none of the classes okapi; did you mean 'okapia'?" in " ".join(capsys.readouterr().out.split())


def test_json_has_an_object_a_row(run, folder, encoder, tmp_path):
    predict(run, images=folder, output=tmp_path / "c.json", top=2)
    found = json.loads((tmp_path / "c.json").read_text(encoding="utf-8"))
    expected = run.model.predict_images(folder, top=2)
    for row, entry in enumerate(found):
        assert entry["row"] == row and entry["file"] == expected.row_names[row]
        assert [one["class"] for one in entry["predictions"]] == expected.classes[row].tolist()
        assert [one["seen"] for one in entry["predictions"]] == np.isin(expected.classes[row], run.model.seen).tolist()
        assert entry["predictions"][0]["probability"] == pytest.approx(float(expected.probabilities[row, 0]), rel=1e-5)
        assert 0 < entry["in_distribution"] <= 1
    assert found[0]["truth"] == {"class": 0, "name": "0"} and found[0]["correct"] == (found[0]["predictions"][0]["class"] == 0)
    assert found[-1]["truth"] == {"class": None, "name": "okapi"} and found[-1]["correct"] is None
    predict(run, images=folder, output=tmp_path / "c.json")  # it knows its own file
    np.save(tmp_path / "x.npy", read_digits().features[:3])
    predict(run, input=tmp_path / "x.npy", output=tmp_path / "d.json")
    assert set(json.loads((tmp_path / "d.json").read_text())[0]) == {"row", "predictions", "seen_probability", "in_distribution"}


def test_features_with_names_and_labels(run, tmp_path, capsys):
    of = read_digits()
    names = np.array([f"picture {row}" for row in range(20)])
    np.savez(tmp_path / "x.npz", features=of.features[:20], row_names=names, labels=of.labels[:20])
    predict(run, input=tmp_path / "x.npz", output=tmp_path / "c.csv", gallery=tmp_path / "p.html", accuracy=tmp_path / "a.json")
    rows = table(tmp_path / "c.csv")
    assert [row["file"] for row in rows] == names.tolist() and [int(row["true_class"]) for row in rows] == of.labels[:20].tolist()
    assert "of 20 rows are recognised" in capsys.readouterr().out and json.loads((tmp_path / "a.json").read_text())["rows"] == 20
    np.save(tmp_path / "x.npy", of.features[:20])
    (tmp_path / "names.csv").write_text("file,class\n" + "".join(f"{name},{label}\n" for name, label in zip(names, of.labels, strict=False)))
    predict(run, input=tmp_path / "x.npy", names=tmp_path / "names.csv", output=tmp_path / "d.csv")
    lines = [",".join([f"picture {row}", *map(str, of.features[row])]) for row in range(20)]
    (tmp_path / "x.csv").write_text("\n".join(lines))
    predict(run, input=tmp_path / "x.csv", output=tmp_path / "e.csv")
    assert table(tmp_path / "d.csv") == rows
    assert table(tmp_path / "e.csv") == [{key: value for key, value in row.items() if not key.startswith("true_")} for row in rows]
    (tmp_path / "y.csv").write_text("\n".join(line.partition(",")[2] for line in lines))
    (tmp_path / "three.txt").write_text("a\nb\nc\n")
    with pytest.raises(d3.UserError, match=r"y.csv: more than 3 rows, for which there are 3 names; give one for each"):
        predict(run, input=tmp_path / "y.csv", names=tmp_path / "three.txt", output=tmp_path / "f.csv")
    assert not (tmp_path / "f.csv").exists()


def test_a_picture_that_cannot_be_read(run, folder, encoder, tmp_path, capsys):
    (folder / "3" / "broken.png").write_bytes(b"\x89PNG")
    with pytest.raises(d3.UserError, match=r"1 of 14 pictures cannot be read: .?3/broken.png\W* is no whole picture"):
        predict(run, images=folder, output=tmp_path / "c.csv")
    assert not (tmp_path / "c.csv").exists()
    predict(run, images=folder, output=tmp_path / "c.csv", gallery=tmp_path / "p.html", bad="skip")
    assert len(table(tmp_path / "c.csv")) == 13 and "left out 1 of 14 pictures, which cannot be read: " in capsys.readouterr().out
    assert "3/broken.png: is no whole picture" in (tmp_path / "p.html").read_text()


def test_pictures_without_classes(run, folder, encoder, tmp_path, capsys):
    flat = tmp_path / "flat"
    flat.mkdir()
    for path in folder.rglob("*.png"):
        shutil.copy(path, flat)
    predict(run, images=flat, output=tmp_path / "c.csv", gallery=tmp_path / "p.html")
    assert "true_class" not in table(tmp_path / "c.csv")[0] and "recognised" not in capsys.readouterr().out
    with pytest.raises(d3.UserError, match=r"--accuracy=.*a.json: nothing says of which classes rows are; leave it out"):
        predict(run, images=flat, output=tmp_path / "d.csv", accuracy=tmp_path / "a.json")
    assert not (tmp_path / "a.json").exists() and not (tmp_path / "d.csv").exists()
    flat.rename(tmp_path / "holidays")
    (tmp_path / "years").mkdir()
    (tmp_path / "holidays").rename(tmp_path / "years" / "holidays")
    predict(run, images=tmp_path / "years", output=tmp_path / "c.csv")
    assert "no accuracy: the model knows none of the classes holidays" in capsys.readouterr().out and "true_name" not in table(tmp_path / "c.csv")[0]


REFUSED = {
    "--images=none: no such file or folder": {"images": "none", "output": "c.csv"},
    "--images and --input: give one of them": {"images": "mine", "input": "x.npy", "output": "c.csv"},
    "--images or --input is missing": {"output": "c.csv"},
    "--names goes with --input, not with --images": {"images": "mine", "names": "x.npy", "output": "c.csv"},
    "--image-encoder goes with --images, not with --input": {"input": "x.npy", "image_encoder": "resnet101", "output": "c.csv"},
    "--bad goes with --images": {"input": "x.npy", "bad": "skip", "output": "c.csv"},
    "--names=none.txt: no such file": {"input": "x.npy", "names": "none.txt", "output": "c.csv"},
    "--accuracy=c.json: is what --output names, too": {"images": "mine", "output": "c.json", "accuracy": "c.json"},
    "--gallery=mine.html: a file is there that holds no gallery": {"images": "mine", "output": "c.csv", "gallery": "mine.html"},
    "--output=mine.csv: a file is there that holds no predictions": {"images": "mine", "output": "mine.csv"},
    "--output=c.txt: is written as .csv or .json, not as .txt; name it NAME.csv": {"images": "mine", "output": "c.txt"},
    "--output=c: is written as .csv or .json, not as a file without a suffix": {"input": "x.npy", "output": "c"},
    "--gallery=c.csv: is written as .html or .htm, not as .csv; name it NAME.html": {"images": "mine", "gallery": "c.csv"},
    "--accuracy=a.csv: is written as .json, not as .csv": {"images": "mine", "output": "c.csv", "accuracy": "a.csv"},
    "--output or --gallery is missing": {"images": "mine", "accuracy": "a.json"},
    "--output is missing": {"input": "x.npy", "gallery": "p.html"},
    "top 99: must be from 1 to the 10 classes": {"images": "mine", "output": "c.csv", "top": 99},
    "--gallery=empty/p.html: lies in the folder of the pictures": {"images": "empty", "output": "c.csv", "gallery": "empty/p.html"},
    "--output=empty/c.csv: lies in the folder of the pictures": {"images": "empty", "output": "empty/c.csv"},
    "--images=empty: holds no pictures": {"images": "empty", "output": "c.csv"},
}  # fmt: skip


@pytest.mark.parametrize("message", REFUSED)
def test_what_is_refused(run, folder, encoder, tmp_path, monkeypatch, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    (tmp_path / "mine.html").write_text("mine")
    (tmp_path / "mine.csv").write_text("mine")
    np.save(tmp_path / "x.npy", read_digits().features[:2])
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(d3.UserError) as error:
        predict(run, **REFUSED[message])
    assert message in str(error.value) and "\n" not in str(error.value) and sorted(tmp_path.rglob("*")) == before


def test_the_command_line_knows_the_options(capsys):
    assert main(["predict", "--workdir=x", "--images=y", "--output=z", "--bad=ignore"]) == 2
    assert "expected one of refuse, skip, not ignore" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["predict", "--help"])
    assert "--image-encoder=SPEC" in (said := capsys.readouterr().out) and "--gallery=FILE.html" in said


def test_a_model_that_knows_no_encoder_is_given_one_of_its_size(run, folder, encoder, monkeypatch):
    old = dataclasses.replace(run.model, encoders=None)
    with pytest.raises(d3.UserError, match="--image-encoder is missing: the model does not say which encoder made its features"):
        old.predict_images(folder)
    assert old.predict_images(folder, encoder="greys").classes.shape == (13, 1) and encoder == [(None, "greys")]
    monkeypatch.setattr(Greys, "size", 63)
    with pytest.raises(d3.UserError, match="--image-encoder=greys: makes 63 features a picture, but the model takes 64"):
        old.predict_images(folder, encoder="greys")
    with pytest.raises(d3.UserError, match="the model's image encoder: makes 63"):
        run.model.predict_images(folder)
    with pytest.raises(d3.UserError, match="takes representations beside features"):
        picture_rows.encoder_of(types.SimpleNamespace(representation_size=3))


def network(path, offset=16.0):
    """A network in ONNX that makes of a grey picture of 8 by 8 what the digits have."""
    onnx = pytest.importorskip("onnx")
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    constants = [helper.make_tensor("minus", kind, [], [-16.0]), helper.make_tensor("plus", kind, [], [offset])]
    nodes = [("Mul", ["x", "minus"], "a"), ("Add", ["a", "plus"], "b"), ("Flatten", ["b"], "f")]
    graph = helper.make_graph(
        [helper.make_node(of, given, [to]) for of, given, to in nodes], "greys",
        [helper.make_tensor_value_info("x", kind, ["n", 1, 8, 8])], [helper.make_tensor_value_info("f", kind, ["n", 64])], constants,
    )  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)


def test_a_real_network_is_found_again_by_its_notes(run, folder, tmp_path):
    pytest.importorskip("onnxruntime")
    from d3gzsl_jax.encoders.images import image_encoder

    network(tmp_path / "greys.onnx")
    notes = image_encoder(f"onnx:{tmp_path / 'greys.onnx'}?resize=8").notes()
    model = dataclasses.replace(run.model, encoders={"image": notes})
    model.save(tmp_path / "model")
    found = d3.load_model(tmp_path / "model").predict_images(folder)
    rows = [*sorted(ROWS, key=lambda row: (read_digits().labels[row], f"=digit {row}.png")), 20]
    np.testing.assert_array_equal(found.classes, model.predict(read_digits().features[rows]).classes)
    (tmp_path / "greys.onnx").rename(tmp_path / "moved.onnx")
    with pytest.raises(d3.UserError, match=r"greys.onnx: no such file"):
        model.predict_images(folder)
    assert model.predict_images(folder, encoder=f"onnx:{tmp_path / 'moved.onnx'}?resize=8").row_names == found.row_names
    network(tmp_path / "greys.onnx", offset=15.0)
    with pytest.raises(d3.UserError, match="image encoder"):
        model.predict_images(folder)


def test_an_accuracy_of_nothing_is_refused_before_the_encoder_is_loaded(run, folder, encoder, tmp_path):
    (tmp_path / "flat").mkdir()
    picture(0).save(tmp_path / "flat" / "a.png")
    (tmp_path / "other" / "holidays").mkdir(parents=True)
    picture(0).save(tmp_path / "other" / "holidays" / "a.png")
    for name, why in (("flat", "nothing says of which classes rows are"), ("other", "the model knows none of the classes holidays")):
        with pytest.raises(d3.UserError, match=rf"--accuracy=.*a.json: {why}; leave it out"):
            predict(run, images=tmp_path / name, output=tmp_path / "d.csv", accuracy=tmp_path / "a.json")
    assert encoder == [] and not (tmp_path / "d.csv").exists()


def test_what_is_to_be_done_with_bad_pictures_is_known_before_the_encoder_is_loaded(run, folder, encoder):
    with pytest.raises(d3.UserError, match="bad='drop': expected one of refuse, skip"):
        run.model.predict_images(folder, bad="drop")
    assert encoder == []
