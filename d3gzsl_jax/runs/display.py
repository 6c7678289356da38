"""What a person sees of a run: what is going on and how long it will take, lines for the log, a table at the end.

On a terminal one live line at the bottom says what is going on, with a bar and a time left where the length is known:

    ⠼ training: evaluating ━━━━━━━━━━━━━━━━━━━━━━━━━━ 240/620, 0:00:12, ETA 0:00:19

Elsewhere (a pipe, a log file, a notebook) there are plain lines only.
"""

import contextlib
import math
import signal
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.cells import cell_len
from rich.console import Console as RichConsole
from rich.console import RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from d3gzsl_jax.system import terminal
from d3gzsl_jax.text import visible

METRICS = {"U": "unseen", "S": "seen", "H": "harmonic", "T1": "zsl"}
"""What metrics are called on screen, and in results."""
UNKNOWN = "n/a"
_BAR = (8, 40)  # columns of the bar, at least and at most; where there is no room, there is none


def percent(value: float | None) -> str:
    """A fraction in percent, as people read it; 'n/a' where it is not known."""
    return UNKNOWN if value is None or math.isnan(value) else f"{100 * value:.1f}"


def duration(seconds: float) -> str:
    """'1:02:03' of hours, minutes and seconds."""
    whole = int(seconds)
    return f"{whole // 3600}:{whole % 3600 // 60:02d}:{whole % 60:02d}"


def wrapped(text: str, width: int) -> str:
    """`text` with line breaks between words, so that lines fit `width` columns; a word that is longer stays whole, on its own."""
    lines = []
    for paragraph in text.split("\n"):
        line: str | None = None
        for word in paragraph.split(" "):
            longer = word if line is None else f"{line} {word}"
            if line and line.strip() and cell_len(longer) > width:
                lines.append(line.rstrip())
                line = word or None  # blanks around the break go
            else:
                line = longer
        lines.append((line or "").rstrip())
    return "\n".join(lines)


class Console(RichConsole):
    """A console whose reader may go away, as `| head` does.

    Whoever listens for SIGTERM then gets it, so that a run saves a checkpoint before it ends; else the command ends at once, with
    the exit code of SIGPIPE. Nothing is printed after that.
    """

    def on_broken_pipe(self) -> None:
        """Called by rich in place of raising BrokenPipeError."""
        self.quiet = True
        terminal.lose_reader()
        if not callable(signal.getsignal(signal.SIGTERM)):
            raise SystemExit(terminal.READER_GONE)
        signal.raise_signal(signal.SIGTERM)


class Progress:
    """How long a phase has taken, and will take.

    The time left follows from the units after the first ones, which wait for their program to be compiled.

    Args:
        total: units of the phase.
        done: those that are done already.
    """

    def __init__(self, total: int, done: int = 0) -> None:
        self.total, self.done = total, done
        self._began = time.monotonic()
        self._from: tuple[float, int] | None = None  # when the first units were done, and what was done then
        self._paused: float | None = None  # since when
        self._pauses = 0.0

    def advance(self, units: int) -> None:
        """Some units are done."""
        self.done += units
        if units and self._from is None:
            self._from, self._pauses = (time.monotonic(), self.done), 0.0

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """The time spent within it tells nothing of the time to come."""
        if self._paused is not None:  # within another pause
            yield
            return
        self._paused = time.monotonic()
        try:
            yield
        finally:
            self._pauses += time.monotonic() - self._paused
            self._paused = None

    @property
    def elapsed(self) -> float:
        """Seconds since the phase began."""
        return time.monotonic() - self._began

    @property
    def left(self) -> float | None:
        """Seconds to the end; None as long as there is nothing to tell it by."""
        if self.done >= self.total:
            return 0.0
        if self._from is None or self.done <= self._from[1]:
            return None
        took = (time.monotonic() if self._paused is None else self._paused) - self._from[0] - self._pauses
        return max(took, 0.0) / (self.done - self._from[1]) * (self.total - self.done)

    def __str__(self) -> str:
        """'0:00:12, ETA 0:00:34'; without the time left as long as it is not known."""
        return duration(self.elapsed) + ("" if self.left is None else f", ETA {duration(self.left)}")


