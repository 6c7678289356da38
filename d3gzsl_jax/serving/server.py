"""The server of the page: a socket that is known to be free, answered until ctrl-C or SIGTERM."""

import contextlib
import errno
import ipaddress
import logging
import signal
import socket
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from d3gzsl_jax.errors import UserError
from d3gzsl_jax.text import shortened

if TYPE_CHECKING:
    import uvicorn
    from starlette.types import ASGIApp

_GRACE_SECONDS = 3  # that answers under way have at the end
_IDLE_SECONDS = 1  # in which threads without work have ended, all of them
_ALL = ("", "0.0.0.0", "::")


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket bound to host and port, 0 for a free one.

    Raises:
        UserError: there is no such host here, or the port is taken or not allowed.
    """
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (OSError, UnicodeError):
        raise UserError(f"--host={shortened(host)}: there is no such host; leave it out for 127.0.0.1") from None
    found = socket.socket(family, kind)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        found.listen()
    except OSError as error:
        found.close()
        if error.errno == errno.EADDRINUSE:
            raise UserError(f"--port={port}: is taken by another program; give another, or 0 for a free one") from None
        if error.errno == errno.EACCES:
            raise UserError(f"--port={port}: there is no permission to; give one from 1024 on, or 0 for a free one") from None
        if error.errno == errno.EADDRNOTAVAIL:
            raise UserError(f"--host={host}: is no address of this machine; leave it out for 127.0.0.1") from None
        raise UserError(f"--host={host} --port={port}: cannot be used ({error.strerror}); give others") from None
    return found


def address_of(host: str, bound: socket.socket) -> str:
    """The address to open in a browser here."""
    shown = "127.0.0.1" if host in _ALL else f"[{host}]" if ":" in host else host
    return f"http://{shown}:{bound.getsockname()[1]}/"


def is_loopback(bound: socket.socket) -> bool:
    """Whether only this machine reaches it."""
    return ipaddress.ip_address(bound.getsockname()[0].partition("%")[0]).is_loopback


def serve(app: "ASGIApp", bound: socket.socket) -> bool:
    """Answers until ctrl-C or SIGTERM. What is under way then is finished where that takes seconds; a second ctrl-C leaves it.

    Returns:
        Whether something was left: a thread still works on it, for which Python would wait at its end.
    """
    import uvicorn

    config = uvicorn.Config(
        app, log_level="warning", access_log=False, lifespan="off", ws="none", http="h11", loop="asyncio", server_header=False,
        timeout_graceful_shutdown=_GRACE_SECONDS,
    )  # fmt: skip
    server = uvicorn.Server(config)
    before, log = set(threading.enumerate()), logging.getLogger("uvicorn.error")
    is_told = lambda record: not server.should_exit  # noqa: E731 # requests that are cut off at the end are no faults
    log.addFilter(is_told)
    try:
        with _asked_to_stop(server):
            server.run(sockets=[bound])
    finally:
        log.removeFilter(is_told)
    workers = [thread for thread in threading.enumerate() if thread not in before and not thread.daemon]
    until = time.monotonic() + _IDLE_SECONDS
    for thread in workers:
        thread.join(max(until - time.monotonic(), 0))
    return any(thread.is_alive() for thread in workers)


@contextlib.contextmanager
def _asked_to_stop(server: "uvicorn.Server") -> Iterator[None]:
    """Within it a signal ends the server, not the process: uvicorn raises again what it has heard, once it has ended."""

    def stop(number: int, frame: Any) -> None:
        server.should_exit = True

    previous: dict[signal.Signals, Any] = {}
    with contextlib.suppress(ValueError):  # not the main thread, as in a test
        for number in (signal.SIGINT, signal.SIGTERM):
            previous[number] = signal.signal(number, stop)
    try:
        yield
    finally:
        for number, before in previous.items():
            signal.signal(number, signal.SIG_DFL if before is None else before)
