"""Compiled programs are kept from start to start, in a folder that is the user's own."""

import os
import warnings

import jax
import jax.numpy as jnp
import pytest
from jax.experimental.compilation_cache import compilation_cache

from d3gzsl_jax.system import compile_cache, compiled_folder, startup

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
    monkeypatch.setattr(compiled_folder.platformdirs, "user_cache_path", lambda *_, **__: tmp_path / "home")
    monkeypatch.setattr(compile_cache, "_ours", None)
    monkeypatch.setattr(compile_cache, "_is_warned", False)
    monkeypatch.setattr(compile_cache, "_is_decided", False)
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


def test_a_folder_that_cannot_be_used_is_said_once(home, capsys):
    home.write_text("")
    assert not compile_cache.is_usable()  # as before processes are started
    compile_cache.use(True)
    compile_cache.use(True)
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "compiled programs are not kept" in said and "JAX_COMPILATION_CACHE_DIR" in said
    assert f"{home} is no folder" in said
    assert jax.config.jax_compilation_cache_dir is None and compiled(3.5) == 8.0
    jax.config.update("jax_enable_compilation_cache", False)
    assert compile_cache.is_usable()  # nothing to warn of: none is wished


def test_a_folder_that_can_be_used(home, capsys):
    assert compile_cache.is_usable() and jax.config.jax_compilation_cache_dir is None and not capsys.readouterr().err


def test_a_model_that_is_opened_does_not_turn_on_what_was_turned_off(home):
    compile_cache.use_unless_decided(True)
    assert jax.config.jax_compilation_cache_dir
    compile_cache.use_unless_decided(False)
    assert jax.config.jax_compilation_cache_dir is None
    compile_cache.use(False)
    compile_cache.use_unless_decided(True)
    assert jax.config.jax_compilation_cache_dir is None
    startup.configure(devices=False, keep_compiled=None)
    assert jax.config.jax_compilation_cache_dir is None


def test_an_entry_that_was_cut_off_is_compiled_and_written_anew(home, recwarn):
    jax.clear_caches()
    compile_cache.use(True)
    assert compiled(3.75) == 8.5
    whole = kept(home)
    (other := whole[0].with_name("jit_other-0-cache")).write_bytes(b"0")
    for path in whole:
        path.write_bytes(path.read_bytes()[:50])
    jax.clear_caches()
    compile_cache.use(True)
    assert compiled(3.75) == 8.5 and sorted([*whole, other]) == kept(home)
    assert all(path.stat().st_size > 50 for path in whole)
    assert not [warning for warning in recwarn if "persistent" in str(warning.message)]


def test_other_warnings_are_shown(home):
    with pytest.warns(UserWarning, match="something else"):  # noqa: PT031
        compile_cache.use(True)
        warnings.warn("something else", stacklevel=1)
    with pytest.warns(UserWarning, match="Error reading persistent"):  # noqa: PT031
        compile_cache.use(True)
        compile_cache.use(False)  # of a cache of the user's own
        warnings.warn("Error reading persistent compilation cache entry for 'jit_f': it is cut off", stacklevel=1)


def test_without_a_cache_equal_programs_are_still_compiled_once(home):
    compile_cache.use(False)
    with compile_cache.at_least_here():
        folder = jax.config.jax_compilation_cache_dir
        assert compiled(6.25) == 13.5 and os.listdir(folder)
    assert jax.config.jax_compilation_cache_dir is None and not os.path.exists(folder)
