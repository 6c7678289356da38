"""What a file says it holds, compared with what it can hold, and with the memory there is: before anything is read."""

import math
from collections.abc import Sequence

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.system.host_memory import free_host_memory, size


def values(shape: Sequence[int]) -> int:
    """How many values an array of that shape has; a negative size is refused.

    Raises:
        ValueError: of another library's kind, for the reader to name the file.
    """
    if any(side < 0 for side in shape):
        raise ValueError(f"a shape of {tuple(shape)}")
    return math.prod(shape)


def check_stored(where: str, needed: int, stored: int, shape: Sequence[int]) -> None:
    """Refuses an array that needs more bytes than its file has for it.

    Args:
        where: file and key, for the message.
        needed, stored: bytes.
        shape: that it says it has.

    Raises:
        UserError: with both figures.
    """
    if stored < needed:
        raise UserError(
            f"{where}: cut short: {stored} of {needed} bytes of an array of shape {tuple(shape)} are there; write or copy it again"
        )


def check_fits(where: str, needed: int) -> None:
    """Refuses to read what is larger than the memory that is available.

    Raises:
        UserError: with both figures.
    """
    if needed > (free := free_host_memory()):
        raise UserError(f"{where}: takes {size(needed)} of memory and {size(free)} are free; give fewer rows, or more memory")
