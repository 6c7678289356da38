import errno
import os
import stat

import pytest

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.system import atomic


def test_a_file_is_replaced_whole(tmp_path):
    target = tmp_path / "a.txt"
    atomic.write_text(target, "é\ud83d\n")
    assert target.read_bytes() == "é\\ud83d\n".encode()
    assert stat.S_IMODE(target.stat().st_mode) == 0o666 & ~atomic._umask()
    with pytest.raises(RuntimeError), atomic.replacing(target) as file:  # noqa: PT012
        file.write("half")
        raise RuntimeError
    assert target.read_text() == "é\\ud83d\n" and [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_bytes_too(tmp_path):
    with atomic.replacing(tmp_path / "a", "wb") as file:
        file.write(b"\0")
    assert (tmp_path / "a").read_bytes() == b"\0"


@pytest.mark.parametrize(("number", "words"), [(errno.ENOSPC, "free space"), (errno.EACCES, "permission"), (errno.EIO, "disk")])
def test_a_failure_says_its_cause_and_leaves_nothing(tmp_path, monkeypatch, number, words):
    def fail(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(UserError, match=words):
        atomic.write_text(tmp_path / "a", "x")
    assert not list(tmp_path.iterdir())


def fails(number, name):
    raise OSError(number, os.strerror(number), name)


@pytest.mark.parametrize("make", [atomic.replacing, atomic.replacing_folder])
def test_a_failure_of_another_file_is_told_of_that(tmp_path, make):
    (tmp_path / "secret").mkdir()
    for name, number, told in (
        (str(tmp_path / "secret"), errno.EACCES, "secret: cannot be read"), (str(tmp_path / "none"), errno.ENOENT, "none: cannot be read"),
        (str(tmp_path / "b"), errno.ENOSPC, "b: cannot be written .*free space"), (None, errno.ENOSPC, "target: cannot be written .*free space"),
        (str(tmp_path / "target"), errno.EACCES, "target: cannot be written"),
    ):  # fmt: skip
        with pytest.raises(UserError, match=f"^{tmp_path}/{told}"), make(tmp_path / "target"):
            fails(number, name)
    with pytest.raises(UserError, match=r"^/[^:]*target: cannot be written"), make(tmp_path / "target"):  # noqa: PT012
        (part,) = tmp_path.glob("*.part")
        fails(errno.EACCES, str(part / "arrays") if part.is_dir() else str(part))
    assert [path.name for path in tmp_path.iterdir()] == ["secret"]


@pytest.mark.parametrize("at", ["before", "after"])
@pytest.mark.parametrize("which", [1, 2])
def test_a_folder_is_never_without_the_old_one_and_the_new_one(tmp_path, monkeypatch, at, which):
    """Ctrl-C may come at any moment, also as a name has just been given."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "old").touch()
    really, count = os.rename, []

    def rename(one, other):
        count.append(one)
        if at == "after" or len(count) != which:
            really(one, other)
        if len(count) == which:
            raise KeyboardInterrupt

    monkeypatch.setattr(os, "rename", rename)
    with pytest.raises(KeyboardInterrupt), atomic.replacing_folder(tmp_path / "model") as new:  # noqa: PT012
        new.mkdir()
        (new / "new").touch()
    there = [path.name for path in (tmp_path / "model").iterdir()]
    assert there == (["new"] if (which, at) == (2, "after") else ["old"]) and len(list(tmp_path.iterdir())) == 1


def test_the_old_folder_stays_where_it_cannot_go_back(tmp_path, monkeypatch):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "old").touch()
    really, count = os.rename, []

    def rename(one, other):
        count.append(one)
        if len(count) > 1:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(one))
        really(one, other)

    monkeypatch.setattr(os, "rename", rename)
    with pytest.raises(UserError, match="cannot be written"), atomic.replacing_folder(tmp_path / "model") as new:
        new.mkdir()
    assert len(list(tmp_path.rglob("old/old"))) == 1


def test_what_is_in_the_way_is_no_matter_of_space(tmp_path):
    (tmp_path / "a").mkdir()
    with pytest.raises(UserError, match="in the way"):
        atomic.write_text(tmp_path / "a", "x")
    with pytest.raises(UserError, match="does not exist"):
        atomic.write_text(tmp_path / "b" / "c", "x")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="symbolic link"):
        atomic.write_text(tmp_path / "link", "x")
    assert not (tmp_path / "elsewhere").exists() and not list(tmp_path.glob("*.part"))
