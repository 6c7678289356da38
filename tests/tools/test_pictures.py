"""Sets of pictures and sentences to try the commands with."""

import numpy as np
from PIL import Image

from d3gzsl_jax.encoders.class_table import read_class_table
from d3gzsl_jax.encoders.pictures import find_pictures, open_picture
from d3gzsl_jax.system.terminal import run_command
from tools.pictures import digits, packaged_encoders, shapes


def test_folders_of_seven_digits_three_in_words(tmp_path, capsys):
    assert digits.main([str(tmp_path / "digits"), "--per-digit=3", "--new-per-digit=2", "--flat", "--size=32"]) == 0
    assert "21 pictures of 7 classes, 6 of 3 others" in capsys.readouterr().out
    table = read_class_table(tmp_path / "digits" / "classes.csv")
    assert table.names == digits.NAMES and table.descriptions == tuple((text,) for text in digits.DESCRIPTIONS)
    pictures = find_pictures(tmp_path / "digits" / "pictures")
    assert {picture.class_name for picture in pictures} == set(digits.NAMES) - {"three", "six", "nine"} and len(pictures) == 21
    assert {picture.class_name for picture in find_pictures(tmp_path / "digits" / "new")} == {None}
    pixels = np.asarray(open_picture(pictures[0].path))
    assert pixels.shape == (32, 32, 3) and pixels.max() == 255 and pixels.min() < 60  # dark on white
    assert digits.main([str(tmp_path / "digits"), "--per-digit=1", "--new-per-digit=1"]) == 0  # once more, in folders
    assert Image.open(next((tmp_path / "digits" / "new" / "three").iterdir())).size == (64, 64)


def test_shapes_are_the_same_each_time_and_new_ones_are_combined_of_seen_ones(tmp_path, capsys):
    for name in "ab":
        assert shapes.main([str(tmp_path / name), "--count=2", "--new-count=3"]) == 0
    assert "24 pictures of 12 classes, 12 of 4 others" in capsys.readouterr().out
    found, again = (find_pictures(tmp_path / name / "pictures") for name in "ab")
    assert [one.path.read_bytes() for one in found] == [one.path.read_bytes() for one in again] and len(found) == 24
    seen = {picture.class_name for picture in found}
    assert set(read_class_table(tmp_path / "a" / "classes.csv").names) == seen | set(shapes.NEW) and not seen & set(shapes.NEW)
    for name in shapes.NEW:
        assert all(any(word in other.split() for other in seen) for word in name.split())
    assert shapes.main([str(tmp_path / "c"), "--count=1", "--new-count=2", "--flat"]) == 0
    assert len(find_pictures(tmp_path / "c" / "new")) == 8
    red = np.asarray(open_picture(next(one.path for one in found if one.class_name == "red circle")))
    assert red.shape == (96, 96, 3) and red[..., 0].min() > 150 > red[..., 1].min()


def test_a_place_that_cannot_be_written_is_told(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert run_command(lambda: digits.main([str(tmp_path / "file")])) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_encoders_of_packages_are_exported_and_named_as_embed_takes_them(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(packaged_encoders.extras, "require", lambda *of: None)
    monkeypatch.setattr(packaged_encoders, "export", lambda path: path.write_bytes(b"pytorch"))
    monkeypatch.setattr("sys.argv", ["tool", f"--output={tmp_path / 'encoders'}"])
    for _ in range(2):  # its own file may be replaced
        assert run_command(packaged_encoders.main) == 0
    target = tmp_path / "encoders" / packaged_encoders.NAME
    assert f"--image-encoder='onnx:{target}?mean=" in capsys.readouterr().out and target.read_bytes() == b"pytorch"
    target.write_text("something else")
    assert run_command(packaged_encoders.main) == 2
    assert "holds no exported network, which stays" in capsys.readouterr().err and target.read_text() == "something else"


def test_missing_packages_of_encoders_are_named(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(packaged_encoders, "LIBRARIES", ("no_such_library",))
    monkeypatch.setattr("sys.argv", ["tool", f"--output={tmp_path / 'encoders'}"])
    assert run_command(packaged_encoders.main) == 2
    assert "[test-encoders]" in capsys.readouterr().err and not (tmp_path / "encoders").exists()
