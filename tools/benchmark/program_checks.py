"""What a compiled program of a run must not have: float64, calls out of it, rows gathered or multiplied whole on every device."""

from tools.benchmark.chips import Chip
from tools.benchmark.compiled_program import Reading
from tools.benchmark.device_programs import Program

SHARE = 1.3
"""How much more than its share a device may multiply: rows that do not divide by the devices are filled up, and sums of devices are
added. A critic's product done whole on each of eight is 2.4."""
_SLACK = 1024  # bytes: sums of losses go with the gradients


def faults(chip: Chip, program: Program, reading: Reading, devices: int) -> list[str]:
    """What is wrong with a compiled program, a line each; [] if nothing is.

    - An array of float64.
    - A custom call that is not one of the chip's own compiler.
    - Gradients are added over the devices: an all-reduce or a reduce-scatter may have twice the bytes of all trained parameters
      (where rows go through a network twice, either part is summed over the devices before they are added). The pair losses compare
      all rows, and rows are sampled by random bits for each: nothing larger may be gathered. Other collectives move rows from
      device to device: at most twice what a device has of all updates in the widest layer.
    - A whole batch multiplied on every device. Of the products of a step some grow with the rows, some are done once a class
      (`Program.row_products`). A device has the latter, and may have SHARE of its share of the former: the sum is the limit.
    """
    found = []
    if wide := reading.arrays_of("f64", "c128"):
        found.append(f"{wide} arrays are float64")
    if unknown := [name for name in reading.custom_calls if not name.startswith(chip.custom_calls or "-")]:
        found.append(f"custom calls that are not the compiler's: {', '.join(unknown)}")
    limits = dict.fromkeys(("all-reduce", "reduce-scatter"), 2 * program.trained)
    limits["all-gather"] = limits["collective-broadcast"] = max(program.compared, program.row_numbers)
    for one in reading.collectives if devices > 1 else ():
        limit = limits.get(one.kind, 2 * program.own_rows) + _SLACK
        if one.size > limit:
            found.append(f"{one.kind} of {one.size:,} bytes, expected {limit:,} at most, from {one.origin[-100:] or 'several'}")
    share = program.products - program.row_products * (1 - SHARE / devices)
    if devices > 1 and reading.product_flops > share:
        found.append(
            f"a device does {reading.product_flops:.4g} of the {program.products:.4g} FLOP of the products, at most {share:.4g} is "
            "its share: a batch is multiplied whole on every device"
        )
    return found
