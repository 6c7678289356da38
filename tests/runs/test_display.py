"""What is said of a run: the time left, what is going on, and where lines break."""

import io
import types

import pytest
from rich.cells import cell_len

from d3gzsl_jax.runs import display as module
from d3gzsl_jax.runs.display import Console, Display, Progress, wrapped


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self, monkeypatch):
        self.now = 0.0
        monkeypatch.setattr(module, "time", types.SimpleNamespace(monotonic=lambda: self.now))

    def wait(self, seconds):
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def screen(is_terminal, width=80):
    file = io.StringIO()
    return Display(Console(soft_wrap=True, highlight=False, file=file, force_terminal=is_terminal, width=width)), file


def test_time_left_does_not_count_compiling(clock):
    progress = Progress(110)
    clock.wait(60.0)  # the first steps wait for their program
    assert str(progress) == "0:01:00"
    progress.advance(10)
    assert progress.left is None and str(progress) == "0:01:00"
    clock.wait(20.0)
    progress.advance(20)
    assert progress.left == pytest.approx(80.0) and str(progress) == "0:01:20, ETA 0:01:20"
    progress.advance(80)
    assert progress.left == 0.0 and str(progress) == "0:01:20, ETA 0:00:00"


def test_time_left_does_not_count_what_an_earlier_start_did(clock):
    progress = Progress(1000, done=900)
    progress.advance(10)
    clock.wait(10.0)
    progress.advance(10)
    assert progress.left == pytest.approx(80.0)


def test_the_first_time_of_something_does_not_count_and_later_ones_do(clock):
    shown, _ = screen(False)
    shown.start("training", 40)
    shown.advance(10)
    clock.wait(10.0)
    shown.advance(10)
    with shown.doing("evaluating"):
        clock.wait(50.0)
        assert shown.progress.left == pytest.approx(20.0) and shown.timing() == "0:01:00, ETA 0:00:20"
        with shown.doing("fitting the final classifier"):
            clock.wait(30.0)
    assert shown.progress.left == pytest.approx(20.0)
    clock.wait(10.0)
    shown.advance(10)
    with shown.doing("evaluating"):
        clock.wait(10.0)
    assert shown.progress.left == pytest.approx(15.0)


def test_a_log_says_what_is_going_on_once():
    shown, file = screen(False)
    shown.start("training", 2)
    for title in ("seed 0: ", "seed 1: ", ""):
        with shown.titled(title).doing("evaluating"):
            pass
    shown.advance(2)
    shown.stop()
    assert file.getvalue() == "evaluating ...\n"


def test_what_every_run_compiles_is_said_of_every_run(clock):
    """Folds and the run after them are runs of one process, each with programs of its own."""
    shown, file = screen(False)
    for _ in range(2):
        shown.titled("seed 1: ").begin_run()
        shown.start("training", 30)
        shown.advance(10)
        clock.wait(10.0)
        shown.advance(10)
        with shown.doing("evaluating"):
            clock.wait(50.0)
        assert shown.progress.left == pytest.approx(10.0)  # of every run the first time does not count
        with shown.doing("evaluating"):
            pass
    assert file.getvalue() == "evaluating ...\n" * 2


def test_a_terminal_says_what_is_going_on_in_its_live_line():
    shown, file = screen(True)
    line = lambda: shown.console.render_lines(shown._line(), pad=False)[0]  # noqa: E731
    text = lambda: "".join(segment.text for segment in line())  # noqa: E731
    with shown.doing("reading data"):
        assert text()[2:].rstrip() == "reading data 0:00:00"
    with shown.doing("one of two"):
        shown.start("training", 320)
        assert text()[2:].startswith("training ━") and "one of two" not in text()
        with shown.doing("compiling the training step"):
            assert "training: compiling the training step ━" in text() and " 0/320, 0:00:00" in text()
            assert sum(cell_len(segment.text) for segment in line()) <= 80
        shown.say("a line")
        shown.stop()
        assert "one of two" in text()
    assert shown._live is None
    assert "a line\n" in file.getvalue() and "reading data ..." not in file.getvalue()


def test_the_live_line_ends_with_an_error():
    shown, _ = screen(True)
    with pytest.raises(ValueError, match="bad"), shown.doing("something"):
        raise ValueError("bad")
    assert shown._live is None


def test_a_bar_too_wide_for_the_terminal_is_left_out():
    shown, _ = screen(True, width=40)
    shown.start("training", 320)
    with shown.doing("compiling the training step"):
        assert "━" not in "".join(segment.text for segment in shown.console.render_lines(shown._line())[0])
    shown.stop()


LINE = "wgan + D3 on digits: 1003 training rows of 64 features; in /a/folder/whose-name/is-longer/than/the-forty/columns"


def test_lines_break_between_words_on_a_terminal_and_not_elsewhere():
    for is_terminal, expected in ((True, wrapped(LINE, 40)), (False, LINE)):
        shown, file = screen(is_terminal, width=40)
        shown.say(LINE)
        assert file.getvalue() == expected + "\n"


@pytest.mark.parametrize("width", [10, 24, 40, 80])
def test_a_word_is_never_cut(width):
    lines = wrapped(LINE, width).split("\n")
    assert " ".join(lines) == LINE
    assert all(len(line) <= width or " " not in line for line in lines)


def test_blanks_and_breaks_stay():
    assert wrapped("epoch 5/20  student     U 21.6\n  next", 80) == "epoch 5/20  student     U 21.6\n  next"
    assert wrapped("字" * 8 + " " + "字" * 8, 20) == "字" * 8 + "\n" + "字" * 8


def test_names_between_colons_are_no_pictures():
    display, file = screen(is_terminal=False)
    display.say("timm:a:b, class :cat: [red]")
    assert file.getvalue() == "timm:a:b, class :cat: [red]\n"
