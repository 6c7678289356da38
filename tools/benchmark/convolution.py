"""How many multiplications a convolution of a compiled program takes: what a TPU's compiler makes of matrix products."""

import re


def pairs(left: tuple[int, ...], right: tuple[int, ...], result: tuple[int, ...], attributes: str) -> int:
    """Multiplications of numbers of the two operands, those with padding and with the holes of a dilation left out.

    Args:
        left, right, result: sizes of the operands and of the result.
        attributes: with dim_labels (as bf0_io0->bf0) and, where there are spatial axes, window.
    """
    of_left, of_right, of_result = re.search(r"dim_labels=(\w+)_(\w+)->(\w+)", attributes).groups()  # type: ignore[union-attr]
    window = _window(attributes)
    spatial = 1
    for axis in range(len(of_left) - 2):
        label = str(axis)
        size, out, taps = left[of_left.index(label)], result[of_result.index(label)], right[of_right.index(label)]
        spatial *= _hits(size, out, taps, {name: values[axis] for name, values in window.items()})
    batch, channels = result[of_result.index("b")], result[of_result.index("f")]
    return batch * channels * right[of_right.index("i")] * spatial


def _window(attributes: str) -> dict[str, list[str]]:
    found = re.search(r"window=\{([^}]*)\}", attributes)
    return {name: values.split("x") for name, values in (part.split("=") for part in found[1].split())} if found else {}


def _hits(size: int, out: int, taps: int, window: dict[str, str]) -> int:
    """Of an axis of `size`, places of the result times taps of the kernel that meet a number of the left operand."""
    stride, of_left, of_right = (int(window.get(name, 1)) for name in ("stride", "lhs_dilate", "rhs_dilate"))
    before = int(window.get("pad", "0_0").split("_")[0])
    places = (at * stride + tap * of_right - before for at in range(out) for tap in range(taps))
    return sum(place % of_left == 0 and 0 <= place // of_left < size for place in places)
