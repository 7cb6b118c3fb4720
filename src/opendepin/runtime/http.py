"""The door to HTTP: what services import to serve, route, answer problems, and ask other
services.
"""

from __future__ import annotations

import httpx

from opendepin.runtime.answers import (
    MAX_ANSWER_BYTES,
    MAX_STATUS_BYTES,
    AnswerRefused,
    BoundedTransport,
    PlainTransport,
    at_most,
    json_of,
)
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
    "MAX_ANSWER_BYTES",
    "MAX_STATUS_BYTES",
    "AnswerRefused",
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
    "at_most",
    "client",
    "header_of",
    "json_of",
    "json_response",
    "plain_client",
    "problem",
    "problem_of",
    "read_body",
    "send_response",
    "serve",
]

CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 30.0


def client(
    base_url: str = "",
    *,
    read_timeout_s: float = READ_TIMEOUT_S,
    connections: int = 16,
    most_bytes: int = MAX_ANSWER_BYTES,
) -> httpx.AsyncClient:
    """Return an HTTP client with our timeouts and no proxy from the environment; close it by
    `aclose`. No answer has more than `most_bytes`, or those that `extensions=at_most(…)` names.
    """
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    inner = httpx.AsyncHTTPTransport(limits=limits, trust_env=False)
    return httpx.AsyncClient(
        base_url=base_url,
        timeout=httpx.Timeout(read_timeout_s, connect=CONNECT_TIMEOUT_S),
        transport=BoundedTransport(inner, most_bytes),
        trust_env=False,
    )


def plain_client(read_timeout_s: float = READ_TIMEOUT_S) -> httpx.Client:
    """Return the same for a command that waits for its answers."""
    return httpx.Client(
        timeout=httpx.Timeout(read_timeout_s, connect=CONNECT_TIMEOUT_S),
        transport=PlainTransport(httpx.HTTPTransport(trust_env=False)),
        trust_env=False,
    )
