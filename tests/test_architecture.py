"""Who may import whom, and how large a file may grow."""

import ast
import re
import tomllib

import pytest

from tests.conftest import ROOT

PACKAGE = ROOT / "d3gzsl_jax"
OWN = "d3gzsl_jax"
# The rooms of the package, ground floor first: a room may import those of floors below its own, and on the ground each other.
FLOORS = (
    ("errors", "text", "keys", "precision", "system"), ("config", "losses", "data"), ("frameworks", "encoders"), ("distillation",),
    ("training",), ("evaluation",), ("baselines",), ("runs",), ("train", "convert"), ("studies",), ("api", "serving"), ("commands",), ("main",), ("__main__",),
)  # fmt: skip
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
LOOSE = {"__init__", "errors", "text", "keys", "precision", "train", "convert", "api", "commands", "main", "__main__"}
# module or folder -> top-level packages it may import (the standard library always), and which of ours
ALLOWED = {
    "losses": ({"jax", "numpy", "optax"}, {f"{OWN}.losses", f"{OWN}.precision"}),
    "evaluation/metrics.py": ({"jax", "numpy"}, set()),
    "frameworks/networks.py": ({"jax", "flax"}, {f"{OWN}.precision"}),
    "frameworks/vae_networks.py": ({"jax", "flax"}, {f"{OWN}.precision", f"{OWN}.frameworks.networks"}),
    "frameworks/diffusion_networks.py": ({"jax", "flax"}, {f"{OWN}.precision", f"{OWN}.frameworks.networks"}),
    "frameworks/diffusion.py": ({"jax", "numpy"}, set()),
    "precision.py": ({"jax"}, set()),
    "keys.py": ({"jax", "numpy"}, set()),
}


