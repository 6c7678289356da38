"""The digits as PNG files and sentences."""

import numpy as np
from PIL import Image

from d3gzsl_jax.encoders.class_table import read_class_table
from d3gzsl_jax.encoders.pictures import find_pictures, open_picture
from tools.digits.pictures import DESCRIPTIONS, NAMES, main


def test_folders_of_seven_digits_three_in_words(tmp_path, capsys):
    assert main([str(tmp_path / "digits"), "--per-digit=3", "--new-per-digit=2", "--flat", "--size=32"]) == 0
    assert "21 pictures of seven digits, 6 of three others" in capsys.readouterr().out
    table = read_class_table(tmp_path / "digits" / "classes.csv")
    assert table.names == NAMES and table.descriptions == tuple((text,) for text in DESCRIPTIONS)
    pictures = find_pictures(tmp_path / "digits" / "pictures")
    assert {picture.class_name for picture in pictures} == set(NAMES) - {"three", "six", "nine"} and len(pictures) == 21
    assert {picture.class_name for picture in find_pictures(tmp_path / "digits" / "new")} == {None}
    pixels = np.asarray(open_picture(pictures[0].path))
    assert pixels.shape == (32, 32, 3) and pixels.max() == 255 and pixels.min() < 60  # dark on white
    assert main([str(tmp_path / "digits"), "--per-digit=1", "--new-per-digit=1"]) == 0  # once more, in folders
    assert Image.open(next((tmp_path / "digits" / "new" / "three").iterdir())).size == (64, 64)


def test_a_place_that_cannot_be_written_is_told(tmp_path, capsys):
    (tmp_path / "file").touch()
    assert main([str(tmp_path / "file")]) == 2
    assert "cannot be written" in capsys.readouterr().err
