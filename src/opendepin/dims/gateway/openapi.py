"""The gateway's OpenAPI 3.1 document, what `GET /v1/openapi.json` answers."""

from __future__ import annotations

from typing import Any

from opendepin.core.limits import MAX_GROUP_MESSAGES, MAX_MESSAGE_BYTES
from opendepin.dims.gateway.config import MAX_FEED_GROUPS, MAX_FEED_WAIT_MS, MAX_FRAME_BYTES

_HASH = {"type": "string", "pattern": "^0x[0-9a-f]{64}$"}
_ADDRESS = {"type": "string", "pattern": "^0x[0-9a-f]{40}$"}
_SIGNATURE = {"type": "string", "pattern": "^0x[0-9a-f]{130}$"}
_NUMBER = {"type": "integer", "minimum": 0}
_BYTES = {"type": "string", "format": "binary"}

_HEADER: dict[str, Any] = {
    "network_id": _HASH,
    "project": _NUMBER,
    "gateway": _ADDRESS,
    "first": _NUMBER,
    "count": _NUMBER,
    "identity_block": _NUMBER,
    "include_by_block": _NUMBER,
    "root": _HASH,
    "signature": _SIGNATURE,
}


def _object(properties: dict[str, Any], optional: tuple[str, ...] = ()) -> dict[str, Any]:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _content(media_type: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {media_type: {"schema": schema}}


def _answer(text: str, media_type: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": text, "content": _content(media_type, schema)}


def _problems(*statuses: int) -> dict[str, Any]:
    texts = {
        400: "The form of the message, frame or query is wrong.",
        403: "The device may not speak, or its signature does not hold.",
        404: "Nothing of that name is here.",
        405: "The path takes another method.",
        409: "seq goes back, or stands for another message.",
        413: "The body is too large.",
        415: "The media type is another.",
        422: "Data or time of the message is out of bounds.",
        429: "Faster than allowed; Retry-After says when.",
        503: "Try later; Retry-After says when.",
    }
    kind = _content("application/problem+json", _ref("Problem"))
    retry = {"Retry-After": {"schema": {"type": "integer", "minimum": 1}}}
    found: dict[str, Any] = {}
    for status in statuses:
        found[str(status)] = {"description": texts[status], "content": kind}
        if status in (429, 503):
            found[str(status)]["headers"] = retry
    return found


def _schemas() -> dict[str, Any]:
    receipt = {**_HEADER, "position": _NUMBER, "message_id": _HASH}
    problem = {
        "type": {"type": "string"},
        "status": _NUMBER,
        "title": {"type": "string"},
        "code": {"type": "string", "pattern": "^[a-z0-9-]+$"},
        "detail": {"type": "string"},
        "retry_after_s": {"type": "number"},
    }
    result = {
        "status": {"type": "integer"},
        "message_id": _HASH,
        "position": _NUMBER,
        "receipt": _ref("Receipt"),
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "retry_after_s": {"type": "number"},
    }
    rows = {"type": "array", "items": _HASH}
    optional = tuple(name for name in result if name != "status")
    return {
        "Receipt": _object({**receipt, "path": rows}),
        "Group": _object({**_HEADER, "leaves": rows}),
        "Result": _object(result, optional),
        "Problem": _object(problem, ("retry_after_s",)),
        "Frame": _object(
            {
                "groups": {"type": "array", "items": _ref("Group")},
                "results": {"type": "array", "items": _ref("Result")},
            }
        ),
        "Message": _object(
            {"state": {"const": "admitted"}, "project": _NUMBER, "receipt": _ref("Receipt")}
        ),
    }


def _parameter(name: str, where: str, schema: dict[str, Any], text: str) -> dict[str, Any]:
    row = {"name": name, "in": where, "schema": schema, "description": text}
    return {**row, "required": True} if where == "path" else row


def _ingest() -> dict[str, Any]:
    one = f"One COSE_Sign1 message, at most {MAX_MESSAGE_BYTES} bytes."
    many = f"Up to {MAX_GROUP_MESSAGES} messages one after another, {MAX_FRAME_BYTES} bytes."
    either = {"oneOf": [_ref("Receipt"), _ref("Frame")]}
    return {
        "summary": "Admit messages; the answer comes when they are durable.",
        "parameters": [_parameter("project", "path", {**_NUMBER, "minimum": 1}, "Project id.")],
        "requestBody": {
            "required": True,
            "content": {
                "application/cose": {"schema": {**_BYTES, "description": one}},
                "application/cose-seq": {"schema": {**_BYTES, "description": many}},
            },
        },
        "responses": {
            "202": _answer("Admitted: the receipt.", "application/json", _ref("Receipt")),
            "200": _answer(
                "The first receipt again; or a frame's results.", "application/json", either
            ),
            **_problems(400, 403, 404, 405, 409, 413, 415, 422, 429, 503),
        },
    }


def _look(summary: str, parameters: list[Any], answer: dict[str, Any], *bad: int) -> dict[str, Any]:
    return {
        "get": {
            "summary": summary,
            "parameters": parameters,
            "responses": {"200": answer, **_problems(*bad)},
        }
    }


def document() -> dict[str, Any]:
    """Return the document."""
    identity = _parameter("message_id", "path", _HASH, "The message's id.")
    feed = [
        _parameter("after", "query", _NUMBER, "Number of the last group the reader has."),
        _parameter("limit", "query", {**_NUMBER, "maximum": MAX_FEED_GROUPS}, "Most groups."),
        _parameter("wait_ms", "query", {**_NUMBER, "maximum": MAX_FEED_WAIT_MS}, "Longest wait."),
    ]
    found = _answer("State and receipt.", "application/json", _ref("Message"))
    groups = _answer(
        "CBOR arrays [number, group] one after another.", "application/cbor-seq", _BYTES
    )
    anything = {"type": "object"}
    return {
        "openapi": "3.1.0",
        "info": {"title": "OpenDePIN gateway", "version": "1", "license": {"name": "Apache-2.0"}},
        "paths": {
            "/v1/projects/{project}/messages": {"post": _ingest()},
            "/v1/messages/{message_id}": _look(
                "An admitted message.", [identity], found, 400, 404, 503
            ),
            "/v1/messages/{message_id}/raw": _look(
                "Its bytes.",
                [identity],
                _answer("The message.", "application/cose", _BYTES),
                400,
                404,
                503,
            ),
            "/v1/feed": _look("Committed groups in order.", feed, groups, 400),
            "/v1/status": _look(
                "Counts and latencies.", [], _answer("Status.", "application/json", anything)
            ),
            "/healthz": _look(
                "Whether messages are taken.",
                [],
                _answer("Yes.", "application/json", anything),
                503,
            ),
        },
        "components": {"schemas": _schemas()},
    }
