"""What the page asks for: the page itself, predictions of pictures, new classes, saving. Every refusal is one line of JSON."""

import asyncio
import base64
import hashlib
import json
import secrets
import sys
import traceback
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from d3gzsl_jax.errors import DivergenceError, UserError, reason
from d3gzsl_jax.runs.report.html import render
from d3gzsl_jax.serving.live_model import LiveModel
from d3gzsl_jax.text import printable, visible

LARGEST_PICTURE = 32 * 2**20
"""Bytes of a picture's file, at most."""
_AT_ONCE = 4  # pictures that are held in memory
_LARGEST_CLASS = 2**18  # bytes of what is said of a class
_SCRIPT = Path(__file__).with_name("script.js")


def application(live: LiveModel, hosts: Collection[str] = (), token: str = "") -> ASGIApp:
    """The page of a model.

    Args:
        live: the model.
        hosts: names by which it may be asked for, () for any. A page elsewhere can have a name of its own lead to this machine; it
            cannot have it ask for another.
        token: that whoever asks must have, '' for none: the address /?token=... hands it to a browser, as a cookie of this port.
    """

    pictures = asyncio.Semaphore(_AT_ONCE)

    async def page(request: Request) -> Response:
        return HTMLResponse(await run_in_threadpool(_page, live))

    async def state(request: Request) -> Response:
        return JSONResponse(await run_in_threadpool(live.state))

    async def predict(request: Request) -> Response:
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if not (kind.startswith("image/") or kind == "application/octet-stream"):
            raise HTTPException(415, f"{visible(kind) or 'this'} is no picture; drop pictures only")
        async with pictures:  # the others wait unread
            content = await _body(request, LARGEST_PICTURE, "the picture")
            return await _done(lambda: live.predict(content, request.query_params.get("name", "")))

    async def add(request: Request) -> Response:
        name, text = _asked(await _body(request, _LARGEST_CLASS, "what is said of the class"))
        return await _done(lambda: live.add(name, text))

    async def save(request: Request) -> Response:
        return await _done(lambda: {"saved": live.save()})

    routes = [
        Route("/", page), Route("/state", state), Route("/predict", predict, methods=["POST"]),
        Route("/classes", add, methods=["POST"]), Route("/save", save, methods=["POST"]),
    ]  # fmt: skip
    return Guard(Starlette(routes=routes, exception_handlers={HTTPException: _refused}), hosts, token)


def _page(live: LiveModel) -> str:
    from markupsafe import Markup

    script, state = _SCRIPT.read_text(encoding="utf-8"), live.state()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return render(
        "serving/page.html", title=state["title"], state=state, largest=LARGEST_PICTURE, script=Markup(script), digest=digest
    )


async def _done(work: Callable[[], dict[str, Any]]) -> Response:
    """What `work` returns, done in a thread so that others are answered meanwhile."""
    try:
        return JSONResponse(await run_in_threadpool(work))
    except (UserError, DivergenceError) as error:
        return JSONResponse({"error": printable(visible(str(error)))}, 400)
    except Exception as error:
        traceback.print_exc(file=sys.stderr)
        why = printable(visible(reason(error)))
        return JSONResponse({"error": f"this went wrong: {why}; the terminal of the server shows where"}, 500)


async def _body(request: Request, most: int, what: str) -> bytes:
    """What was sent, of at most so many bytes; more is not even read."""
    content = bytearray()
    try:
        async for chunk in request.stream():
            content += chunk
            if len(content) > most:
                size = f"{most / 2**20:.0f} MiB" if most >= 2**20 else f"{most / 2**10:.0f} KiB"
                raise HTTPException(413, f"{what} has more than {size}; make it smaller")
    except ClientDisconnect:  # the page was closed meanwhile: nobody reads the answer
        raise HTTPException(400, f"{what} did not come whole") from None
    if not content:
        raise HTTPException(400, f"{what} is empty")
    return bytes(content)


def _asked(content: bytes) -> tuple[str, str]:
    """Name and description of a new class, as the page sends them."""
    try:
        found = json.loads(content)
        name, text = found["name"], found["description"]
    except (ValueError, TypeError, KeyError, RecursionError):
        name = text = None
    if not isinstance(name, str) or not isinstance(text, str):
        raise HTTPException(400, "need a JSON object of the texts name and description")
    return name, text


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)


class Guard:
    """Lets through what this page itself asks for, and tells browsers to fetch, run and frame nothing else.

    Args:
        app: what is guarded.
        hosts, token: see `application`.
    """

    _HEADERS = (
        ("Content-Security-Policy", "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
        ("X-Content-Type-Options", "nosniff"), ("Referrer-Policy", "no-referrer"), ("Cache-Control", "no-store"),
    )  # fmt: skip

    def __init__(self, app: ASGIApp, hosts: Collection[str] = (), token: str = "") -> None:
        self._app, self._hosts, self._token = app, {host.lower() for host in hosts}, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers, or refuses with 403."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request, headers = Request(scope), Headers(scope=scope)
        host, origin = headers.get("host", ""), headers.get("origin")
        refusal = ""
        if self._hosts and (_name(host) not in self._hosts):
            refusal = "this page is not called so; use the address that the server printed"
        elif scope["method"] not in ("GET", "HEAD") and origin is not None and _place(origin) != host.lower():
            refusal = "only the page itself may ask for this"
        elif self._token:
            given, kept = request.query_params.get("token"), request.cookies.get(_cookie(host))
            if not (self._is_ours(kept) or (scope["path"] == "/" and self._is_ours(given))):
                refusal = "this page is for who has its token; open the address that the server printed, with all of ?token=..."
            elif scope["path"] == "/" and given is not None:
                await self._admit(_cookie(host), scope, receive, send)
                return
        if refusal:
            await JSONResponse({"error": refusal}, 403)(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(dict(self._HEADERS))
            await send(message)

        await self._app(scope, receive, with_headers)

    def _is_ours(self, given: str | None) -> bool:
        """Whether it is the token, in a time that does not tell how much of it is right."""
        return secrets.compare_digest((given or "").encode(), self._token.encode())

    async def _admit(self, cookie: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Hands the browser the token, and leads it to the address without. Pages of other sites cannot have it sent with what they
        ask for (Lax); what is on another port of this host is no other site, but only the page itself may ask for changes."""
        answer = RedirectResponse("/", 303, {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"})
        answer.set_cookie(cookie, self._token, httponly=True, samesite="lax")
        await answer(scope, receive, send)


def _cookie(host: str) -> str:
    """The name of the cookie: browsers send one to every port of a host, where another of these pages may be."""
    try:
        port = urlsplit(f"//{host}").port
    except ValueError:
        port = None
    return f"d3gzsl_token_{port or 80}"


def _place(origin: str) -> str:
    """'localhost:7860' of 'http://localhost:7860'."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _name(host: str) -> str:
    """'localhost' of 'localhost:7860'; '::1' of '[::1]:7860'."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""
