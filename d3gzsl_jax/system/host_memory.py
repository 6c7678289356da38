"""The memory of the machine that this process can still have."""

import contextlib
import math
import re
from pathlib import Path

import psutil

_CGROUPS = (  # limit, use and what that is made of, of version 2 and 1
    ("memory.max", "memory.current", "memory.stat"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat"),
)


def free_host_memory() -> int:
    """Bytes this process can still have: what the machine has available (files it only keeps in memory are given up for that), less
    where a limit of the process (ulimit -v) or of its control group (a container, a batch job) is nearer."""
    bounds = [psutil.virtual_memory().available + psutil.swap_memory().free, *map(_left_in_group, _CGROUPS)]
    with contextlib.suppress(ImportError, OSError, ValueError, AttributeError):
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit != resource.RLIM_INFINITY:
            bounds.append(limit - psutil.Process().memory_info().vms)
    return max(int(min(bounds)), 0)


def _left_in_group(files: tuple[str, str, str]) -> float:
    """Bytes a control group has left; without end where there is none."""
    try:
        first, second, parts = (Path("/sys/fs/cgroup", file).read_text(encoding="ascii") for file in files)
        limit, used = int(first), int(second)
        kept = re.search(r"^(?:total_)?inactive_file (\d+)$", parts, re.MULTILINE)  # files in memory, which are given up
    except (OSError, ValueError):  # no such group, or 'max'
        return math.inf
    return max(limit - used + (int(kept[1]) if kept else 0), 0)


def size(count: int) -> str:
    """Bytes for people."""
    power = min(int(math.log(max(count, 1), 1024)), 8)
    return f"{count / 1024**power:.1f} {('B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB', 'ZiB', 'YiB')[power]}"
