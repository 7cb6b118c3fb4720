"""The gateway's HTTP face: plain ASGI, no framework on the path of a message.

In: requests of `docs/spec/gateway.md`. Out: receipts, problems, groups. The two media types of the ingest path end in
the same `admit`; everything else is a look-up.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from opendepin.core.encodings import cbor_encode, from_hex
from opendepin.core.errors import DepinError
from opendepin.core.limits import MAX_MESSAGE_BYTES
from opendepin.dims.gateway.config import (
    BUSY_RETRY_S,
    MAX_FEED_GROUPS,
    MAX_FEED_WAIT_MS,
    MAX_FRAME_BYTES,
)
from opendepin.dims.gateway.errors import Refusal
from opendepin.dims.gateway.lanes import Lane, Outcome, Ticket
from opendepin.dims.gateway.openapi import document
from opendepin.dims.gateway.rules import Sealed
from opendepin.dims.gateway.service import Gateway
from opendepin.runtime.http import (
    Problem,
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

ONE = b"application/cose"
MANY = b"application/cose-seq"
CBOR_SEQ = b"application/cbor-seq"

_INGEST = re.compile(r"/v1/projects/([1-9][0-9]{0,18})/messages")


class GatewayApp:
    """The ASGI app of one gateway."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway, self._counters = gateway, gateway.counters
        self._most_inflight = gateway.config.inflight_bytes
        self._inflight = 0
        self._router = Router(gateway.log_error)
        for path, handler in (
            ("/v1/messages/{message_id}", self._message),
            ("/v1/messages/{message_id}/raw", self._raw),
            ("/v1/feed", self._feed),
            ("/v1/status", self._status),
            ("/v1/openapi.json", self._openapi),
            ("/healthz", self._health),
        ):
            self._router.route("GET", path, handler)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        match = _INGEST.fullmatch(scope["path"])
        if match is None:
            answer = await self._router.answer(scope, receive)
        else:
            answer = await self._ingest(int(match[1]), scope, receive)
        await send_response(send, answer)

    # ingest

    async def _ingest(self, project: int, scope: Scope, receive: Receive) -> Response:
        size = 0
        try:
            lane, many, size = self._entry(project, scope)
            self._inflight += size
            if many:
                body = await read_body(scope, receive, MAX_FRAME_BYTES)
                return self._frame(await self._gateway.admit_frame(lane, body))
            body = await read_body(scope, receive, MAX_MESSAGE_BYTES)
            return self._single(await self._gateway.admit(lane, body))
        except DepinError as error:
            self._counters.add("refused." + error.code)
            return problem_of(error)
        finally:
            self._inflight -= size

    def _entry(self, project: int, scope: Scope) -> tuple[Lane, bool, int]:
        """Check method, media type, project and size before the body is read."""
        if scope["method"] != "POST":
            raise Problem(405, "method", "messages are sent by POST")
        kind = header_of(scope, b"content-type")
        if kind not in (ONE, MANY):
            kind = kind.split(b";")[0].strip().lower()
            if kind not in (ONE, MANY):
                raise Problem(415, "media-type", "send application/cose or application/cose-seq")
        lane = self._gateway.lane(project)
        if lane is None:
            raise Problem(404, "unknown-project", f"this gateway does not serve project {project}")
        many = kind == MANY
        size = MAX_FRAME_BYTES if many else MAX_MESSAGE_BYTES
        declared = header_of(scope, b"content-length")
        if declared:
            if int(declared) > size:
                code = "frame-size" if many else "size"
                raise Problem(413, code, f"the body has at most {size} bytes")
            size = int(declared)
        if self._inflight + size > self._most_inflight:
            raise Problem(503, "busy", "too much is in work", retry_after_s=BUSY_RETRY_S)
        return lane, many, size

    def _single(self, outcome: Outcome) -> Response:
        if isinstance(outcome, Refusal):
            return self._refused(outcome)
        sealed, index = outcome.place()
        if outcome.repeated:
            self._counters.add("repeated")
            return Response(200, sealed.receipt_json(index))
        return Response(202, sealed.receipt_json(index))

    def _refused(self, refusal: Refusal) -> Response:
        self._counters.add("refused." + refusal.code)
        extra: dict[str, object] = {}
        if refusal.retry_after_s is not None:
            extra["retry_after_s"] = round(refusal.retry_after_s, 3)
        return problem(refusal.status, refusal.code, "Refused", refusal.detail, **extra)

    def _frame(self, outcomes: Sequence[Outcome]) -> Response:
        groups: dict[int, Sealed] = {}
        results: list[str | bytes] = []
        for outcome in outcomes:
            if type(outcome) is Ticket and not outcome.repeated:
                sealed, index = outcome.place()
                groups[id(sealed)] = sealed
                position, identity = sealed.group.header.first + index, sealed.message_ids[index]
                results.append(
                    f'{{"status":202,"message_id":"0x{identity.hex()}","position":{position}}}'
                )
            else:
                results.append(self._other(outcome))
        heads = b",".join(sealed.group_json for sealed in groups.values())
        rows = ",".join(results)
        return Response(200, b'{"groups":[' + heads + b'],"results":[' + rows.encode() + b"]}")

    def _other(self, outcome: Outcome) -> str:
        if isinstance(outcome, Refusal):
            return self._refused(outcome).body.decode()
        self._counters.add("repeated")
        sealed, index = outcome.place()
        position, identity = sealed.group.header.first + index, sealed.message_ids[index].hex()
        receipt = sealed.receipt_json(index).decode()
        head = f'{{"status":200,"message_id":"0x{identity}","position":{position}'
        return f'{head},"receipt":{receipt}}}'

    # look-ups

    async def _message(self, request: Request) -> Response:
        sealed, index = self._found(request)
        receipt = sealed.receipt_json(index)
        project = sealed.group.header.project
        head = f'{{"state":"admitted","project":{project},"receipt":'.encode()
        return Response(200, head + receipt + b"}")

    async def _raw(self, request: Request) -> Response:
        sealed, index = self._found(request)
        return Response(200, sealed.group.messages[index], ONE)

    def _found(self, request: Request) -> tuple[Sealed, int]:
        found = self._gateway.find(from_hex(request.params["message_id"], 32))
        if found is None:
            raise Problem(404, "unknown-message", "no message with this id was admitted here")
        return found.place()

    async def _feed(self, request: Request) -> Response:
        after = request.query_int("after", 0)
        limit = max(1, request.query_int("limit", 64, MAX_FEED_GROUPS))
        wait_ms = request.query_int("wait_ms", 0, MAX_FEED_WAIT_MS)
        rows = await self._gateway.feed(after, limit, wait_ms)
        body = b"".join(cbor_encode([number, record]) for number, record in rows)
        return Response(200, body, CBOR_SEQ)

    async def _status(self, _request: Request) -> Response:
        return json_response(self._counters.status_json(**self._gateway.status()))

    async def _openapi(self, _request: Request) -> Response:
        return json_response(document())

    async def _health(self, _request: Request) -> Response:
        if not self._gateway.is_open:
            raise Problem(503, "not-ready", "the gateway does not take messages", retry_after_s=1)
        return json_response({"ok": True})
