"""Which files are pictures, of which class, and what becomes of odd ones."""

import io
import os
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from d3gzsl_jax.encoders import pictures
from d3gzsl_jax.encoders.pictures import check_picture, find_pictures, open_picture
from d3gzsl_jax.errors import UserError
from tests.encoders.odd_files import write_odd_files


def a_picture(path, colour=(9, 9, 9)):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4), colour).save(path, "PNG")


def test_odd_files_are_read_or_refused_with_a_reason(tmp_path):
    expected = write_odd_files(tmp_path / "odd")
    assert len(expected) >= 40
    names = {picture.name: picture for picture in find_pictures(tmp_path / "odd")}
    assert set(names) == set(expected)
    for name, of in expected.items():
        if isinstance(of, str):
            with pytest.raises(UserError) as refused:
                open_picture(names[name].path, name)
            assert str(refused.value).startswith(f"{name}: ") and of in str(refused.value) and "\n" not in str(refused.value), name
        else:
            picture = open_picture(names[name].path, name)
            assert picture.mode == "RGB" and np.abs(np.array(picture.getpixel((0, 0)), int) - of).max() <= 3, name
    turned = open_picture(names["turned.jpg"].path)
    assert turned.size == (10, 20) and turned.getpixel((9, 0))[1] > 200  # red on the left, white on the right


SIXTEEN = {
    "16 bits": np.array([[0, 1, 128, 129, 257 * 70], [300, 40000, 65000, 65534, 65535]], np.uint16),
    "16 bits, the other way round": np.array([[0, 1, 128], [257 * 70, 300, 65535]], ">u2"),
    "32 bits that hold 8": np.array([[0, 1, 255], [70, 80, 90]], np.int32), "32 bits": np.array([[-5, 0, 70000], [256, 65535, 2**31 - 1]], np.int32),
}  # fmt: skip


@pytest.mark.parametrize("at_once", [1, 4, 2**20])
@pytest.mark.parametrize("case", SIXTEEN)
def test_bits_beyond_eight(case, at_once, tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "_AT_ONCE", at_once)
    values = SIXTEEN[case]
    Image.fromarray(values.astype(values.dtype.newbyteorder("="))).save(tmp_path / "a.tif")
    picture = Image.open(tmp_path / "a.tif")
    if case.endswith("round"):
        picture = Image.frombytes("I;16B", values.shape[::-1], values.tobytes())
    high = 255 if case == "32 bits that hold 8" else 65535
    wished = np.rint(np.clip(values.astype(np.int64), 0, high) * (255 / high)).astype(np.uint8)
    np.testing.assert_array_equal(np.asarray(pictures._rgb(picture, Image))[..., 0], wished)
    if not case.endswith("round"):
        np.testing.assert_array_equal(np.asarray(open_picture(tmp_path / "a.tif"))[..., 0], wished)


def test_bits_beyond_eight_take_little_memory():
    picture, side = Image.fromarray(np.full((1500, 1500), 40000, np.uint16)), 1500
    tracemalloc.start()
    pictures._rgb(picture, Image)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 12 * side**2


def test_pixels_that_memory_does_not_hold_are_refused_unread(tmp_path, monkeypatch):
    a_picture(tmp_path / "a.png")
    monkeypatch.setattr(pictures, "_LARGE", 16)
    monkeypatch.setattr(pictures, "free_host_memory", lambda: 100)
    with pytest.raises(UserError, match=r"^a: its 4 x 4 pixels need 128\.0 B of memory and 100\.0 B are free; make it smaller"):
        open_picture(tmp_path / "a.png", "a")
    monkeypatch.setattr(pictures, "_LARGE", 17)
    assert open_picture(tmp_path / "a.png", "a").size == (4, 4)

    def fail(*_):
        raise MemoryError

    monkeypatch.setattr(pictures, "_rgb", fail)
    with pytest.raises(UserError, match=r"^a: memory ran out for its pixels; make it smaller"):
        open_picture(tmp_path / "a.png", "a")


def test_what_a_file_holds_is_a_picture_too(tmp_path):
    a_picture(tmp_path / "a.png", (1, 2, 3))
    assert open_picture(io.BytesIO((tmp_path / "a.png").read_bytes()), "a").getpixel((0, 0)) == (1, 2, 3)
    for content in (b"", b"words", (tmp_path / "a.png").read_bytes()[:-30]):
        with pytest.raises(UserError, match=r"^a: is no whole picture") as refused:
            open_picture(io.BytesIO(content), "a")
        assert "BytesIO" not in str(refused.value)


