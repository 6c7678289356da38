import shutil
import sys
from pathlib import Path

import pytest

from d3gzsl_jax.config.load import load_config, shipped, split
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.studies import worker_pool
from tests.conftest import ROOT

CUB = ROOT / "configs" / "cub.py"


def test_overrides_by_dotted_field():
    config = load_config(CUB, {"data.root": "elsewhere", "train.epochs": 3})
    assert config.data.root == "elsewhere" and config.train.epochs == 3
    assert load_config(f"{CUB}:base").eval.prediction == "classifier"


@pytest.mark.parametrize(
    ("spec", "overrides", "message"),
    [
        ("configs/nowhere.py:base", {}, "configs/nowhere.py: no such configuration file"),
        (ROOT / "configs", {}, "--config=.*configs: is a folder"),
        ("cu:base", {}, "--config=cu: no configuration of that name; did you mean cub. There are apy, .*, sun; a file is given by its path"),
        ("nothing", {}, "--config=nothing: no configuration of that name; there are apy, awa1"),
        ("/nowhere/cub.py", {}, "--config=/nowhere/cub.py: no such configuration file; --config=cub is the one that comes with the package"),
        ("cub:bse", {}, "unknown variant 'bse' after the colon, expected one of d3, base, wgan, fclswgan, cegzsl, fvaegan, tfvaegan, cadavae, zerodiff, free, att, sent; did you mean 'base'"),
        ("", {}, "--config: is empty"),
        ("x" * 3000 + ".py", {}, r"--config='x+ \.\.\. x+.py': the name is too long for a path"),
        (CUB, {"x" * 3000: 1}, r"config.x+ \.\.\. x+: no such field"),
        (CUB, {"train.epochs": "9" * 3000}, r"config.train.epochs='9+ \.\.\. 9+': must be a whole number, at least 1"),
        (CUB, {"framework": 5}, "config.framework=5: expected one of wgan, fclswgan"),
        (CUB, {"train": 5}, "config.train: no such field"),
        (CUB, {"seeds": 3}, r"config.seeds=3: must be a list of whole numbers, as in \(0,1,2\), or \(\) for none"),
        (CUB, {"train.epoch": 3}, "config.train.epoch: no such field; did you mean config.train.epochs"),
        (CUB, {"train.epochs": "many"}, "config.train.epochs='many': must be a whole number, at least 1$"),
        (f"{CUB}:bse", {}, "unknown variant 'bse'"),
        ("cub:bse", {}, "^--config=cub:bse: unknown variant"),
        ("cub:base,d3", {}, "^--config=cub:base,d3: variant 'base,d3' after the colon has base and d3"),
        ("cub:", {}, "^--config='cub:': nothing is after the colon; give one of d3, base, wgan, .*, att, sent, or leave the colon out"),
        (f"{CUB}: ", {}, "cub.py: ': nothing is after the colon; give one of d3, base, wgan"),
        ("default:foo", {}, "^--config=default:foo: unknown variant 'foo' after the colon, expected one of d3, base"),
    ],
)
def test_what_is_refused(spec, overrides, message):
    with pytest.raises(UserError, match=message):
        load_config(spec, overrides)


def test_a_file_without_variants(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("from configs import digits\n\ndef get_config():\n    config = digits.get_config()\n    config.mine = 3\n    return config\n")
    assert load_config(path).mine == 3
    for variant in ("base", ""):
        with pytest.raises(UserError, match=r"mine.py has no variants; leave the colon and what is after it out"):
            load_config(f"{path}:{variant}")
    with pytest.raises(UserError, match=r"config\.mine='x': must be a whole number$"):  # a field of the user's own
        load_config(path, {"mine": "x"})


def test_where_the_variant_begins():
    assert split("a.py:base") == ("a.py", "base") and split("a.py") == ("a.py", "") and split("a:b/c.py:d:e") == ("a:b/c.py", "d:e")
    assert split("cub:cegzsl,base") == ("cub", "cegzsl,base") and split("cub") == ("cub", "") and split("a/b:c") == ("a/b:c", "")


def test_what_is_shipped_is_found_by_name_from_any_folder(tmp_path, monkeypatch):
    """Not confused by a folder of the same name that somebody else's program has there."""
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "default.py").write_text("1 / 0")
    (tmp_path / "configs" / "__init__.py").write_text("1 / 0")
    (tmp_path / "cub").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert {"cub", "digits", "default", "many_classes"} <= shipped().keys() and "__init__" not in shipped()
    for name, path in shipped().items():
        assert path == ROOT / "configs" / f"{name}.py" and load_config(name) == load_config(path)
    assert load_config("cub:base,cegzsl") == load_config(f"{CUB}:cegzsl,base")
    with pytest.raises(UserError, match="ZeroDivisionError"):
        load_config("configs/default.py")  # a path means the path


@pytest.mark.parametrize("folder", ["configs", "mine"])
def test_files_of_users_find_what_is_shipped(tmp_path, monkeypatch, folder):
    """Also where neither the working directory nor sys.path has a folder `configs`, as after pip install."""
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry and not (Path(entry) / "configs").is_dir()])
    monkeypatch.chdir(tmp_path)
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "quick.py").write_text(
        "from configs import digits\n\ndef get_config(variant='d3'):\n    config = digits.get_config(variant)\n"
        "    config.train.epochs = 3\n    return config\n"
    )
    before, path = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "configs"}, list(sys.path)
    assert load_config(f"{folder}/quick.py:cegzsl").train.epochs == 3
    assert sys.path == path and before == {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "configs"}


def test_a_folder_may_have_a_file_that_runs_first(tmp_path):
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / "__init__.py").write_text("EPOCHS = 5\n")
    (tmp_path / "configs" / "c.py").write_text(
        "from configs import EPOCHS, default\n\ndef get_config():\n    config = default.get_config()\n"
        "    config.train.epochs = EPOCHS\n    return config\n"
    )
    assert load_config(tmp_path / "configs" / "c.py").train.epochs == 5


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
        changed = f"    config = ConfigDict(schema.nested(schema.defaults(variant)))\n    config.train.epochs = {epochs}\n    return config\n"
        default.write_text(default.read_text().replace("    return ConfigDict(schema.nested(schema.defaults(variant)))\n", changed))
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


@pytest.mark.slow
def test_processes_of_tools_see_the_right_neighbours(tmp_path):
    files = two_folders(tmp_path)
    with worker_pool.Pool(epochs_of, 1) as pool:
        assert [value for _, value in pool.finished([str(file) for file in (*files, files[0])])] == [11, 22, 11]


def epochs_of(file):
    return load_config(file).train.epochs
