"""What is said of one field of the configuration: its default, its meaning and the values it may have."""

import dataclasses
import difflib
import math
import sys
from typing import Any

from d3gzsl_jax.text import shortened

WHOLE = 2**31 - 1
"""The largest whole number: counters, sizes and row numbers are 32-bit on the device."""
LARGEST, SMALLEST = 3.4028234e38, 1.1754944e-38
"""The largest and the smallest positive float32."""
ANY = sys.float_info.max
"""The highest value of a number that never gets to the device."""
FIRST_VERSION = "0.1.0"
"""The first version of this package, which most fields are there since."""


@dataclasses.dataclass(frozen=True)
class Field:
    """One field. Its type is that of the default: True or False, a whole number, a number, a text, or a tuple of whole numbers.

    Attributes:
        name: dotted, as in 'train.epochs'.
        default: its value in configs/default.py, with D3.
        meaning: sentences, with the unit.
        low: the lowest value of a number.
        high: the highest; inf for what a 32-bit number holds.
        closed: whether it may be `low` itself.
        words: the texts it may be; () for any.
        base: the default of the variant 'base', without D3; None where that is `default`.
        may_change: whether a run may be resumed with another value: it changes no bit of the result, or is compared otherwise.
        smallest: the smallest number above 0.
        since: the first version with the field.
        counted_in: of a number of epochs, which: 'run', those of the run, which are parts of train.outer_steps where that is given;
            'rows', passes over the training rows in any case; '' of everything else.
        read_with: another field, by its dotted name, and the values of it with which this one is read; () if it always is.
    """

    name: str
    default: Any
    meaning: str
    low: float | None = None
    high: float = math.inf
    closed: bool = True
    words: tuple[str, ...] = ()
    base: Any = None
    may_change: bool = False
    smallest: float = SMALLEST
    since: str = FIRST_VERSION
    read_with: tuple[Any, ...] = ()
    counted_in: str = ""

    @property
    def group(self) -> str:
        """What is before the last dot of the name; '' without one."""
        return self.name.rpartition(".")[0]

    def value(self, d3: bool) -> Any:
        """The default with D3, or without."""
        return self.default if d3 or self.base is None else self.base

    def allowed(self) -> str:
        """The values it may have, in words."""
        if self.words:
            return ", ".join(word or "''" for word in self.words)
        if isinstance(self.default, bool):
            return "True or False"
        if isinstance(self.default, str):
            return "a text"
        if isinstance(self.default, tuple):
            return "a list of whole numbers, as in (0,1,2), or () for none"
        bounds = self._bounds() if self.high != ANY else dataclasses.replace(self, high=math.inf)._bounds()
        return f"{'a whole number' if self._whole else 'a number'}, {bounds}"

    def problem(self, value: Any) -> str | None:
        """What is wrong with a value, for a message that begins with the field and the value; None if nothing is."""
        if self.words:
            return self._no_word(value)
        if isinstance(self.default, bool | str | tuple):
            kind = list | tuple if isinstance(self.default, tuple) else type(self.default)
            return None if isinstance(value, kind) else f"must be {self.allowed()}"
        return self._no_number(value)

    @property
    def _whole(self) -> bool:
        return isinstance(self.default, int)

    def _no_word(self, value: Any) -> str | None:
        if isinstance(value, str) and value in self.words:
            return None
        near = difflib.get_close_matches(value, self.words, n=1) if isinstance(value, str) else []
        return f"expected one of {', '.join(self.words)}" + (f"; did you mean {near[0]!r}?" if near else "")

    def _no_number(self, value: Any) -> str | None:
        if isinstance(value, bool) or not isinstance(value, int if self._whole else int | float):
            return f"must be a {'whole ' if self._whole else ''}number"
        # The bounds first: a whole number can be too large for a float.
        low, most = -math.inf if self.low is None else self.low, self._most
        if not (low <= value if self.closed else low < value) or not value <= most:
            held = f" and at most {most}" if self.high == math.inf and value > most else ""
            return f"must be {self._bounds()}{held}"
        if not self._whole and 0.0 < value < self.smallest:
            return f"too small for 32-bit numbers; give at least {self.smallest:g}"
        return None

    @property
    def _most(self) -> float:
        return self.high if self.high < math.inf else WHOLE if self._whole else LARGEST

    def _bounds(self) -> str:
        low, high = (str(bound) if isinstance(bound, int) else f"{bound:g}" for bound in (self.low, self.high))
        bounds = f"at least {low}" if self.closed else f"more than {low}"
        if self.high == math.inf:
            return bounds
        if 1.0 - 1e-6 < self.high < 1.0:
            return f"{bounds} and less than 1"
        return f"{bounds} and at most {high}"


def named(field: str, value: Any, problem: str) -> str:
    """The message of a refused value."""
    return f"config.{field}={shortened(value)}: {problem}"
