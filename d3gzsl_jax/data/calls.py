"""Which outer steps a call of the compiled loop does, and after which of them a run is evaluated."""

import dataclasses
import heapq
import itertools
from collections.abc import Iterator, Sequence


@dataclasses.dataclass(frozen=True)
class Call:
    """One call of the compiled loop: outer steps first, first + 1, ..., first + count - 1."""

    first: int
    count: int

    @property
    def end(self) -> int:
        """Outer steps done after it."""
        return self.first + self.count


@dataclasses.dataclass(frozen=True)
class EvaluationSteps:
    """The outer steps after which runs are evaluated, ascending: the ends of every so many epochs, and of the last. They are never
    listed, since there may be very many.

    Attributes:
        per_epoch: outer steps of an epoch.
        schedules: of each run how many epochs lie between evaluations, and how many there are in all.
    """

    per_epoch: int
    schedules: tuple[tuple[int, int], ...]

    @classmethod
    def union(cls, several: Sequence["EvaluationSteps"]) -> "EvaluationSteps":
        """Those of runs with epochs of one length."""
        return cls(several[0].per_epoch, tuple(dict.fromkeys(schedule for one in several for schedule in one.schedules)))

    @property
    def last(self) -> int:
        """The last outer step."""
        return self.per_epoch * max(epochs for _, epochs in self.schedules)

    def __contains__(self, step: int) -> bool:
        epoch, within = divmod(step, self.per_epoch)
        ends = any(epoch == epochs or (epoch < epochs and epoch % every == 0) for every, epochs in self.schedules)
        return within == 0 and epoch > 0 and ends

    def __iter__(self) -> Iterator[int]:
        return self.after(0)

    def after(self, step: int) -> Iterator[int]:
        """Those after outer step `step`."""
        epoch = step // self.per_epoch  # the last that is done
        ends = (itertools.chain(range(epoch // every * every + every, last, every), (last,)) for every, last in self.schedules)
        merged = (end for end, _ in itertools.groupby(heapq.merge(*ends)))
        return (end * self.per_epoch for end in merged if end > epoch)


@dataclasses.dataclass(frozen=True)
class Calls:
    """Calls of the loop from step `start` through the last of `evaluated`, none longer than `most` nor across an evaluation."""

    start: int
    evaluated: EvaluationSteps
    most: int

    def __iter__(self) -> Iterator[Call]:
        first = self.start
        for end in self.evaluated.after(self.start):
            while first < end:
                yield Call(first, min(self.most, end - first))
                first += min(self.most, end - first)

    def __bool__(self) -> bool:
        return self.start < self.evaluated.last

    @property
    def longest(self) -> int:
        """Steps of the longest call of one run, whose evaluations are evenly spaced but for the next one and the last."""
        two = [self.start, *itertools.islice(self.evaluated.after(self.start), 2)]
        return min(self.most, max(stop - before for before, stop in itertools.pairwise(two)))
