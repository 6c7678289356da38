"""The most memory a process has had."""

import resource
from pathlib import Path


def peak_resident_gib() -> float:
    """Peak resident GiB of this process. Linux hands the figure of getrusage on to whatever program a process starts; VmHWM is a
    program's own."""
    try:
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 2**20
    except OSError:
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
