"""Requests, answers, problems and a small router for plain ASGI apps.

In: handlers. Out: an ASGI app with limits on bodies. Errors leave as RFC 9457
`application/problem+json` with a stable `code`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias, cast
from urllib.parse import parse_qsl, unquote

from opendepin.core.errors import Broken, DepinError, PeerFault, Rejected
from opendepin.runtime.errors import Problem

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]
ASGI: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]

PROBLEM_TYPE = b"application/problem+json"
JSON_TYPE = b"application/json"
MAX_BODY_BYTES = 1 << 20
"""Largest request body a handler reads unless it says otherwise."""


@dataclass(frozen=True)
class Response:
    """An answer: status, body, media type and further headers."""

    status: int
    body: bytes = b""
    media_type: bytes = JSON_TYPE
    headers: tuple[tuple[bytes, bytes], ...] = ()


def json_response(value: object, status: int = 200) -> Response:
    """Answer a value as compact JSON."""
    return Response(status, json.dumps(value, separators=(",", ":")).encode())


def problem(status: int, code: str, title: str, detail: str, **extra: object) -> Response:
    """Answer an RFC 9457 problem; `retry_after_s` in `extra` also becomes the Retry-After header
    (whole seconds).
    """
    body = {
        "type": "about:blank",
        "status": status,
        "title": title,
        "code": code,
        "detail": detail,
        **extra,
    }
    wait = extra.get("retry_after_s")
    headers: tuple[tuple[bytes, bytes], ...] = ()
    if isinstance(wait, int | float):
        headers = ((b"retry-after", str(max(1, math.ceil(wait))).encode()),)
    return Response(status, json.dumps(body, separators=(",", ":")).encode(), PROBLEM_TYPE, headers)


def problem_of(error: DepinError) -> Response:
    """Answer one of our errors: `Problem` by its own status, `Rejected` 400, `PeerFault` 503,
    `Broken` 500.
    """
    if isinstance(error, Problem):
        extra = dict(error.extra)
        if error.retry_after_s is not None:
            extra["retry_after_s"] = round(error.retry_after_s, 3)
        title = TITLES.get(error.status, "Refused")
        answer = problem(error.status, error.code, title, str(error), **extra)
        if error.allow:
            allowed = (b"allow", error.allow.encode())
            answer = replace(answer, headers=(*answer.headers, allowed))
        return answer
    if isinstance(error, Rejected):
        return problem(400, error.code, TITLES[400], str(error))
    if isinstance(error, PeerFault):
        return problem(503, error.code, TITLES[503], str(error))
    return problem(500, error.code, TITLES[500], str(error))


TITLES = {
    400: "Bad request",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    413: "Too large",
    415: "Unsupported media type",
    422: "Refused",
    429: "Too many requests",
    500: "Our fault",
    503: "Try later",
}


@dataclass
class Request:
    """A request as a handler sees it."""

    scope: Scope
    receive: Receive
    params: dict[str, str] = field(default_factory=dict[str, str])
    """What the route's pattern named."""

    @property
    def method(self) -> str:
        """GET, POST, …"""
        return cast(str, self.scope["method"])

    @property
    def path(self) -> str:
        """Path without query."""
        return cast(str, self.scope["path"])

    def query(self) -> dict[str, str]:
        """Return the query's fields; of doubled ones the last."""
        return dict(parse_qsl(cast(bytes, self.scope.get("query_string", b"")).decode("latin-1")))

    def query_int(self, name: str, default: int, most: int = (1 << 63) - 1) -> int:
        """Return a query field as an integer in 0..most.

        Raises:
            Problem: 400 `query`, not such an integer.
        """
        text = self.query().get(name)
        if text is None:
            return default
        if not text.isascii() or not text.isdigit() or len(text) > 19 or int(text) > most:
            raise Problem(400, "query", f"{name} is an integer in 0..{most}")
        return int(text)

    def header(self, name: bytes) -> bytes:
        """Return a header by lower-case name, or empty bytes."""
        return header_of(self.scope, name)

    async def body(self, limit: int = MAX_BODY_BYTES) -> bytes:
        """Read the body whole.

        Raises:
            Problem: 413 `body-size`, more than `limit` bytes; 400 `disconnected`, the peer went
            away.
        """
        return await read_body(self.scope, self.receive, limit)


