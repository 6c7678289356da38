"""From pictures and words to a benchmark: the command, what it writes, and what it refuses."""

import dataclasses
import json
import shutil

import numpy as np
import pytest
from PIL import Image

from d3gzsl_jax import api as d3
from d3gzsl_jax.data.formats.open_npz import read_npz
from d3gzsl_jax.data.subset import leave_out
from d3gzsl_jax.encoders import embed as module
from d3gzsl_jax.encoders import images
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.main import main
from tests.encoders.test_embed_pictures import QUIET, Means, write_pictures
from tools.pictures import digits
from tools.pictures.digits import NAMES
from tools.pictures.folder import write

NUMBERS = "class,red,green\na,1,0\nb,0,1\nc,1,1\n"


@pytest.fixture
def birds(tmp_path, monkeypatch):
    """A folder of two classes with pictures, and a table of three in numbers; encoders that need no library."""
    for name, count in (("a", 10), ("b", 5)):
        (tmp_path / "pictures").mkdir(exist_ok=True)
        write_pictures(tmp_path / "pictures" / name, count)
    (tmp_path / "classes.csv").write_text(NUMBERS)
    monkeypatch.setattr(images, "image_encoder", lambda spec: Means())
    monkeypatch.setattr(images, "split", lambda spec: ("onnx", "x"))
    return tmp_path


def embed(folder, *further, output="birds.npz"):
    return main(
        ["embed", f"--images={folder / 'pictures'}", f"--classes={folder / 'classes.csv'}", f"--output={folder / output}", *further]
    )


def test_a_refusal_before_any_picture_is_done_leaves_nothing(birds, capsys, monkeypatch):
    def broken(path, name):
        raise UserError(f"{name}: is broken; mend it")

    monkeypatch.setattr("d3gzsl_jax.encoders.embed_pictures.open_picture", broken)
    before = sorted(birds.rglob("*"))
    assert embed(birds, "--batch=1", output="new/birds.npz") == 2
    assert "1 of 15 pictures cannot be read: " in capsys.readouterr().err and sorted(birds.rglob("*")) == before


def test_a_benchmark_with_names_numbers_and_roles(birds, capsys):
    assert embed(birds, "--unseen=b") == 2  # one seen class is none to tell from another
    assert "1 classes have pictures to train with (a), at least 2 are needed" in capsys.readouterr().err
    write_pictures(birds / "pictures" / "c", 4)
    assert embed(birds, "--unseen=c", "--batch=3") == 0
    data = read_npz(birds / "birds.npz")
    assert data.class_names == ("a", "b", "c") and data.name == "birds" and data.descriptions is None
    assert data.row_names.tolist()[:2] == ["a/000.png", "a/001.png"] and data.features.shape == (19, 4)
    assert (len(data.trainval), len(data.test_seen), len(data.test_unseen)) == (8 + 4, 2 + 1, 4)
    assert data.declared_unseen.tolist() == [2]
    np.testing.assert_array_equal(data.semantics, [[1, 0], [0, 1], [1, 1]])
    of = data.provenance["encoders"]
    assert of["image"] == Means().notes() and of["text"] is None and of["semantics"] == "attributes"
    assert of["attribute_names"] == ["red", "green"] and of["split"]["unseen"] == "c" and of["skipped"] == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "what the encoder sees of a picture: shorter side resized to 2 pixels" in told
    assert "19 pictures as rows of 4 features, 3 classes as vectors of 2; 2 seen classes: 12 pictures to train with, 3 to test" in told
    assert "held out as unseen: c (4 pictures to test with)" in told
    assert sorted(path.name for path in birds.iterdir()) == ["birds.npz", "classes.csv", "pictures"]


def test_unseen_classes_need_words_alone(birds, capsys):
    assert embed(birds, output="new/folder/birds.npz") == 0  # which is made
    data = d3.validate(read_npz(birds / "new" / "folder" / "birds.npz"))
    assert data.unseen_classes.tolist() == [2] and not data.test_unseen.size and data.test_seen.size == 3
    assert "unseen, without pictures: c" in " ".join(capsys.readouterr().out.split())


def test_the_same_command_makes_the_same_file_and_another_seed_another_split(birds):
    write_pictures(birds / "pictures" / "c", 4)
    roles = {}
    for seed in (0, 0, 1):
        assert embed(birds, f"--seed={seed}", "--unseen-share=0.3", output=f"{seed}.npz") == 0
        data = read_npz(birds / f"{seed}.npz")
        found = [getattr(data, role).tolist() for role in ("trainval", "test_seen", "test_unseen")]
        assert roles.setdefault(seed, found) == found
    assert roles[0] != roles[1]


