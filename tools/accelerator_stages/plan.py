"""The stages in their order, and how much of the time each may have."""

from collections.abc import Sequence
from typing import NamedTuple

from d3gzsl_jax.system.accelerators import CUBLAS, UNTUNED


class Planned(NamedTuple):
    """A stage: its module here, and its share of the minutes; what one leaves over goes to those after it.

    Attributes:
        share: in percent of the whole.
        least: seconds below which it is not begun.
        flags: for XLA on a GPU; None for its own choices, whatever the environment says of these flags. Others that are given in
            the environment are kept.
    """

    name: str
    share: int
    least: float = 15.0
    flags: str | None = ""


PLAN = (
    Planned("chip", 5, least=0.0), Planned("outer_steps", 28, flags=CUBLAS), Planned("oracle", 12),
    Planned("training", 20, flags=CUBLAS), Planned("seeds", 8, flags=CUBLAS), Planned("profiling", 5, flags=CUBLAS),
    Planned("compilers_choice", 8, flags=None), Planned("replay", 8, flags=UNTUNED), Planned("backend_tests", 6, flags=UNTUNED),
)  # fmt: skip


def seconds_for(planned: Planned, left: float, plan: Sequence[Planned] = PLAN) -> float:
    """What a stage of the plan may take where `left` seconds remain for it and all after it."""
    later = plan[plan.index(planned) :]
    return left * planned.share / sum(one.share for one in later)