def header_of(scope: Scope, name: bytes) -> bytes:
    """Return a header of a scope by lower-case name, or empty bytes."""
    for key, value in cast("Iterable[tuple[bytes, bytes]]", scope["headers"]):
        if key == name:
            return value
    return b""


async def read_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """Read a request's body whole; see `Request.body`."""
    coding = header_of(scope, b"content-encoding").strip().lower()
    if coding not in (b"", b"identity"):
        raise Problem(415, "content-encoding", "send the body as it is, not packed")
    declared = header_of(scope, b"content-length")
    if declared and int(declared) > limit:
        raise Problem(
            413, "body-size", f"the body has at most {limit} bytes, this has {int(declared)}"
        )
    message = await receive()
    body = cast(bytes, message.get("body", b""))
    if message["type"] == "http.request" and not message.get("more_body", False):
        if len(body) > limit:
            raise Problem(413, "body-size", f"the body has at most {limit} bytes")
        return body
    parts, size = [body], len(body)
    while message.get("more_body", False) and size <= limit:
        message = await receive()
        parts.append(cast(bytes, message.get("body", b"")))
        size += len(parts[-1])
    if size > limit:
        raise Problem(413, "body-size", f"the body has at most {limit} bytes")
    if message["type"] == "http.disconnect":
        raise Problem(400, "disconnected", "the peer closed before the body was whole")
    return b"".join(parts)


async def send_response(send: Send, response: Response) -> None:
    """Send an answer whole."""
    length = str(len(response.body)).encode()
    headers = [
        (b"content-type", response.media_type),
        (b"content-length", length),
        *response.headers,
    ]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})


Handler: TypeAlias = Callable[[Request], Awaitable[Response]]


class Router:
    """A plain ASGI app of routes: `route("GET", "/v1/batches/{number}", handler)`.

    A `{name}` matches one path segment. A handler raises our errors; they leave as problems. Any
    other exception is logged and answered 500 `internal`, without its text.
    """

    def __init__(self, on_error: Callable[[str, BaseException], None] | None = None) -> None:
        self._exact: dict[str, dict[str, Handler]] = {}
        self._patterns: list[tuple[re.Pattern[str], dict[str, Handler]]] = []
        self._on_error = on_error

    def route(self, method: str, pattern: str, handler: Handler) -> None:
        """Add a route; the first pattern that matches a path answers it."""
        if "{" not in pattern:
            self._exact.setdefault(pattern, {})[method] = handler
            return
        parts = re.split(r"\{(\w+)\}", pattern)
        text = "".join(f"(?P<{p}>[^/]+)" if i % 2 else re.escape(p) for i, p in enumerate(parts))
        for known, methods in self._patterns:
            if known.pattern == text:
                methods[method] = handler
                return
        self._patterns.append((re.compile(text), {method: handler}))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request of an ASGI server."""
        if scope["type"] != "http":
            return
        await send_response(send, await self.answer(scope, receive))

    async def answer(self, scope: Scope, receive: Receive) -> Response:
        """Answer one request; never raises but for cancellation."""
        try:
            handler, params = self._find(cast(str, scope["method"]), cast(str, scope["path"]))
            return await handler(Request(scope, receive, params))
        except DepinError as error:
            if isinstance(error, Broken) and self._on_error is not None:
                self._on_error(cast(str, scope["path"]), error)
            return problem_of(error)
        except Exception as error:  # noqa: BLE001 - the outermost door of a service
            if self._on_error is not None:
                self._on_error(cast(str, scope["path"]), error)
            return problem(
                500, "internal", TITLES[500], "the service failed on this request; its log says why"
            )

    def _find(self, method: str, path: str) -> tuple[Handler, dict[str, str]]:
        methods, params = self._exact.get(path), dict[str, str]()
        if methods is None:
            for pattern, candidates in self._patterns:
                match = pattern.fullmatch(path)
                if match is not None:
                    methods = candidates
                    params = {name: unquote(value) for name, value in match.groupdict().items()}
                    break
        if methods is None:
            raise Problem(404, "not-found", f"nothing is at {path}")
        handler = methods.get(method) or (methods.get("GET") if method == "HEAD" else None)
        if handler is None:
            allowed = ", ".join(sorted(methods))
            raise Problem(405, "method", f"{path} takes {allowed}", allow=allowed)
        return handler, params
