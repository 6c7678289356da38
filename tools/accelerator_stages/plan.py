"""The stages in their order, and how much of the time each may have."""

from typing import NamedTuple


class Planned(NamedTuple):
    """A stage: its module here, and its share of the minutes; what one leaves over goes to those after it.

    Attributes:
        share: in percent of the whole.
        least: seconds below which it is not begun.
        many_programs: compiles many programs, some of them side by side, so products are not tuned (one GPU would tune for all).
    """

    name: str
    share: int
    least: float = 15.0
    many_programs: bool = False


PLAN = (
    Planned("chip", 4, least=0.0), Planned("replay", 12, many_programs=True), Planned("outer_steps", 26, many_programs=True),
    Planned("oracle", 10), Planned("training", 26), Planned("seeds", 8), Planned("profiling", 4),
    Planned("backend_tests", 10, many_programs=True),
)  # fmt: skip
UNTUNED = "--xla_gpu_autotune_level=0"


def seconds_for(planned: Planned, left: float) -> float:
    """What a stage may take where `left` seconds remain for it and all after it."""
    later = PLAN[PLAN.index(planned) :]
    return left * planned.share / sum(one.share for one in later)
