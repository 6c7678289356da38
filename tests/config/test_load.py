import shutil
import sys

import pytest

from d3gzsl_jax.config.load import load_config, split
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.studies import workers
from tests.conftest import ROOT

CUB = ROOT / "configs" / "cub.py"


def test_overrides_by_dotted_field():
    config = load_config(CUB, {"data.root": "elsewhere", "train.epochs": 3})
    assert config.data.root == "elsewhere" and config.train.epochs == 3
    assert load_config(f"{CUB}:base").eval.prediction == "classifier"


@pytest.mark.parametrize(
    ("spec", "overrides", "message"),
    [
        ("configs/none.py:base", {}, "configs/none.py: no such configuration file"),
        ("configs", {}, "--config=configs: is a folder"),
        ("", {}, "--config: is empty"),
        ("x" * 3000 + ".py", {}, r"--config=x+ \.\.\. x+.py: no such configuration file"),
        (CUB, {"x" * 3000: 1}, r"config.x+ \.\.\. x+: no such field"),
        (CUB, {"train.epochs": "9" * 3000}, r"config.train.epochs='9+ \.\.\. 9+': must be of type int"),
        (CUB, {"train": 5}, "config.train: no such field"),
        (CUB, {"seeds": 3}, "config.seeds=3: must be of type tuple"),
        (CUB, {"train.epoch": 3}, "config.train.epoch: no such field; did you mean config.train.epochs"),
        (CUB, {"train.epochs": "many"}, "config.train.epochs='many': must be of type int"),
        (f"{CUB}:bse", {}, "unknown variant 'bse'"),
    ],
)
def test_what_is_refused(spec, overrides, message):
    with pytest.raises(UserError, match=message):
        load_config(spec, overrides)


def test_where_the_variant_begins():
    assert split("a.py:base") == ("a.py", "base") and split("a.py") == ("a.py", "") and split("a:b/c.py:d:e") == ("a:b/c.py", "d:e")


WRONG = {
    "{}": r"returned \{\}, not a ml_collections.ConfigDict",
    "5": "returned 5, not a",
    "None": "returned None, not a",
    "list(range(10**4))": r"returned \[0, .* \.\.\. .*9999\], not a",
    "__import__('sys').exit(0)": "SystemExit: 0",
    "__import__('sys').exit()": "SystemExit",
    "(_ for _ in ()).throw(BaseException('mine'))": "BaseException: mine",
    "(_ for _ in ()).throw(GeneratorExit())": "GeneratorExit",
    "get_config()": "RecursionError",
    "1 / 0": "ZeroDivisionError",
    "(_ for _ in ()).throw(ValueError('a\\nb' * 1000))": "ValueError: a",
    "__import__('nowhere')": "No module named 'nowhere'",
}


@pytest.mark.parametrize("value", WRONG)
def test_whatever_a_file_does_is_one_line(tmp_path, value):
    path = tmp_path / "c.py"
    path.write_text(f"def get_config(variant='d3'):\n    return {value}\n")
    with pytest.raises(UserError, match=WRONG[value]) as refused:
        load_config(path)
    assert str(path) in str(refused.value) and "\n" not in str(refused.value) and len(str(refused.value)) < 600


FILES = {
    b"def get_config(:\n": "SyntaxError",
    b"x = '\xff\xfe'\n": "SyntaxError",
    b"\0": "SyntaxError",
    b"": "has no function get_config",
    b"get_config = 3\n": "has no function get_config",
    b"raise SystemExit(3)\n": "SystemExit: 3",
    b"def f(): f()\nf()\n": "RecursionError",
}


@pytest.mark.parametrize("content", FILES)
def test_whatever_a_file_holds_is_one_line(tmp_path, content):
    (tmp_path / "c.py").write_bytes(content)
    with pytest.raises(UserError, match=FILES[content]) as refused:
        load_config(tmp_path / "c.py:base")
    assert "\n" not in str(refused.value)


def test_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    assert load_config("~/configs/cub.py:base").eval.prediction == "classifier"


def two_folders(tmp_path):
    """Copies of the configurations that differ in what their files have in common."""
    for name, epochs in (("one", 11), ("two", 22)):
        shutil.copytree(ROOT / "configs", tmp_path / name / "configs", ignore=shutil.ignore_patterns("__pycache__"))
        default = tmp_path / name / "configs" / "default.py"
        default.write_text(default.read_text().replace("train.epochs = 2000", f"train.epochs = {epochs}"))
    return tmp_path / "one" / "configs" / "cub.py", tmp_path / "two" / "configs" / "cub.py"


def test_each_file_has_the_neighbours_of_its_own_folder(tmp_path):
    from configs import default

    before, path = {name for name in sys.modules if name.partition(".")[0] == "configs"}, list(sys.path)
    one, two = two_folders(tmp_path)
    assert [load_config(file).train.epochs for file in (one, two, CUB, two, one)] == [11, 22, 2000, 22, 11]
    assert sys.modules["configs.default"] is default and sys.path == path
    assert before == {name for name in sys.modules if name.partition(".")[0] == "configs"}
    one.with_name("default.py").write_text(two.with_name("default.py").read_text())
    assert load_config(one).train.epochs == 22  # read anew


def test_a_folder_of_another_name_has_neighbours_too(tmp_path):
    for name in ("a", "b"):
        folder = tmp_path / name / "trials"
        folder.mkdir(parents=True)
        (folder / "common.py").write_text(f"EPOCHS = {ord(name)}\n")
        (folder / "c.py").write_text(
            "from configs import default\nfrom trials.common import EPOCHS\n\ndef get_config(variant='d3'):\n"
            "    config = default.get_config(variant)\n    config.train.epochs = EPOCHS\n    return config\n"
        )
    found = [load_config(tmp_path / name / "trials" / "c.py").train.epochs for name in ("a", "b", "a")]
    assert found == [97, 98, 97] and "trials" not in sys.modules


def test_processes_of_tools_see_the_right_neighbours(tmp_path):
    files = two_folders(tmp_path)
    with workers.Pool(epochs_of, 1) as pool:
        assert [value for _, value in pool.finished([str(file) for file in (*files, files[0])])] == [11, 22, 11]


def epochs_of(file):
    return load_config(file).train.epochs