def test_the_split_of_a_class_hangs_on_no_other_class():
    labels = np.repeat([0, 1, 2], [10, 5, 1])
    one = module.drawn_split(labels, ("a", "b", "c"))
    assert [np.sum(labels[one.test_seen] == label) for label in range(3)] == [2, 1, 0]
    assert sorted([*one.trainval, *one.test_seen]) == list(range(16)) and one.unseen.size == 0
    other = module.drawn_split(labels[:15], ("a", "b", "d"))
    assert other.test_seen.tolist() == one.test_seen.tolist() and other.unseen.tolist() == [2]
    assert module.drawn_split(labels, ("a", "b", "c"), holdout=0).test_seen.size == 0
    assert module.drawn_split(labels, ("a", "b", "c"), holdout=0.99).trainval.size == 3


def test_classes_called_by_numbers_are_held_out_by_these():
    split = module.drawn_split(np.repeat([0, 1, 2, 3], 3), tuple("1234"), unseen="3")
    assert split.unseen.tolist() == [2]


def test_broken_pictures_are_skipped_and_listed(birds, capsys):
    (birds / "pictures" / "a" / "=1.png").write_text("no picture")
    write_pictures(birds / "pictures" / "c", 2)
    assert embed(birds, "--unseen=c") == 2
    assert "1 of 18 pictures cannot be read: 'a/=1.png' is no whole picture" in capsys.readouterr().err
    assert embed(birds, "--unseen=c", "--bad=skip") == 0
    lines = (birds / "birds.skipped.csv").read_text().splitlines()
    assert lines[0] == "file,reason" and lines[1].startswith("a/=1.png,is no whole picture") and len(lines) == 2
    assert "1 pictures skipped, listed in birds.skipped.csv" in " ".join(capsys.readouterr().out.split())
    (birds / "pictures" / "a" / "=1.png").unlink()
    assert embed(birds, "--unseen=c") == 0 and not (birds / "birds.skipped.csv").exists()


def test_a_run_that_was_ended_goes_on(birds, monkeypatch, capsys):
    write_pictures(birds / "pictures" / "c", 4)
    monkeypatch.setattr(images, "image_encoder", lambda spec: Means(stop_after=8))
    assert embed(birds, "--unseen=c", "--batch=4") == 130
    assert (birds / "birds.npz.features").is_dir() and not (birds / "birds.npz").exists()
    monkeypatch.setattr(images, "image_encoder", lambda spec: Means())
    assert embed(birds, "--unseen=c", "--batch=4") == 0
    assert "8 of 19 pictures were done before" in capsys.readouterr().out
    assert not (birds / "birds.npz.features").exists()
    whole = read_npz(birds / "birds.npz")
    assert embed(birds, "--unseen=c", "--batch=4", output="again.npz") == 0
    np.testing.assert_array_equal(read_npz(birds / "again.npz").features, whole.features)


def test_a_class_of_which_no_picture_can_be_read_is_told(birds, capsys):
    write_pictures(birds / "pictures" / "c", 3)
    for path in (birds / "pictures" / "b").iterdir():
        path.write_text("no picture")
    assert embed(birds, "--unseen=a", "--bad=skip") == 2  # one class is left to train with
    write_pictures(birds / "pictures" / "a", 3)
    (birds / "classes.csv").write_text(NUMBERS + "d,0,0\n")
    capsys.readouterr()
    assert embed(birds, "--bad=skip") == 0
    assert "warning: no picture of b can be read: unseen" in " ".join(capsys.readouterr().out.split())


def own_benchmark(folder):
    np.savez(folder / "birds.npz", features=np.eye(2), labels=[0, 1], semantics=np.eye(2), trainval=[0, 1], notes="mine")


def numbers(*rows):
    lines = [f"{name},{row}\n" for name, row in zip("abc", rows, strict=True)]
    return lambda of: (of / "classes.csv").write_text("".join(["class,red,green\n", *lines]))


def in_a_folder_more(of):
    (of / "pictures").rename(of / "all")
    (of / "pictures").mkdir()
    (of / "all").rename(of / "pictures" / "all")