def test_a_folder_has_a_class_for_each_subfolder(tmp_path):
    for name in ("b/2.png", "b/10.png", "a x/deep/er/1.png", "top.png", ".hidden/1.png", "b/.DS_Store", "b/Thumbs.db", "c/1.png"):
        a_picture(tmp_path / name)
    (tmp_path / "a x" / "round").symlink_to(tmp_path)
    found = [(picture.name, picture.class_name) for picture in find_pictures(tmp_path)]
    assert found == [("a x/deep/er/1.png", "a x"), ("b/10.png", "b"), ("b/2.png", "b"), ("c/1.png", "c"), ("top.png", None)]


def test_links_to_folders(tmp_path):
    """A linked class is a class; one folder for two classes is refused, whichever is the link; so is a link to itself."""
    a_picture(tmp_path / "elsewhere" / "1.png")
    a_picture(tmp_path / "in" / "a" / "1.png")
    for name, to in (("b", "../elsewhere"), ("a/up", ".."), ("a/outside", "../.."), ("a/again", "../a")):
        (tmp_path / "in" / name).symlink_to(to)
    assert [picture.name for picture in find_pictures(tmp_path / "in")] == ["a/1.png", "b/1.png"]
    for name, to, told in (
        ("c", "a", r"in: 'a' and 'c' are one folder, by a link; .*: take one out$"),
        ("a/deep", "../b", r"in: 'a/deep' and 'b' are one folder"),
        ("loop", "loop", r"in/loop: cannot be read \(Too many levels of symbolic links\); its links go round in a circle"),
    ):
        (tmp_path / "in" / name).symlink_to(to)
        with pytest.raises(UserError, match=told):
            find_pictures(tmp_path / "in")
        (tmp_path / "in" / name).unlink()


def test_a_csv_names_files_and_classes(tmp_path):
    a_picture(tmp_path / "in" / "1.png")
    a_picture(tmp_path / "2.png")
    (tmp_path / "list.csv").write_text("class,file\n\na  b,in/1.png\n,2.png\n")
    found = find_pictures(tmp_path / "list.csv")
    assert [(picture.name, picture.class_name) for picture in found] == [("in/1.png", "a b"), ("2.png", None)]
    assert found[0].path == tmp_path / "in" / "1.png"
    (tmp_path / "list.csv").write_text("file\n2.png\n")
    assert find_pictures(tmp_path / "list.csv")[0].class_name is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty"),
        ("file,class\n", "holds no pictures"),
        ("name,class\n1.png,a\n", "need the columns file and class"),
        ("file,class,size\n1.png,a,3\n", "need the columns file and class"),
        ("file,class\n1.png,a\nmissing.png,a\n", "line 3: 'missing.png': there is no such file"),
        ("file,class\n1.png,a\n1.png,b\n", "line 3: '1.png' is named twice"),
        ("file,class\n1.png,a\n./1.png,a\n", "line 3: './1.png' is named twice"),
        ("file,class\n1.png\n", "line 2 has 1 cells, needs 2"),
        ("file,class\n,a\n", "line 2 names no file"),
        (b"file,class\n\xff.png,a\n", "not readable as UTF-8"),
    ],
)
def test_a_csv_that_is_wrong_is_refused_in_a_line(tmp_path, text, told):
    a_picture(tmp_path / "1.png")
    (tmp_path / "list.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError) as refused:
        find_pictures(tmp_path / "list.csv")
    assert told in str(refused.value) and "list.csv" in str(refused.value) and "\n" not in str(refused.value)


def test_places_without_pictures_are_refused(tmp_path):
    (tmp_path / "note.txt").write_text("x")
    for place, told in ((tmp_path / "nowhere", "no such folder"), (tmp_path / "note.txt", "no .csv"), ("s3://x/y", "s3://")):
        with pytest.raises(UserError, match=told):
            find_pictures(place)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no pictures"):
        find_pictures(tmp_path / "empty")


def test_file_names_that_are_no_text_become_text(tmp_path):
    path = os.fsencode(tmp_path) + b"/caf\xe9.png"
    try:
        open(path, "wb").close()
    except OSError:
        pytest.skip("this file system takes names in UTF-8 alone")
    (picture,) = find_pictures(tmp_path)
    assert picture.name == "caf\\xe9.png" and picture.path.exists()
    picture.name.encode()


def test_postscript_is_a_program_and_not_run(tmp_path):
    Image.new("RGB", (4, 4)).save(tmp_path / "x.eps")
    path = (tmp_path / "x.eps").rename(tmp_path / "x.png")
    for look in (open_picture, check_picture):
        with pytest.raises(UserError, match=r"^x\.png: is no whole picture \(.*PostScript, a program, which is not run"):
            look(path, "x.png")
