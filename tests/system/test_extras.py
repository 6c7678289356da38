"""What to type to install an extra: in a checkout, and elsewhere; and that every extra that is named is there."""

import ast
import subprocess
import sys
import tomllib

import pytest

import d3gzsl_jax
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.system import extras
from tests.conftest import ROOT


@pytest.fixture
def installed_in(monkeypatch, tmp_path):
    """Makes a folder the one that the package lies in."""

    def place(name, project=None):
        folder = tmp_path / name
        folder.mkdir()
        if project is not None:
            (folder / "pyproject.toml").write_text(project)
        monkeypatch.setattr(d3gzsl_jax, "__file__", str(folder / "d3gzsl_jax" / "__init__.py"))
        return folder

    return place


OURS = '[project]\nname = "d3gzsl-jax"\n'


def test_in_a_checkout_it_is_installed_from_its_folder(installed_in, monkeypatch, tmp_path):
    checkout = installed_in("my checkout", OURS)
    monkeypatch.chdir(checkout)
    assert extras.install_command("images") == "pip install -e '.[images]'"
    monkeypatch.chdir(tmp_path)
    assert extras.install_command("onnx") == "pip install -e './my checkout[onnx]'"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert extras.install_command("onnx") == f"pip install -e '{checkout}[onnx]'"
    monkeypatch.setattr(extras.os, "getcwd", lambda: (_ for _ in ()).throw(FileNotFoundError()))
    assert extras.install_command("onnx") == f"pip install -e '{checkout}[onnx]'"


@pytest.mark.parametrize("project", [None, '[project]\nname = "other"\n', "[tool]\n", "no toml", 'project = "text"\n'])
def test_elsewhere_it_is_installed_by_its_name(installed_in, project):
    installed_in("site-packages", project)
    assert extras.install_command("images") == "pip install 'd3gzsl-jax[images]'"


def test_what_is_missing_is_named_as_it_is_installed(installed_in, monkeypatch):
    installed_in("site-packages")
    monkeypatch.setattr(extras.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"^this command needs pillow, which is not installed: pip install 'd3gzsl-jax\[serve\]'$"):
        extras.require("PIL", "serve", "this command")


def test_every_extra_that_is_named_is_there():
    """By `install_command`, `require` and `library`, whose argument it is; and no message has a command of its own."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    places = {"install_command": 0, "require": 1, "library": 1}
    found = set()
    for path in (ROOT / "d3gzsl_jax").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert path.name == "extras.py" or ("pip install 'd3gzsl" not in text and "pip install -e" not in text), path
        for node in ast.walk(ast.parse(text)):
            place = places.get(ast.unparse(node.func).rpartition(".")[2]) if isinstance(node, ast.Call) else None
            if place is not None and len(node.args) > place and isinstance(node.args[place], ast.Constant):
                found.add(node.args[place].value)
    assert {"images", "onnx", "text", "clip", "serve", "wandb", "tensorboard", "parity", "evidence"} <= found <= declared.keys()
    assert {name.partition(">")[0] for name in declared["onnx"]} == {"onnxruntime", "pillow"} and set(declared["onnx"]) <= set(declared["images"])


def test_it_costs_nothing_to_import():
    code = "import sys; import d3gzsl_jax.system.extras; sys.exit(bool({'numpy', 'jax'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