class Display:
    """Progress of the phases of a run.

    Args:
        console: where to print; a default one on standard output if None.
        quiet: print nothing.
    """

    def __init__(self, console: RichConsole | None = None, quiet: bool = False) -> None:
        self.console = console or Console(soft_wrap=True, highlight=False, quiet=quiet)
        self.progress: Progress | None = None  # of the phase under way
        self._phase, self._around = "", 0  # its name, and how much was going on when it began
        self._doing: list[str] = []  # what is going on, the innermost last
        self._known: set[str] = set()  # what has been going on so far
        self._since = time.monotonic()  # when the outermost of it began
        self._live: Live | None = None
        self._spinner = Spinner("dots")

    def say(self, text: str) -> None:
        """One line, above the live one where there is one."""
        self.show(visible(text))

    def show(self, what: Any) -> None:
        """Prints a text or a table; where that fails (a full disk), the rest is not printed, and what is going on goes on.

        A text on a terminal is broken between words; elsewhere a line stays a line.
        """
        if isinstance(what, str) and self.console.is_terminal:
            what = wrapped(what, self.console.width)
        try:
            self.console.print(what, markup=False, emoji=False)
        except OSError as error:
            self.console.quiet = True
            print(f"standard output cannot be written ({error.strerror}); nothing more is printed there", file=sys.stderr)

    def titled(self, title: str) -> "Display":
        """The same screen for one of several runs: its lines begin with `title`; '' for a run alone."""
        return _Titled(self, title) if title else self

    @contextlib.contextmanager
    def doing(self, what: str, logged: bool = True) -> Iterator[None]:
        """Says in words what is going on within it: `with display.doing("compiling the training step"): ...`

        On a terminal the live line says it for as long as it lasts, beside the phase where there is one. Elsewhere it is a plain
        line, the first time in a run only, so that what comes back with every epoch does not fill a log. The first time does not
        count for the time left of the phase under way: programs are compiled then, which are there the next time.

        Args:
            what: in words; the same ones each time it comes back.
            logged: whether it is said elsewhere than on a terminal, too.
        """
        is_new = what not in self._known
        self._known.add(what)
        if is_new and logged and not self.console.is_terminal:
            self.say(f"{what} ...")
        if not self._doing:
            self._since = time.monotonic()
        self._doing.append(what)
        self._update()
        try:
            with self.progress.paused() if is_new and self.progress else contextlib.nullcontext():
                yield
        finally:
            self._doing.pop()
            self._update()

    def begin_run(self) -> None:
        """Another run begins, or a fold: its programs are compiled anew, so what goes on in it is said, and left out of the time
        left, as if for the first time."""
        self._known.clear()

    def start(self, phase: str, total: int, done: int = 0) -> None:
        """Begins a phase of `total` units, of which an earlier start has `done` some; ends the one before."""
        self._phase, self._around, self.progress = phase, len(self._doing), Progress(total, done)
        self._update()

    def advance(self, units: int) -> None:
        """Some units of the phase are done."""
        if self.progress:
            self.progress.advance(units)

    def stop(self) -> None:
        """Ends the phase."""
        self._phase, self.progress = "", None
        self._update()

    def timing(self) -> str:
        """'0:00:12, ETA 0:00:34' of the phase under way, as the live line has it."""
        return str(self.progress or Progress(0))

    def _update(self) -> None:
        """Begins or ends the live line."""
        is_wanted = bool(self.progress or self._doing) and self.console.is_terminal and not self.console.quiet
        if is_wanted and self._live is None:
            self._live = Live(get_renderable=self._line, console=self.console, transient=True, refresh_per_second=8)
            self._live.start()
        elif not is_wanted and self._live is not None:
            self._live.stop()
            self._live = None

    def _line(self) -> Table:
        """The live line; it is made anew several times a second, in a thread of its own."""
        progress, doing = self.progress, self._doing[self._around if self.progress else 0 :]
        said = visible(": ".join(part for part in (self._phase, *doing[-1:]) if part))
        timing = f"{progress.done}/{progress.total}, {progress}" if progress else duration(time.monotonic() - self._since)
        room = min(self.console.width - cell_len(said) - len(timing) - 5, _BAR[1])
        bar = [ProgressBar(progress.total, progress.done, width=room)] if progress and room >= _BAR[0] else []
        cells: list[RenderableType] = [self._spinner, Text(said, overflow="ellipsis"), *bar, Text(timing)]
        line = Table.grid(padding=(0, 1))
        for _ in cells:
            line.add_column(no_wrap=True)
        line.add_row(*cells)
        return line

    def results(self, title: str, rows: Sequence[tuple[str, str, Mapping[str, Any]]]) -> None:
        """The final table: one row a predictor and selection rule; percentages of U, S, H, T1, and AUSUC where known."""
        table = Table(title=Text(visible(title)))
        table.add_column("prediction")
        table.add_column("epoch reported")
        for heading in METRICS:
            table.add_column(heading, justify="right")
        table.add_column("AUSUC", justify="right")
        for predictor, name, metrics in rows:
            area = percent(metrics["ausuc"]) if "ausuc" in metrics else ""
            table.add_row(predictor, name, *(percent(metrics.get(key)) for key in METRICS.values()), area)
        self.show(table)


class _Titled(Display):
    """What one of several runs sees of the display `of` all."""

    def __init__(self, of: Display, title: str) -> None:
        super().__init__(of.console)
        self._of, self._title = of, title

    def begin_run(self) -> None:
        self._of.begin_run()

    def start(self, phase: str, total: int, done: int = 0) -> None:
        self._of.start(phase, total, done)

    def advance(self, units: int) -> None:
        self._of.advance(units)

    def stop(self) -> None:
        self._of.stop()

    def timing(self) -> str:
        return self._of.timing()

    @contextlib.contextmanager
    def doing(self, what: str, logged: bool = True) -> Iterator[None]:
        with self._of.doing(what, logged):
            yield

    def say(self, text: str) -> None:
        self._of.say(self._title + text)

    def results(self, title: str, rows: Sequence[tuple[str, str, Mapping[str, Any]]]) -> None:
        self._of.results(self._title + title, rows)
