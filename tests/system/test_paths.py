import os

import pytest

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.system.paths import clean, clean_folder, clean_output, make_folder, same_file, scheme_of


def test_home_folder_and_relative_paths(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert clean("~/a", "--x") == tmp_path / "a"
    assert same_file(clean("a", "--x"), tmp_path / "a")


@pytest.mark.parametrize(("given", "words"), [
    ("", "empty"), ("  ", "empty"), ("a\0b", "zero byte"), ("gs://b/x", "gs://"), ("file:///a", "without file://"), ("~nobody-here/a", "home"),
])  # fmt: skip
def test_what_is_no_local_path_is_refused_naming_the_option(given, words):
    with pytest.raises(UserError, match=words) as error:
        clean(given, "--output")
    assert str(error.value).startswith("--output") and "\n" not in str(error.value)


@pytest.mark.parametrize(("given", "scheme"), [("gs://b", "gs"), ("s3:/b/x", "s3"), ("C:/x", ""), ("a:b", ""), ("~/a", "")])
def test_schemes(given, scheme):
    assert scheme_of(given) == scheme


def test_a_folder_to_write_in_is_refused_where_it_cannot_be(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("words")
    assert clean_folder(tmp_path / "a" / "b", "--output") == tmp_path / "a" / "b" and not (tmp_path / "a").exists()
    for name in ("file", "file/a/b"):
        with pytest.raises(UserError, match=rf"^--output={tmp_path / name}: cannot be written \({tmp_path / 'file'} is no folder\)"):
            clean_folder(tmp_path / name, "--output")
        with pytest.raises(UserError, match=f"^--output={tmp_path / name}: cannot be written"):
            make_folder(tmp_path / name, "--output")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(UserError, match=rf"there is no permission to in {tmp_path}\)"):
        clean_folder(tmp_path / "a", "--output")
    with pytest.raises(UserError, match="--output: is empty"):
        clean_folder("", "--output")


def test_only_what_is_ours_is_replaced(tmp_path):
    ours = lambda path: path.is_file() and path.read_text() == "ours"  # noqa: E731
    output = lambda name, inputs=(): clean_output(tmp_path / name, "--output", ours, "predictions", inputs)  # noqa: E731
    (tmp_path / "ours").write_text("ours")
    (tmp_path / "thesis").write_text("words")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "ours")
    assert output("new") == tmp_path / "new" and output("ours") == tmp_path / "ours"
    for name, words in (("thesis", "holds no predictions"), ("folder", "a folder is there"), ("link", "symbolic link"), ("thesis/x", "no folder")):
        with pytest.raises(UserError, match=words):
            output(name)
    assert output("no/such/x") == tmp_path / "no" / "such" / "x" and not (tmp_path / "no").exists()  # who writes it makes them
    with pytest.raises(UserError, match="read from"):
        output("ours", [tmp_path / "folder" / ".." / "ours"])
    os.link(tmp_path / "ours", tmp_path / "hard")
    with pytest.raises(UserError, match="read from"):
        output("hard", [tmp_path / "ours"])


def test_a_name_too_long_for_a_path_is_refused_in_a_line():
    with pytest.raises(UserError, match=r"--output='xx.* the name is too long for a path"):
        clean("x" * 5000, "--output")
