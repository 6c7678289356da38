"""The folder of compiled programs is the user's alone; what makes room in it is what JAX has written there."""

import os

import pytest

from d3gzsl_jax.system import compiled_folder
from tests import compiled_programs


@pytest.fixture
def root(tmp_path, monkeypatch):
    """As in a user's first start."""
    folder = tmp_path / ".cache" / "d3gzsl-jax"
    monkeypatch.setattr(compiled_folder.platformdirs, "user_cache_path", lambda *_, **__: folder)
    return folder


def levels(root):
    """All that is made, outermost first."""
    return [root, root / "compiled", compiled_folder.of_machine("compiled")]


def test_all_that_is_made_is_the_users_alone(root):
    before = os.umask(0o002)
    try:
        assert compiled_folder.prepared("compiled") == levels(root)[-1]
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in (root.parent, *levels(root))} == {0o700}
    assert compiled_folder.prepared("compiled") == levels(root)[-1]


@pytest.mark.parametrize("level", range(3))
@pytest.mark.parametrize("mode", [0o770, 0o707])
def test_what_others_can_write_to_is_refused(root, level, mode):
    compiled_folder.prepared("compiled")
    levels(root)[level].chmod(mode)
    with pytest.raises(OSError, match=f"others can write to {levels(root)[level]}: remove it"):
        compiled_folder.prepared("compiled")
    levels(root)[level].chmod(0o755)
    assert compiled_folder.prepared("compiled")


@pytest.mark.parametrize("level", range(3))
def test_what_leads_elsewhere_is_refused(root, level, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (link := levels(root)[level]).parent.mkdir(parents=True, mode=0o700)
    for path in levels(root)[:level]:
        path.chmod(0o700)
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match=f"{link} is a symbolic link"):
        compiled_folder.prepared("compiled")
    link.unlink()
    link.symlink_to(tmp_path / "nowhere")
    with pytest.raises(OSError, match=f"{link} is a symbolic link"):
        compiled_folder.prepared("compiled")
    assert not os.listdir(tmp_path / "elsewhere") and not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("level", range(3))
def test_what_another_user_has_made_is_refused(root, level, monkeypatch):
    compiled_folder.prepared("compiled")
    lstat, other = type(root).lstat, levels(root)[level]
    monkeypatch.setattr(type(root), "lstat", lambda path: of_another(lstat(path)) if path == other else lstat(path))
    with pytest.raises(OSError, match=f"{other} is another user's"):
        compiled_folder.prepared("compiled")


def of_another(found):
    return os.stat_result((*found[:4], found.st_uid + 1, *found[5:]))


def test_what_was_not_used_for_long_makes_room(root, tmp_path, monkeypatch):
    monkeypatch.setattr(compiled_folder, "LARGEST", 100)
    (folder := root / "compiled" / "jax-0").mkdir(parents=True)
    (outside := tmp_path / "outside").mkdir()
    for age in range(4):
        (folder / f"{age}-cache").write_bytes(bytes(30))
        os.utime(folder / f"{age}-cache", (10**9 - age, 10**9 - age))
    # None of this is JAX's.
    others = [outside / "kept-cache", folder / "notes", root / "compiled" / "other" / "x-cache", folder / "sub-cache" / "x-cache"]
    for path in others:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bytes(1000))
        os.utime(path, (10**8, 10**8))
    (root / "compiled" / "jax-link").symlink_to(outside)
    (folder / "link-cache").symlink_to(outside / "kept-cache")
    root.chmod(0o700)
    (root / "compiled").chmod(0o700)
    compiled_folder.prepared("compiled")
    assert sorted(path.name for path in folder.glob("?-cache")) == ["0-cache"]
    assert all(path.exists() for path in others) and (folder / "link-cache").is_symlink()


def test_the_tests_have_a_folder_of_their_own(root, monkeypatch):
    assert compiled_programs.folder() == os.environ["JAX_COMPILATION_CACHE_DIR"]
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR")
    assert compiled_programs.folder() == str(compiled_folder.of_machine("compiled-by-tests"))
    (root / "compiled-by-tests").chmod(0o777)
    alone = compiled_programs.folder()
    assert not alone.startswith(str(root)) and os.stat(alone).st_mode & 0o777 == 0o700
