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
