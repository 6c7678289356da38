"""What a person sees of a run: a progress bar with ETA on a terminal, plain lines elsewhere, a table at the end."""

import math
import signal
import sys
import time
from typing import Any

from rich.console import Console as RichConsole
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from d3gzsl_jax.system import terminal
from d3gzsl_jax.text import visible

METRICS = {"U": "unseen", "S": "seen", "H": "harmonic", "T1": "zsl"}
"""What metrics are called on screen, and in results."""
UNKNOWN = "n/a"


def percent(value: float | None) -> str:
    """A fraction in percent, as people read it; 'n/a' where it is not known."""
    return UNKNOWN if value is None or math.isnan(value) else f"{100 * value:.1f}"


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


class Display:
    """Progress of the phases of a run.

    Args:
        console: where to print; a default one on standard output if None.
        quiet: print nothing.
    """

    def __init__(self, console: RichConsole | None = None, quiet: bool = False) -> None:
        self.console = console or Console(soft_wrap=True, highlight=False, quiet=quiet)
        self._progress: Progress | None = None
        self._task: Any = None
        self._started, self._done, self._total = time.monotonic(), 0, 0

    def say(self, text: str) -> None:
        """One line, above the bar where there is one."""
        self.show(visible(text))

    def show(self, what: Any) -> None:
        """Prints a text or a table; where that fails (a full disk), the rest is not printed, and what is going on goes on."""
        console = self._progress.console if self._progress else self.console
        try:
            console.print(what, markup=False)
        except OSError as error:
            console.quiet = True
            print(f"standard output cannot be written ({error.strerror}); nothing more is printed there", file=sys.stderr)

    def titled(self, title: str) -> "Display":
        """The same screen for one of several runs: its lines begin with `title`; '' for a run alone."""
        return _Titled(self, title) if title else self

    def start(self, phase: str, total: int) -> None:
        """Begins a phase of `total` units; ends the one before."""
        self.stop()
        self._started, self._done, self._total = time.monotonic(), 0, total
        if self.console.is_terminal:
            self._progress = Progress(
                TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("ETA"),
                TimeRemainingColumn(), console=self.console, transient=True,
            )
            self._progress.start()
            self._task = self._progress.add_task(phase, total=total)

    def advance(self, units: int) -> None:
        """Some units of the phase are done."""
        self._done += units
        if self._progress:
            self._progress.advance(self._task, units)

    def stop(self) -> None:
        """Ends the phase."""
        if self._progress:
            self._progress.stop()
        self._progress = None

    def timing(self) -> str:
        """'12 s, ETA 0:34' of the phase under way."""
        elapsed = time.monotonic() - self._started
        left = elapsed / max(self._done, 1) * (self._total - self._done)
        return f"{elapsed:.0f} s, ETA {int(left) // 3600}:{int(left) % 3600 // 60:02d}:{int(left) % 60:02d}"

    def results(self, title: str, rows: list[tuple[str, str, dict[str, float]]]) -> None:
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
        self.start, self.advance, self.stop, self.timing = of.start, of.advance, of.stop, of.timing

    def say(self, text: str) -> None:
        self._of.say(self._title + text)

    def results(self, title: str, rows: list[tuple[str, str, dict[str, float]]]) -> None:
        self._of.results(self._title + title, rows)
