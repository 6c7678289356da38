"""What is said of libraries that are not there, or do not load."""

import sys

import pytest

from d3gzsl_jax.encoders import libraries
from d3gzsl_jax.encoders.pictures import open_picture
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.system.extras import install_command

ONE_BUILD = "install torch and torchvision of one release and one build (both for the CPU, or both for CUDA)"
WITHOUT = "pip uninstall torchvision: only timm needs it, ONNX and texts do not"
BROKEN = 'raise RuntimeError("operator torchvision::nms does not exist")\n'


@pytest.fixture
def modules(tmp_path, monkeypatch):
    """Makes modules that fail as they are imported, and torchvision one of those that are there."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(*names):
        for name in names:
            monkeypatch.delitem(sys.modules, name, raising=False)
            (tmp_path / f"{name}.py").write_text(BROKEN)

    return write


def refusal(name):
    with pytest.raises(UserError) as told:
        libraries.library(name, "text", "spec")
    assert "\n" not in str(told.value) and len(str(told.value)) < 330
    return str(told.value)


def test_builds_of_torch_that_do_not_fit(modules):
    modules("torchvision", "sentence_transformers", "transformers", "timm")
    for name in ("sentence_transformers", "transformers"):
        assert refusal(name).startswith(f"spec: {name} does not load (RuntimeError: operator torchvision::nms does not exist); {ONE_BUILD}")
        assert WITHOUT in refusal(name)
    assert ONE_BUILD in refusal("timm") and WITHOUT not in refusal("timm")  # which cannot do without


def test_nothing_is_uninstalled_that_is_not_there(modules, monkeypatch):
    modules("sentence_transformers")
    monkeypatch.setitem(sys.modules, "torchvision", None)
    assert ONE_BUILD in refusal("sentence_transformers") and WITHOUT not in refusal("sentence_transformers")


def test_others_are_not_blamed_on_torch(modules):
    modules("onnxruntime")
    assert "torchvision of one" not in refusal("onnxruntime") and "install it anew" in refusal("onnxruntime")


def test_what_fails_only_as_a_model_is_loaded(modules):
    modules("torchvision")

    def load():
        with libraries.refused("clip:x: cannot be loaded", "name a CLIP model"):
            try:
                import torchvision  # noqa: F401
            except RuntimeError as error:
                raise ModuleNotFoundError("Could not import module 'CLIPModel'") from error

    with pytest.raises(UserError) as told:
        load()
    assert "torchvision::nms" in str(told.value) and ONE_BUILD in str(told.value) and "name a CLIP" not in str(told.value)


def test_pillow_is_named_as_it_is_installed(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(UserError) as told:
        open_picture(tmp_path / "x.png")
    assert str(told.value) == f"pictures: pillow is not installed; {install_command('onnx')}"
