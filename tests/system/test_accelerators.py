"""Which accelerator is here, and flags for its compiler."""

from d3gzsl_jax.system import accelerators


def test_the_platform_is_told_by_the_environment_or_by_devices_that_a_plugin_is_for(tmp_path, monkeypatch):
    assert accelerators.platform({"JAX_PLATFORMS": "cuda,cpu"}, tmp_path) == "cuda"
    assert accelerators.platform({"JAX_PLATFORMS": "cpu"}, tmp_path) == accelerators.platform({}, tmp_path) == "cpu"
    (tmp_path / "nvidia0").touch()
    monkeypatch.setattr(accelerators.importlib.util, "find_spec", lambda name: name == "jax_cuda12_plugin" or None)
    assert accelerators.platform({}, tmp_path) == "cuda"
    monkeypatch.setattr(accelerators.importlib.util, "find_spec", lambda name: name == "libtpu" or None)
    assert accelerators.platform({}, tmp_path) == "cpu"
    (tmp_path / "accel0").touch()
    assert accelerators.platform({}, tmp_path) == "tpu"


def test_what_is_said_of_a_flag_already_stays():
    assert accelerators.with_flags("", "--a=1 --b=2") == "--a=1 --b=2"
    assert accelerators.with_flags("--b=3 --c", "--a=1 --b=2") == "--b=3 --c --a=1"
    assert accelerators.without_flags("--b=3 --c --a", "--a=1 --b=2") == "--c"
