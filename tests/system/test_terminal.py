"""What is written where it cannot be, and a reader that leaves."""

import io
import os
import signal
import subprocess
import sys

import pytest

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.runs.display import Console, Display
from d3gzsl_jax.system import terminal
from tests.conftest import ROOT

SCRIPT = """
import sys
from d3gzsl_jax.system.terminal import run_command
from d3gzsl_jax.errors import UserError
def main():
    {body}
sys.exit(run_command(main))
"""


def script(body, **given):
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | given.pop("env", {})
    return subprocess.Popen([sys.executable, "-c", SCRIPT.format(body=body)], env=environment, stderr=subprocess.PIPE, text=True, **given)


def ended(process):
    error = process.stderr.read()
    return process.wait(timeout=60), error


def test_what_an_encoding_lacks_is_escaped():
    process = script("print('caf\\xe9 \\u20ac \\ud83d')", env={"PYTHONIOENCODING": "ascii"}, stdout=subprocess.PIPE)
    assert process.stdout.read() == "caf\\xe9 \\u20ac \\ud83d\n" and ended(process) == (0, "")


@pytest.mark.parametrize("body", ["print('x' * 10)", "print('x\\n' * 10**6)", "print('x'); sys.exit(0)"])
def test_a_reader_that_is_gone_ends_a_command_as_sigpipe_does(body):
    reader, writer = os.pipe()
    os.close(reader)
    process = script(body, stdout=writer)
    os.close(writer)
    assert ended(process) == (141, "")


def test_closed_and_full_outputs_are_no_failure(tmp_path):
    command = [sys.executable, "-c", SCRIPT.format(body=f"print('x'); open({str(tmp_path / 'f')!r}, 'w').write('mine')")]
    run = subprocess.run(["sh", "-c", '"$@" >&-', "sh", *command], env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True)
    assert run.returncode == 0 and run.stderr == b"" and (tmp_path / "f").read_text() == "mine"
    if os.path.exists("/dev/full"):
        with open("/dev/full", "w") as full:
            assert ended(script("print('x')", stdout=full)) == (2, "-c: standard output cannot be written (No space left on device)\n")


def test_what_is_refused_is_one_line():
    code, error = ended(script("raise UserError('a\\x1b[31mb')", stdout=subprocess.DEVNULL))
    assert code == 2 and error == "-c: a\\x1b[31mb\n"


def test_what_is_told_begins_with_the_programs_name(capsys):
    def refused():
        raise UserError("no")

    assert terminal.run_command(refused, "d3gzsl") == 2 and capsys.readouterr().err == "d3gzsl: no\n"


def test_a_broken_pipe_of_something_else_is_not_hidden():
    code, error = ended(script("raise BrokenPipeError", stdout=subprocess.PIPE))
    assert code == 1 and "BrokenPipeError" in error


class Broken(io.StringIO):
    def write(self, text):
        raise self.error


def test_a_display_asks_the_run_to_stop_when_its_reader_leaves(monkeypatch):
    lost, asked = [], []
    monkeypatch.setattr(terminal, "lose_reader", lambda: lost.append(1))
    Broken.error = BrokenPipeError()
    before = signal.signal(signal.SIGTERM, lambda number, frame: asked.append(number))
    try:
        display = Display(Console(file=Broken()))
        display.say("one")
        display.say("two")
        assert lost == [1] and asked == [signal.SIGTERM]
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        display = Display(Console(file=Broken()))
        with pytest.raises(SystemExit) as ended:
            display.say("one")
        assert ended.value.code == terminal.READER_GONE
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_full_disk_costs_the_output_and_nothing_else(capsys):
    Broken.error = OSError(28, "No space left on device")
    display = Display(Console(file=Broken()))
    display.say("one")
    display.say("two")
    assert capsys.readouterr().err == "standard output cannot be written (No space left on device); nothing more is printed there\n"


def test_names_steer_no_terminal_and_are_no_markup():
    out = io.StringIO()
    display = Display(Console(file=out, width=100))
    display.say("a\x1b[2Jb\u202ec [/x]")
    display.results("t\x1b[/red]", [("student", "last (1)", dict.fromkeys(("unseen", "seen", "harmonic", "zsl"), 0.5))])
    assert "\x1b" not in out.getvalue() and "a\\x1b[2Jb\\u202ec [/x]" in out.getvalue() and "t\\x1b[/red]" in out.getvalue()
