"""Process-wide settings, in one place for every entry point; and how a process joins and leaves the others of a run."""

import ipaddress
import os
import socket
import sys
import threading

import jax
from jax.extend.backend import clear_backends

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.system import compile_cache, joining, terminal
from d3gzsl_jax.system.joining import ENVIRONMENT
from d3gzsl_jax.text import cut, one_line

_GOODBYE_SECONDS = 10.0


def configure(devices: bool = True, keep_compiled: bool | None = True) -> None:
    """Makes results independent of the environment, and starts quicker; call it before anything is computed.

    Float32 products at the highest precision, JAX's random bits in their documented form, no float64. TensorFlow, which only orders
    rows here and is imported later, is told to keep its start-up messages off the screen.

    Args:
        devices: whether to look for them at once. A process that may `join` others looks after that, see `require_devices`.
        keep_compiled: whether compiled programs are kept for the next start, as config.compile_cache says; None leaves it as it
            is, for the run or model that is opened next to say.

    Raises:
        UserError: JAX finds no device of the kind it is told to use.
    """
    terminal.prepare()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
    jax.config.update("jax_default_matmul_precision", "highest")
    jax.config.update("jax_threefry_partitionable", True)
    jax.config.update("jax_enable_x64", False)
    if keep_compiled is not None:
        compile_cache.use(keep_compiled)
    if devices:
        require_devices()


def require_devices() -> None:
    """Refuses a backend that is not there (JAX_PLATFORMS=cuda on a machine without a GPU); the first touch of the devices.

    Raises:
        UserError: naming the backends there are.
    """
    try:
        jax.devices()
        return
    except Exception as error:  # RuntimeError, and AssertionError where a plug-in is missing
        failure = f" ({cut(one_line(error))})" if str(error) else ""
    asked = jax.config.jax_platforms  # type: ignore[attr-defined] # JAX declares its settings as it is imported
    try:
        jax.config.update("jax_platforms", None)
        clear_backends()
        there = ", ".join(sorted({device.platform for device in jax.devices()} | {"cpu"}))
    except Exception:
        there = "cpu"
    finally:
        jax.config.update("jax_platforms", asked)
        clear_backends()
    raise UserError(
        f"JAX_PLATFORMS={cut(asked or '')}: JAX cannot use that here{failure}; there is: {there}. Unset it, or name one of "
        "these; docs/devices.md says what to install"
    )


def join(coordinator: str, processes: int, process_id: int) -> None:
    """Makes this process one of many; call it before anything is computed, in all of them.

    Args:
        coordinator: address host:port of the first process, 'auto' where the environment tells it, '' for a process alone.
        processes, process_id: how many there are, and which of them this is; not given (0 and -1) with 'auto'.

    Raises:
        UserError: they do not fit each other, the coordinator is elsewhere, or the others are not found.
    """
    joining.check(coordinator, processes, process_id)
    if not coordinator:
        return
    bind = _listening_address(coordinator) if coordinator != ENVIRONMENT and process_id == 0 else None
    # SIGTERM is for signals.py; and the runtime would answer it after us.
    jax.config.update("jax_enable_preemption_service", False)
    try:
        if coordinator == ENVIRONMENT:
            jax.distributed.initialize()
        else:
            jax.distributed.initialize(coordinator, processes, process_id, coordinator_bind_address=bind)
    except (ValueError, RuntimeError, TypeError, OverflowError) as error:
        raise UserError(f"--coordinator={cut(coordinator)}: could not join the other processes ({cut(one_line(error))})") from None


def _listening_address(coordinator: str) -> str | None:
    """Where the first process listens: at the address it was given and nowhere else, for whoever reaches the port can join. None
    where the user's environment says another, which JAX reads.

    Raises:
        UserError: this machine has no such address.
    """
    if os.environ.get("JAX_COORDINATOR_BIND_ADDRESS"):
        return None
    host, port = coordinator.rpartition(":")[0].strip("[]"), coordinator.rpartition(":")[2]
    try:
        found = {str(address[0]): family for family, *_, address in socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)}
    except OSError:
        raise UserError(
            f"--coordinator={coordinator}: there is no machine of this name; give the address of the first process"
        ) from None
    own = [address for address, family in found.items() if _is_own(address, family)]
    if not own:
        raise UserError(
            f"--coordinator={coordinator}: the first process is not on this machine, which does not have the address "
            f"{', '.join(found)}; give one it has, or, behind a translation of addresses, what it is to listen at as "
            f"JAX_COORDINATOR_BIND_ADDRESS=ADDRESS:{port}"
        )
    if host not in ("localhost", *found) and all(ipaddress.ip_address(address).is_loopback for address in own):
        print(
            f"--coordinator={coordinator}: on this machine {host} is {own[0]}, where only its own processes can join; for others "
            "give its address in the network",
            file=sys.stderr,
        )
    return coordinator


def _is_own(address: str, family: int) -> bool:
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((address, 0))
    except OSError:
        return False
    return True


def leave(code: int) -> int:
    """Ends the part of a process in a run of many; returns its exit code, for a process alone at once.

    A process that failed by itself (2, or 1) does not wait for the others, who may be waiting for it in the middle of a step: when
    it is gone, the runtime ends them.
    """
    if not jax.distributed.is_initialized():
        return code
    sys.stdout.flush()
    sys.stderr.flush()
    goodbye = threading.Thread(target=jax.distributed.shutdown, daemon=True)
    goodbye.start()
    goodbye.join(_GOODBYE_SECONDS if code in (1, 2) else None)
    if goodbye.is_alive():
        os._exit(code)
    return code
