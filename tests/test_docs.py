"""What README and docs/ name is there: files, links, commands, options, configurations, tools."""

import ast
import contextlib
import functools
import importlib
import io
import os
import re
import shlex
import subprocess
import sys

import pytest

from d3gzsl_jax import api
from d3gzsl_jax.commands import COMMANDS
from d3gzsl_jax.config import command_line
from d3gzsl_jax.config.load import load_config
from d3gzsl_jax.errors import UserError
from d3gzsl_jax.main import main
from tests.conftest import ROOT
from tests.test_architecture import FLOOR

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+(?:\n[^`\n]+)?)`")
FENCED = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
PLACEHOLDER = re.compile(r"--config[= ](?:NAME|FILE|[AB]\.py|configs/cramped|configs/FILE)|--config\.(?:GROUP|FIELD)")
OURS = ("d3gzsl_jax", "configs", "tests", "tools", "docs")
EXAMPLES = {"configs/cramped.py"}  # a page tells how to make it
# What was called so, once: told in the changelog, and nowhere else.
GONE = ("course.py", "together.py", "earlier_versions", "tools/ablate.py", "tools/report.py", "convert_torch", "adding_a_base")


def named(page):
    return str(page.relative_to(ROOT))


def prose(page):
    return FENCED.sub("", page.read_text(encoding="utf-8"))


def anchors(page):
    """The anchors of a page's headings, as GitHub and mkdocs form them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def commands(page):
    """Every command line of a page: those of its blocks, joined where a line goes on, and those within sentences."""
    text = page.read_text(encoding="utf-8")
    for language, block in FENCED.findall(text):
        if language in ("bash", "sh", ""):
            for line in block.replace("\\\n", " ").splitlines():
                yield from re.split(r" (?:&&|;|\|) ", re.sub(r"(^|\s)#\s.*", "", line))
    yield from (" ".join(code.split()) for code in CODE.findall(prose(page)))


def test_the_page_of_the_api_has_every_name():
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    found = []
    for name in re.findall(r"^::: ([\w.]+)$", page, re.MULTILINE):
        try:
            found.append(importlib.import_module(name))
        except ModuleNotFoundError:
            module, _, last = name.rpartition(".")
            found.append(getattr(importlib.import_module(module), last))
    inside = [value for module in found if isinstance(module, type(re)) for value in vars(module).values()]
    for name in api.__all__:
        assert any(getattr(api, name) is value for value in [*found, *inside]) or f"`d3.{name}`" in page, name


def words(command):
    try:
        return shlex.split(command)
    except ValueError:
        return command.split()


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_link_leads_somewhere(page):
    for link in LINK.findall(prose(page)):
        if link.startswith(("http:", "https:")):
            continue
        target, _, anchor = link.partition("#")
        path = (page.parent / target).resolve() if target else page
        assert path.exists(), f"{named(page)}: {link}"
        if page.parent.name == "docs":
            assert path.parent.name == "docs" or path == page, f"{named(page)}: {link} lies outside the site"
        if anchor:
            assert anchor in anchors(path), f"{named(page)}: {link}; there are {sorted(anchors(path))}"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_file_that_is_named_exists(page):
    if page.name == "CHANGELOG.md":  # which names what is gone
        return
    found = {match for command in commands(page) for match in re.findall(rf"(?<![\w/.\-])((?:{'|'.join(OURS)})/[\w./\-]*)", command)}
    for name in found - EXAMPLES:
        assert (ROOT / name.rstrip(".")).exists(), f"{named(page)}: {name}"
    text = page.read_text(encoding="utf-8")
    assert not [gone for gone in GONE if gone in text], named(page)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_command_and_its_options_exist(page):
    for command in commands(page):
        found = re.search(r"(?:^|[\s/])d3gzsl ([a-z][a-z\-]*)(?=\s|$)(.*)", command)
        if not found or "pip" in command or "gcloud" in command:
            continue
        name, rest = found[1], words(found[2])
        assert name in COMMANDS, f"{named(page)}: {command}"
        if name == "convert" and rest and rest[0].startswith("to-"):
            name += f" {rest[0]}"
        for option in (word.partition("=")[0] for word in rest if word.startswith("--")):
            either = re.sub(r"\\-|_", "[-_]", re.escape(option[2:]))  # an option is read with both
            known = option.startswith("--config.") or re.search(rf"(?<![\w-])--{either}(?![\w-])", help_of(name))
            assert known, f"{named(page)}: {command}: {option}"


@functools.cache
def help_of(name):
    with contextlib.redirect_stdout(io.StringIO()) as told, contextlib.suppress(SystemExit):
        main([*name.split(), "--help"])
    return told.getvalue()


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_configuration_and_field_exists(page):
    if page.name == "CHANGELOG.md":  # which names what is gone
        return
    for command in commands(page):
        given = words(command)
        if given[:1] == ["tfds"] or not any(word.startswith("--config") for word in given) or PLACEHOLDER.search(command):
            continue
        try:
            command_line.taken([word for word in given if not word.startswith("--config=") or word == given_spec(given)])
        except UserError as error:
            pytest.fail(f"{named(page)}: {command}: {error}")
        for spec in (word for word in given if word.startswith("--config=")):
            load_config(spec.partition("=")[2])


def given_spec(given):
    """The first configuration of a command: a study may have several."""
    return next((word for word in given if word.startswith("--config=")), None)


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_option_of_a_tool_exists(page):
    for command in commands(page):
        found = re.search(r"(?:^|\s)python3? (tools/[\w/]+\.py)(.*)", command)
        if not found:
            continue
        near = [ROOT / found[1], *(ROOT / found[1]).parent.glob("*.py"), *(ROOT / "tools" / "parity_parts").glob("*.py")]
        source = "".join(path.read_text(encoding="utf-8") for path in near)
        for option in (word.partition("=")[0] for word in words(found[2].partition(" -- ")[0]) if word.startswith("--")):
            assert f'"{option}"' in source or f'"{option[2:]}"' in source, f"{named(page)}: {command}: {option}"


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_what_python_examples_use_is_there(page):
    for language, block in FENCED.findall(page.read_text(encoding="utf-8")):
        if language != "python" or block.startswith("    "):  # lines of a larger whole
            continue
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "d3":
                assert node.attr in api.__all__, f"{named(page)}: d3.{node.attr}"


def rows_of(page):
    """The cells of every row of a page's tables, of what is in ` alone."""
    lines = [line for line in prose(page).splitlines() if line.startswith("|") and not line.startswith("|---")]
    return [[CODE.findall(cell) for cell in line.strip("|").split("|")] for line in lines]


def test_the_architecture_page_names_functions_where_they_are():
    page_of_a_run, checked = ROOT / "d3gzsl_jax" / "train.py", 0
    for cells in rows_of(ROOT / "docs" / "architecture.md"):
        names = [name for cell in cells for name in cell]
        files = [ROOT / "d3gzsl_jax" / name for name in names if re.fullmatch(r"[\w/]+/\w+\.py", name)]
        source = "".join(path.read_text(encoding="utf-8") for path in [*files, page_of_a_run])
        for name in names:
            if files and re.fullmatch(r"\w+(\.\w+)?", name) and not name.endswith(".py"):
                assert re.search(rf"(def|class) {name.rpartition('.')[2]}\b", source), f"{cells}: {name}"
                checked += 1
    assert checked > 15


def test_the_architecture_page_names_files_where_they_are():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    for name in re.findall(r"`([\w/]+(?:/|\.py))`", page):
        places = [ROOT, ROOT / "d3gzsl_jax", *(ROOT / "d3gzsl_jax").glob("*/"), ROOT / "tools"]
        assert any((place / name).exists() for place in places), name


def test_the_architecture_page_has_the_rooms_and_floors_of_the_package():
    lines = prose(ROOT / "docs" / "architecture.md").splitlines()
    rows = [line.strip("|").split("|") for line in lines if re.match(r"\| \d", line)]
    assert {name.strip("/").removesuffix(".py"): int(row[0]) for row in rows for name in CODE.findall(row[1])} == FLOOR


def test_the_architecture_page_names_every_folder_beside_the_package():
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([\w/]+/)`", text.partition("## Beside the package")[2]))
    ours = {path.parent.name for kind in ("py", "md", "ipynb") for path in ROOT.glob(f"[!.]*/*.{kind}")} - {"d3gzsl_jax"}
    ours |= {path.parent.name for path in (ROOT / "tools").glob("*/__init__.py")}
    assert {"examples", "evidence", "figures"} < ours and {f"{folder}/" for folder in ours} - named == set()


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_every_page_is_in_the_contents():
    pages = {page.name for page in (ROOT / "docs").glob("*.md")}
    site, index = (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    assert {page for page in pages if page not in site} == set()
    assert {page for page in pages - {"index.md"} if f"({page})" not in index} == set()


def test_every_picture_is_shown():
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert {path.name for path in (ROOT / "docs").glob("*.svg") if path.name not in text} == set()


@pytest.mark.slow
def test_the_site_builds(tmp_path):
    pytest.importorskip("mkdocs")
    pytest.importorskip("mkdocstrings")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)],
        capture_output=True, text=True, cwd=ROOT, env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    assert "batch_ood_distillation" in (tmp_path / "api.html").read_text(encoding="utf-8")


def test_the_table_of_configurations_lists_every_one_with_its_frameworks():
    text = (ROOT / "docs" / "using.md").read_text(encoding="utf-8")
    every = re.search(r'^"All eight" are (.+)\.$', text, re.MULTILINE)[1].replace(" and ", ", ").split(", ")
    listed = {}
    for names, told in re.findall(r"^\| (`\w+`(?:, `\w+`)*) \| [^|]+ \| ([^|]+) \|", text, re.MULTILINE):
        words = set(re.findall(r"\w+", told.replace("all eight", "").removeprefix("all but").replace(" and ", " ")))
        frameworks = set(every) - words if told.startswith("all ") else words
        listed |= dict.fromkeys(re.findall(r"\w+", names), frameworks)
    files = [path.stem for path in (ROOT / "configs").glob("*.py") if path.stem not in ("__init__", "default")]
    there = {name: set(importlib.import_module(f"configs.{name}").FRAMEWORKS) for name in files}
    assert set(every) == there["cub"] and listed == there


def test_no_page_holds_a_place_to_be_filled():
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        assert not re.search(r"^[A-Z]{5,}$", page.read_text(encoding="utf-8"), re.MULTILINE), page
