"""Every tool takes its options as the commands do: one line for what is wrong, and exit code 2."""

import ast
import subprocess
import sys

import pytest

from tests.conftest import ROOT

TOOLS = sorted(
    path.relative_to(ROOT).as_posix() for path in (ROOT / "tools").rglob("*.py") if '__name__ == "__main__"' in path.read_text(encoding="utf-8")
)
NOT_FOR_PEOPLE = {"tools/accelerator_stages/stage_process.py", "tools/parity_parts/recording_process.py"}
"""Started by other tools, which give them what they need."""


def test_no_tool_has_a_parser_of_its_own_kind():
    with_argparse = [path for path in (ROOT / "tools").rglob("*.py") if "ArgumentParser(" in path.read_text(encoding="utf-8")]
    assert not with_argparse and len(TOOLS) > 25


def test_help_fits_a_terminal():
    for tool in TOOLS:
        about = ast.get_docstring(ast.parse((ROOT / tool).read_text(encoding="utf-8"))) or ""
        assert max(map(len, about.splitlines())) <= 132, tool


@pytest.mark.slow
@pytest.mark.parametrize("tool", [tool for tool in TOOLS if tool not in NOT_FOR_PEOPLE])
def test_an_unknown_option_gets_one_line(tool):
    told = subprocess.run([sys.executable, tool, "--no-such-thing=1"], cwd=ROOT, capture_output=True, text=True, check=False)
    if "pip install" in told.stderr:
        pytest.skip(told.stderr.strip())
    assert told.returncode == 2 and told.stderr.count("\n") == 1 and "--no-such-thing" in told.stderr
