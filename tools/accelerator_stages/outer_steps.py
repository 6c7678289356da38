"""The outer step of every framework with D3 at CUB's size, in three precisions."""

import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import numpy as np

from d3gzsl_jax.errors import reason
from d3gzsl_jax.precision import PRECISIONS, scope
from d3gzsl_jax.system.startup import configure
from tools.accelerator_stages.stage import Stage
from tools.benchmark.outer_step import Ours
from tools.benchmark.sizes import SIZES, Size

# The most important first: what does not fit into the time is at the end.
CUB = {
    "wgan": SIZES["cub"], "cegzsl": SIZES["cegzsl_cub_d3"], "tfvaegan": SIZES["tfvaegan_cub_d3"],
    "zerodiff": SIZES["zerodiff_awa2_d3"]._replace(rows=7057, semantics=312, seen=150, unseen=50),
    "cadavae": SIZES["cadavae_cub_d3"], "free": SIZES["free_cub_d3"], "fclswgan": SIZES["cub"]._replace(framework="fclswgan"),
    "fvaegan": SIZES["tfvaegan_cub_d3"]._replace(framework="fvaegan"),
}  # fmt: skip
AT_ONCE = 6  # programs that are compiled side by side on an accelerator's host
_TURNS, _SECONDS = 5, 2.0  # calls of which the median is taken, fewer of them where they take longer than this in all


def sizes(quick: bool) -> dict[str, Size]:
    """What is timed, by framework."""
    if not quick:
        return CUB
    tiny = SIZES["tiny"]
    return {"wgan": tiny, "fclswgan": tiny._replace(framework="fclswgan")}


def order(names: Iterable[str]) -> list[tuple[str, str]]:
    """Precisions and frameworks in the order of what is worth most: the first framework in all precisions, then all in each."""
    first, *others = names
    return [(precision, first) for precision in PRECISIONS] + [(precision, name) for precision in PRECISIONS for name in others]


def run(stage: Stage) -> None:
    """Records 'steps': by precision and framework the figures of `timed`, or why there are none."""
    configure()
    done: dict[str, dict[str, Any]] = {name: {} for name in PRECISIONS}
    of = sizes(stage.quick)
    cases, at_once = order(of), 1 if jax.devices()[0].platform == "cpu" else AT_ONCE
    while cases:
        # The first framework's by themselves, so that they are not lost where the time ends with others being compiled.
        some = cases[: at_once if done["float32"] else min(at_once, len(PRECISIONS))]
        cases = cases[len(some) :]
        with ThreadPoolExecutor(at_once) as pool:  # all are compiled before the first is timed
            compiled = {case: pool.submit(prepared, of[case[1]], case[0]) for case in some}
        for precision, name in list(compiled):
            try:
                with scope(precision):
                    done[precision][name] = timed(*compiled.pop((precision, name)).result())
            except Exception as error:  # out of memory, or a program this chip's compiler does not take
                done[precision][name] = {"failed": reason(error)}
            print(precision, name, done[precision][name], flush=True)
            stage.record(steps=done)


def prepared(size: Size, precision: str) -> tuple[Ours, float]:
    """Compiled, and seconds of the first call."""
    with scope(precision):
        ours = Ours(size, 1 if jax.devices()[0].platform == "cpu" else 20)
        began = time.perf_counter()
        for number in range(ours.passes):
            ours.step(number)
        return ours, time.perf_counter() - began


def timed(ours: Ours, first: float) -> dict[str, Any]:
    """Median seconds of an outer step (the mean of the passes over the data), its products, and how these compare with the rate of
    products at the precision in force, of the same minute."""
    rate = float(np.median([ours.rate() for _ in range(3)]))
    turns = int(min(max(_SECONDS / (ours.step() * ours.steps), 2), _TURNS))
    passes = [float(np.median([ours.step(number) for _ in range(turns)])) for number in range(ours.passes)]
    seconds, flops = float(np.mean(passes)), float(np.mean(ours.flops))
    return {
        "seconds_per_step": seconds, "passes": passes, "matmul_flops_per_step": flops, "machine_matmul_flops": rate,
        "share_of_machine_rate": flops / seconds / rate, "first_call_seconds": first, "steps_per_call": ours.steps,
        "calls": turns,
    }  # fmt: skip
