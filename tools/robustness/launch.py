"""Starts a training command in several processes on this machine, to try what several machines would do.

    python tools/robustness/launch.py --processes 2 --devices 2 -- --config=configs/digits.py --workdir=RUN
        [--config.group.field=value ...]

What follows `--` goes to each; they find each other on a free port of this machine, and each has so many devices made of the
CPU (--devices 0: whatever devices the environment shows each of them). Only the first one's output is shown, and of the others
what they complain of. When one fails the others are ended. Exit code: that of the first process to fail, 0 if none did.
"""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from d3gzsl_jax.system.options import Parser
from d3gzsl_jax.system.terminal import run_command

# How long the others have to see by themselves that one is gone, or to save, before they are ended.
GRACE_SECONDS = 20.0


def environment(devices: int) -> dict[str, str]:
    """The environment of a process with so many devices made of the CPU; 0: this one."""
    if not devices:
        return dict(os.environ)
    flags = [flag for flag in os.environ.get("XLA_FLAGS", "").split() if "host_platform_device_count" not in flag]
    flags.append(f"--xla_force_host_platform_device_count={devices}")
    return os.environ | {"JAX_PLATFORMS": "cpu", "JAX_CPU_COLLECTIVES_IMPLEMENTATION": "gloo", "XLA_FLAGS": " ".join(flags)}


def free_port() -> int:
    """A port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(processes: int, devices: int, arguments: list[str], quiet: bool = False) -> list[subprocess.Popen]:
    """Starts `python -m d3gzsl_jax.main` so many times, joined to each other; `quiet`: without the first one's output, too."""
    address, started = f"127.0.0.1:{free_port()}", []
    for index in range(processes):
        joined = [f"--coordinator={address}", f"--processes={processes}", f"--process_id={index}"]
        started.append(
            subprocess.Popen(
                [sys.executable, "-m", "d3gzsl_jax.main", *arguments, *joined],
                env=environment(devices),
                stdout=None if index == 0 and not quiet else subprocess.DEVNULL,
            )
        )
    return started


def wait(started: list[subprocess.Popen]) -> int:
    """Waits for all to end, and ends those that outlive a failure; returns the exit code."""
    first, deadline = 0, float("inf")
    while any(process.poll() is None for process in started):
        failed = [process.returncode for process in started if process.poll()]
        if failed and not first:
            first, deadline = failed[0], time.monotonic() + GRACE_SECONDS
        if time.monotonic() > deadline:
            for process in started:
                process.kill()
        time.sleep(0.05)
    first = first or next((process.returncode for process in started if process.returncode), 0)
    return first if first >= 0 else 128 - first


def main() -> int:
    """Starts, waits, passes signals on."""
    parser = Parser(description=__doc__)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--devices", type=int, default=1, help="of each process, made of the CPU; 0: as the environment says")
    parser.add_argument("arguments", nargs="*", help="of d3gzsl_jax.main, after --")
    args = parser.parse_args()
    if args.processes < 1 or args.devices < 0:
        print("launch: --processes must be at least 1, and --devices at least 0", file=sys.stderr)
        return 2
    started = start(args.processes, args.devices, args.arguments)

    def pass_on(number: int, frame: FrameType | None) -> None:
        for process in started:
            process.send_signal(number)

    signal.signal(signal.SIGTERM, pass_on)
    signal.signal(signal.SIGINT, lambda number, frame: None)  # a terminal sends ctrl-C to all of them
    return wait(started)


if __name__ == "__main__":
    sys.exit(run_command(main))