@pytest.mark.parametrize(
    ("prepare", "options", "told"),
    [
        (lambda of: (of / "pictures" / "top.png").write_text("x"), (), "top.png is of no class; put it into a subfolder"),
        (in_a_folder_more, (), "did you mean .*pictures/all[?]$"),
        (lambda of: write_pictures(of / "pictures" / "A", 1), (), "A/000.png is of class 'A', which .*classes.csv lacks"),
        (lambda of: write_pictures(of / "pictures" / "aa", 1), (), "did you mean 'a'"),
        (lambda of: write_pictures(of / "pictures" / "A_", 1), (), "is of class 'A_', .* did you mean 'a'[?] Call both alike"),
        (numbers("1,0", "1,0", "1,0"), (), r"classes\.csv: the semantic vectors of all 3 classes are equal: .*'c'"),
        (numbers("1,0", "0,1e20", "1,1"), (), r"classes\.csv: line 3, column green: '1e20' is too large for float32 networks; "),
        (lambda of: None, ("--holdout=1",), "expected a share, 0 to below 1, not 1"),
        (lambda of: None, ("--holdout=x",), "expected a share"),
        (lambda of: write_pictures(of / "pictures" / "c", 1), (), "every class has pictures, and none is unseen"),
        (lambda of: None, ("--unseen=z",), "--unseen: there is no class 'z'; give an id or a name$"),
        (lambda of: None, ("--unseen=all",), "--unseen: there is no class 'all'; give an id or a name$"),
        (lambda of: None, ("--unseen=a", "--unseen-share=0.5"), "give one of them"),
        (lambda of: None, ("--bad=drop",), "expected one of refuse, skip, not drop"),
        (lambda of: None, ("--batch=0",), "--batch: expected a whole number"),
        (lambda of: None, ("--text-encoder=clip:x",), "holds numbers, no descriptions; leave the option out"),
        (lambda of: None, ("--encoder=x",), "unknown option --encoder"),
        (lambda of: (of / "birds.npz").write_text("mine"), (), "a file is there that holds no benchmark of pictures"),
        (own_benchmark, (), "a file is there that holds no benchmark of pictures"),
        (lambda of: (of / "birds.skipped.csv").write_text("mine"), (), "is no list of skipped pictures, and stays"),
        (lambda of: ((of / "birds.npz.features").mkdir(), (of / "birds.npz.features" / "x").touch()), (), "holds other things"),
        (lambda of: shutil.rmtree(of / "pictures"), (), "no such file or folder"),
        (lambda of: (of / "classes.csv").unlink(), (), "no such file"),
    ],
)
def test_what_is_wrong_is_told_in_a_line_before_anything_is_done(birds, monkeypatch, capsys, prepare, options, told):
    monkeypatch.setattr(images, "image_encoder", lambda spec: pytest.fail("a network was loaded"))
    prepare(birds)
    before = sorted(path.name for path in birds.rglob("*"))
    assert embed(birds, *options) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and error.startswith("d3gzsl embed: ") and "Traceback" not in error
    import re

    assert re.search(told, error), error
    assert sorted(path.name for path in birds.rglob("*")) == before


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"bad": "drop"}, "--bad='drop': expected one of refuse, skip"), ({"bad": None}, "--bad=None"),
        ({"batch": 0}, "--batch=0: expected a whole number, 1 to 65536"), ({"batch": 1.5}, "--batch=1.5"), ({"batch": True}, "--batch=True"),
        ({"batch": 2**17}, "--batch=131072"), ({"seed": -1}, "--seed=-1: expected a whole number, 0 to 4294967295"),
        ({"seed": 2**32}, "--seed=4294967296"), ({"seed": "1"}, "--seed='1'"),
    ],
)  # fmt: skip
def test_from_python_what_is_wrong_is_told_too(birds, monkeypatch, options, told):
    monkeypatch.setattr(images, "image_encoder", lambda spec: pytest.fail("a network was loaded"))
    before = sorted(birds.rglob("*"))
    with pytest.raises(UserError, match=f"^{told}"):
        d3.embed(birds / "pictures", birds / "classes.csv", birds / "birds.npz", unseen="c", **options)
    assert sorted(birds.rglob("*")) == before


def test_descriptions_that_tell_no_classes_apart_are_refused_before_any_picture_is_done(birds, monkeypatch, capsys):
    class Alike:
        def encode(self, texts):
            return np.ones((len(texts), 3), np.float32)

        def notes(self):
            return {}

        def too_long(self, texts):
            return 0

    monkeypatch.setattr(module.texts, "text_encoder", lambda spec: Alike())
    monkeypatch.setattr(module, "embed_pictures", lambda *_: pytest.fail("pictures were encoded"))
    (birds / "classes.csv").write_text("class,description\na,one\nb,two\nc,three\n")
    assert embed(birds) == 2
    assert "classes.csv: the semantic vectors of all 3 classes are equal" in " ".join(capsys.readouterr().err.split())