def imports(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def files(name):
    path = PACKAGE / name
    return sorted(path.rglob("*.py")) if path.is_dir() else [path]


@pytest.mark.parametrize("name", ALLOWED)
def test_pure_modules_import_only_what_they_may(name):
    outside, inside = ALLOWED[name]
    import sys

    for path in files(name):
        for module in imports(path):
            top = module.split(".")[0]
            if top == OWN:
                assert any(module.startswith(own) for own in inside), f"{path}: {module}"
            else:
                assert top in outside or top in sys.stdlib_module_names, f"{path}: {module}"


def own_imports(path):
    """The modules of the package that a file imports, by dotted name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] == OWN:
            for alias in node.names:
                dotted = f"{node.module}.{alias.name}"
                yield dotted if is_module(dotted) else node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] == OWN)


def is_module(dotted):
    path = ROOT / dotted.replace(".", "/")
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def test_no_room_imports_one_above_it():
    for path in PACKAGE.rglob("*.py"):
        here = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        for module in own_imports(path):
            there = module.split(".")[1] if "." in module else "__init__"
            below = there == here or there == "__init__" or FLOOR[there] < FLOOR[here] or FLOOR[there] == FLOOR[here] == 0
            assert below, f"{path}: {module} is above it"


def test_no_module_lies_loose_but_the_doors_and_the_ground():
    assert {path.stem for path in PACKAGE.glob("*.py")} <= LOOSE
    assert {path.name for path in PACKAGE.iterdir() if path.is_dir() and path.name != "__pycache__"} <= set(FLOOR)


def test_no_file_imports_itself_by_way_of_others():
    named = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in PACKAGE.rglob("*.py")}
    left = {name: {other for other in own_imports(path) if other in named} - {name} for name, path in named.items()}
    while free := [name for name, others in left.items() if not others & left.keys()]:
        for name in free:
            del left[name]
    assert not left, f"a circle is among {sorted(left)}"


@pytest.mark.parametrize("name", ["training", "frameworks", "distillation"])
def test_training_knows_no_configuration(name):
    """But for what builds its objects from one, and says what memory they need."""
    for path in files(name):
        if path.name not in ("build.py", "memory.py"):
            for module in imports(path):
                forbidden = (f"{OWN}.config", f"{OWN}.data", f"{OWN}.runs", "ml_collections", "configs", "tensorflow")
                assert not module.startswith(forbidden), f"{path}: {module}"


def test_the_page_of_a_run_reads_no_field_of_a_configuration_once_its_objects_are_built():
    functions = [node for node in ast.parse((PACKAGE / "train.py").read_text(encoding="utf-8")).body if isinstance(node, ast.FunctionDef)]
    names = [function.name for function in functions]
    below = functions[names.index("_build") + 1 :]
    assert {"_train", "begin", "_outer_steps", "_conclude"} <= {function.name for function in below}
    for function in below:
        used = {getattr(node, "id", None) or getattr(node, "attr", None) for node in ast.walk(function)}
        assert not {"config", "ConfigDict", "start", "to_dict"} & used, function.name


def test_tensorflow_is_imported_only_inside_functions():
    for path in PACKAGE.rglob("*.py"):
        if "tfds_builders" in path.parts:
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module]
                assert not any(name.startswith("tensorflow") for name in names), path


def test_the_list_without_tensorflow_has_all_other_dependencies():
    """constraints-3.12.txt is what .ci/without_tensorflow installs."""
    plain = lambda name: re.split(r"[^\w.-]", name)[0].lower().replace("_", "-")  # noqa: E731
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    listed = {plain(line) for line in (ROOT / "constraints-3.12.txt").read_text(encoding="utf-8").splitlines() if "==" in line}
    assert {plain(name) for name in declared} - listed == {"tensorflow", "tensorflow-cpu", "tensorflow-datasets"}
    assert not [name for name in listed if "tensorflow" in name or name in ("keras", "torch")]


def test_files_stay_small():
    for folder in ("d3gzsl_jax", "configs", "tools"):
        for path in (ROOT / folder).rglob("*.py"):
            assert len(path.read_text(encoding="utf-8").splitlines()) <= 320, path


def test_every_text_file_is_opened_as_utf_8():
    """Whatever the locale says. (ruff's rule for it, PLW1514, is a preview.)"""
    for folder in ("d3gzsl_jax", "configs", "tools"):
        for path in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not isinstance(node, ast.Call) or any(keyword.arg == "encoding" for keyword in node.keywords):
                    continue
                name = getattr(node.func, "id", None) or getattr(node.func, "attr", None)
                texts = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
                binary = any(isinstance(text, str) and "b" in text and len(text) <= 3 for text in texts[:2])
                of_module = isinstance(getattr(node.func, "value", None), ast.Name) and node.func.value.id in ("atomic", "os")
                bare = isinstance(node.func, ast.Name)
                opens = (name == "open" and bare and not binary) or (name in ("read_text", "write_text") and not bare and not of_module)
                assert not opens, f"{path}:{node.lineno}: give encoding='utf-8'"


def sources():
    for folder in ("d3gzsl_jax", "configs", "tools"):
        yield from (ROOT / folder).rglob("*.py")


def calls(path):
    """(dotted name, keyword arguments) of every call in a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords}, ast.unparse(node)


@pytest.mark.slow
def test_nothing_that_is_read_can_run_code():
    """Models and run folders hold arrays and JSON: no reader unpickles, whoever made the file. PyTorch's are read as weights only."""
    for path in sources():
        assert not {"pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"} & set(imports(path)), path
        for name, keywords, call in calls(path):
            if name in ("np.load", "numpy.load"):
                assert keywords.get("allow_pickle", "False") == "False", f"{path}: {call}"
            elif name == "torch.load":
                assert keywords.get("weights_only") == "True", f"{path}: {call}"
            assert name not in ("eval", "exec", "os.system") and keywords.get("shell") != "True", f"{path}: {call}"


@pytest.mark.slow
def test_every_csv_is_written_without_formulas():
    """What goes into a csv.writer goes through `csv_row`, but for headers of our own."""
    for path in sources():
        written = [call for name, _, call in calls(path) if name.endswith((".writerow", ".writerows"))]
        if written:
            assert "csv_row" in path.read_text(encoding="utf-8"), f"{path} writes CSV without d3gzsl_jax.text.csv_row"
        assert not any(name.endswith("DictWriter") for name, _, _ in calls(path)), path
