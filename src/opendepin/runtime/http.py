"""The door to HTTP: what services import to serve, route, answer problems, and ask other
services.
"""

from __future__ import annotations

import httpx

from opendepin.runtime.asgi import (
    ASGI,
    Receive,
    Request,
    Response,
    Router,
    Scope,
    Send,
    header_of,
    json_response,
    problem,
    problem_of,
    read_body,
    send_response,
)
from opendepin.runtime.errors import Problem
from opendepin.runtime.protocol import Direct, Limits, Reply
from opendepin.runtime.server import serve

__all__ = [
    "ASGI",
    "Direct",
    "Limits",
    "Problem",
    "Receive",
    "Reply",
    "Request",
    "Response",
    "Router",
    "Scope",
    "Send",
    "client",
    "header_of",
    "json_response",
    "problem",
    "problem_of",
    "read_body",
    "send_response",
    "serve",
]

CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 30.0


def client(
    base_url: str = "", *, read_timeout_s: float = READ_TIMEOUT_S, connections: int = 16
) -> httpx.AsyncClient:
    """Return an HTTP client with our timeouts and no proxy from the environment; close it by
    `aclose`.
    """
    return httpx.AsyncClient(
        base_url=base_url,
        timeout=httpx.Timeout(read_timeout_s, connect=CONNECT_TIMEOUT_S),
        limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
        trust_env=False,
    )