def test_outputs_that_are_no_place_for_a_benchmark(birds, capsys):
    for output, told in (("birds.csv", "is no .npz"), ("pictures/birds.npz", "lies in the folder"), ("classes.csv/birds.npz", "no folder")):
        assert embed(birds, output=output) == 2
        assert told in capsys.readouterr().err


def test_names_of_rows_and_descriptions_go_through_files_and_subsets(data, tmp_path):
    names = np.array([f"{number}.png" for number in range(len(data.labels))])
    given = dataclasses.replace(
        data, row_names=names, descriptions=tuple(f"digit {number}\nin words" for number in range(10)),
        provenance={"encoders": {"image": {"kind": "x"}, "text": None}},
    )  # fmt: skip
    d3.write_npz(tmp_path / "data.npz", given)
    found = read_npz(tmp_path / "data.npz")
    assert found.row_names.tolist() == names.tolist() and found.descriptions == given.descriptions
    assert found.provenance["encoders"] == given.provenance["encoders"]
    less = leave_out(d3.validate(found), "9,0")
    assert less.descriptions == given.descriptions[1:9]
    assert less.row_names.tolist() == names[~np.isin(data.labels, [0, 9])].tolist()
    for field, told in (("row_names", "1796 texts for 1797"), ("descriptions", "9 texts for 10")):
        with pytest.raises(d3.UserError, match=f"{field}.: {told}"):
            d3.validate(dataclasses.replace(found, **{field: getattr(found, field)[1:]}))
    d3.write_npz(tmp_path / "plain.npz", data)
    plain = read_npz(tmp_path / "plain.npz")
    assert plain.row_names is None and plain.descriptions is None and "encoders" not in plain.provenance


@pytest.mark.parametrize(
    ("key", "value", "told"),
    [
        ("row_names", np.array(["a"]), "'row_names': need 1797 texts"),
        ("row_names", np.arange(1797), "'row_names': need 1797 texts, found int64"),
        ("descriptions", np.array(["a"] * 9), "'descriptions': need 10 texts"),
        ("encoders", np.array("{"), "'encoders': need the JSON object"), ("encoders", np.array("[]"), "'encoders': need the JSON object"),
        ("encoders", np.arange(3), "'encoders': need the JSON object"),
    ],
)  # fmt: skip
def test_further_keys_that_are_wrong_are_refused(data, tmp_path, key, value, told):
    d3.write_npz(tmp_path / "data.npz", data)
    with np.load(tmp_path / "data.npz") as held:
        arrays = dict(held)
    np.savez(tmp_path / "data.npz", **arrays | {key: value})
    with pytest.raises(d3.UserError, match=told):
        read_npz(tmp_path / "data.npz")


@pytest.mark.slow
def test_digits_as_pictures_and_sentences(lite_onnx, minilm, tmp_path, capsys):
    """With a real network of pictures and a real one of sentences."""
    write(tmp_path, digits.drawn(per_digit=12, new_per_digit=3), flat=True)
    assert len(list((tmp_path / "new").iterdir())) == 9 and len(list((tmp_path / "pictures").iterdir())) == 7
    assert embed(tmp_path, f"--image-encoder={lite_onnx}", f"--text-encoder={minilm}", "--unseen=eight", output="digits.npz") == 0
    data = d3.validate(read_npz(tmp_path / "digits.npz"))
    assert data.class_names == NAMES and data.features.shape == (84, 1280) and data.semantics.shape == (10, 384)
    assert [data.class_names[label] for label in data.unseen_classes] == ["three", "six", "eight", "nine"]
    assert (len(data.trainval), len(data.test_seen), len(data.test_unseen)) == (60, 12, 12)
    assert data.descriptions[8].startswith("Two closed loops")
    of = data.provenance["encoders"]
    assert of["image"]["kind"] == "onnx" and len(of["image"]["sha256"]) == 64 and of["text"]["kind"] == "sentence-transformers"
    # A picture's nearest one by the network's features is mostly of the same digit.
    unit = data.features / np.linalg.norm(data.features, axis=1, keepdims=True)
    likeness = unit @ unit.T - 2 * np.eye(len(unit))
    assert np.mean(data.labels[likeness.argmax(axis=1)] == data.labels) > 0.6
    again = d3.embed(
        tmp_path / "pictures", tmp_path / "classes.csv", tmp_path / "again.npz", image_encoder=lite_onnx, text_encoder=minilm,
        unseen="eight", display=QUIET,
    )  # fmt: skip
    np.testing.assert_array_equal(again.features, data.features)
    assert again.digests == data.digests
    json.dumps(again.provenance)
    assert Image.open(tmp_path / "pictures" / "eight" / sorted((tmp_path / "pictures" / "eight").iterdir())[0].name).size == (64, 64)
