"""Compiled programs are kept from start to start, in a folder that is the user's own."""

import os

import jax
import jax.numpy as jnp
import pytest
from jax.experimental.compilation_cache import compilation_cache

from d3gzsl_jax.system import compile_cache

NAMES = (
    "jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs", "jax_persistent_cache_min_entry_size_bytes",
    "jax_enable_compilation_cache",
)  # fmt: skip


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Nothing is set, as in a user's first start, with the cache under `home`."""
    before = {name: getattr(jax.config, name) for name in NAMES}
    for name in NAMES:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setattr(compile_cache.platformdirs, "user_cache_path", lambda *_, **__: tmp_path / "home")
    monkeypatch.setattr(compile_cache, "_ours", None)
    monkeypatch.setattr(compile_cache, "_is_warned", False)
    jax.config.update("jax_compilation_cache_dir", None)
    compilation_cache.reset_cache()
    yield tmp_path / "home"
    for name, value in before.items():
        jax.config.update(name, value)
    compilation_cache.reset_cache()


def compiled(number):
    return float(jax.jit(lambda x: x * number + 1)(jnp.float32(2)))


def kept(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.mark.slow
def test_programs_are_kept_until_it_is_turned_off(home):
    jax.clear_caches()  # what other tests have compiled
    compile_cache.use(True)
    assert compiled(3.25) == 7.5
    there = kept(home)
    assert there and all(path.parent.parent == home / "compiled" for path in there)
    assert there[0].parent.stat().st_mode & 0o777 == 0o700
    jax.clear_caches()
    compile_cache.use(True)
    assert compiled(3.25) == 7.5 and kept(home) == there
    compile_cache.use(False)
    assert compiled(4.25) == 9.5 and kept(home) == there
    compile_cache.use(True)
    assert compiled(5.25) == 11.5 and len(kept(home)) > len(there)


def test_what_the_users_environment_says_goes_first(home, monkeypatch, tmp_path):
    jax.config.update("jax_compilation_cache_dir", str(tmp_path / "own"))
    compile_cache.use(True)
    assert jax.config.jax_compilation_cache_dir == str(tmp_path / "own")
    compile_cache.use(False)
    assert jax.config.jax_compilation_cache_dir == str(tmp_path / "own")
    jax.config.update("jax_compilation_cache_dir", None)
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "")
    compile_cache.use(True)
    assert jax.config.jax_compilation_cache_dir is None
    monkeypatch.delenv("JAX_COMPILATION_CACHE_DIR")
    jax.config.update("jax_enable_compilation_cache", False)
    compile_cache.use(True)
    assert jax.config.jax_compilation_cache_dir is None and not home.exists()
    jax.config.update("jax_enable_compilation_cache", True)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 7.0)
    monkeypatch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "7")
    compile_cache.use(True)
    assert jax.config.jax_compilation_cache_dir and jax.config.jax_persistent_cache_min_compile_time_secs == 7.0


@pytest.mark.parametrize("what", ["a file", "of others"])
def test_a_folder_that_cannot_be_used_is_said_once(home, what, capsys):
    if what == "a file":
        home.parent.mkdir(exist_ok=True)
        home.write_text("")
    else:
        (folder := home / "compiled" / compile_cache._machine()).mkdir(parents=True)
        folder.chmod(0o777)
    compile_cache.use(True)
    compile_cache.use(True)
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "compiled programs are not kept" in said and "JAX_COMPILATION_CACHE_DIR" in said
    assert jax.config.jax_compilation_cache_dir is None and compiled(3.5) == 8.0


def test_an_entry_that_was_cut_off_is_compiled_anew(home, recwarn):
    compile_cache.use(True)
    assert compiled(3.75) == 8.5
    for path in kept(home):
        path.write_bytes(path.read_bytes()[:50])
    jax.clear_caches()
    assert compiled(3.75) == 8.5 and not [warning for warning in recwarn if "persistent" in str(warning.message)]


def test_what_was_not_used_for_long_makes_room(home, monkeypatch):
    monkeypatch.setattr(compile_cache, "LARGEST", 100)
    (folder := home / "compiled" / "jax-0").mkdir(parents=True)
    for age in range(4):
        (folder / f"{age}").write_bytes(bytes(30))
        os.utime(folder / f"{age}", (10**9 - age, 10**9 - age))
    compile_cache.use(True)
    assert [path.name for path in kept(home)] == ["0"]


def test_without_a_cache_equal_programs_are_still_compiled_once(home):
    compile_cache.use(False)
    with compile_cache.at_least_here():
        folder = jax.config.jax_compilation_cache_dir
        assert compiled(6.25) == 13.5 and os.listdir(folder)
    assert jax.config.jax_compilation_cache_dir is None and not os.path.exists(folder)
