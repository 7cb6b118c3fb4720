"""The gateway's HTTP face: plain ASGI, no framework on the path of a message.

In: requests of `docs/spec/gateway.md`. Out: receipts, problems, groups. The two media types of the
ingest path end in the same `admit`; everything else is a look-up.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial

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
from opendepin.dims.gateway.lanes import Forming, Lane, Outcome, Ticket
from opendepin.dims.gateway.openapi import document
from opendepin.dims.gateway.rules import Sealed
from opendepin.dims.gateway.service import Gateway
from opendepin.runtime.http import (
    Problem,
    Receive,
    Reply,
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

INGEST = re.compile(r"/v1/projects/([1-9][0-9]{0,18})/messages")


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
        match = INGEST.fullmatch(scope["path"])
        if match is None:
            answer = await self._router.answer(scope, receive)
        else:
            answer = await self._ingest(int(match[1]), scope, receive)
        await send_response(send, answer)

    # ingest

    async def _ingest(self, project: int, scope: Scope, receive: Receive) -> Response:
        size = 0
        try:
            if scope["method"] != "POST":
                raise Problem(405, "method", "messages are sent by POST", allow="POST")
            lane, many = self.entry(project, header_of(scope, b"content-type"))
            size = self._reserve(many, header_of(scope, b"content-length"))
            if many:
                body = await read_body(scope, receive, MAX_FRAME_BYTES)
                return self.frame(await self._gateway.admit_frame(lane, body))
            body = await read_body(scope, receive, MAX_MESSAGE_BYTES)
            return self.single(await self._gateway.admit(lane, body))
        except DepinError as error:
            self.count_refused(error.code)
            return problem_of(error)
        finally:
            self._inflight -= size

    def entry(self, project: int, kind: bytes) -> tuple[Lane, bool]:
        """Check media type and project."""
        if kind not in (ONE, MANY):
            kind = kind.split(b";")[0].strip().lower()
            if kind not in (ONE, MANY):
                raise Problem(415, "media-type", "send application/cose or application/cose-seq")
        lane = self._gateway.lane(project)
        if lane is None:
            raise Problem(404, "unknown-project", f"this gateway does not serve project {project}")
        return lane, kind == MANY

    def _reserve(self, many: bool, declared: bytes) -> int:
        """Check the declared size, or take the largest, and count it as in work."""
        size = MAX_FRAME_BYTES if many else MAX_MESSAGE_BYTES
        if declared:
            if int(declared) > size:
                code = "frame-size" if many else "size"
                raise Problem(413, code, f"the body has at most {size} bytes")
            size = int(declared)
        if self._inflight + size > self._most_inflight:
            raise Problem(503, "busy", "too much is in work", retry_after_s=BUSY_RETRY_S)
        self._inflight += size
        return size

    def count_refused(self, code: str) -> None:
        """Count a refusal."""
        self._counters.add("refused." + code)

    def single(self, outcome: Outcome) -> Response:
        """Answer one message's outcome."""
        if isinstance(outcome, Refusal):
            return self._refused(outcome)
        sealed, index = outcome.place()
        if outcome.repeated:
            self._counters.add("repeated")
            return Response(200, sealed.receipt_json(index))
        return Response(202, sealed.receipt_json(index))

    def _refused(self, refusal: Refusal) -> Response:
        self.count_refused(refusal.code)
        extra: dict[str, object] = {}
        if refusal.retry_after_s is not None:
            extra["retry_after_s"] = round(refusal.retry_after_s, 3)
        return problem(refusal.status, refusal.code, "Refused", refusal.detail, **extra)

    def frame(self, outcomes: Sequence[Outcome]) -> Response:
        """Answer a frame's outcomes: each group once, a result per message."""
        groups: dict[Forming, Sealed] = {}
        results: list[str] = []
        forming: Forming | None = None
        ids: tuple[bytes, ...] = ()
        first = 0
        for outcome in outcomes:
            if type(outcome) is not Ticket or outcome.repeated:
                results.append(self._other(outcome))
                continue
            if outcome.forming is not forming:  # most often once a frame
                forming, (sealed, _) = outcome.forming, outcome.place()
                groups[forming] = sealed
                ids, first = sealed.message_ids, sealed.group.header.first
            index = outcome.place()[1] if outcome.forming.refused else outcome.index
            results.append(
                f'{{"status":202,"message_id":"0x{ids[index].hex()}","position":{first + index}}}'
            )
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


class DirectIngest:
    """The same ingest without ASGI between socket and `take`; answers are written when a group
    ends.
    """

    prefix = b"/v1/projects/"
    max_body_bytes = 64 * 1024
    """Longer frames go by the app, which bounds what all requests hold."""

    def __init__(self, app: GatewayApp, gateway: Gateway) -> None:
        self._app, self._gateway = app, gateway
        self._projects: dict[bytes, int] = {}

    def __call__(self, reply: Reply, path: bytes, kind: bytes, body: bytes) -> None:
        """Take a request's messages; answer at once what is refused or known, the rest when it is
        durable.
        """
        try:
            lane, many = self._app.entry(self._project(path), kind)
            if many:
                self._many(reply, self._gateway.take_frame(lane, body))
            elif len(body) > MAX_MESSAGE_BYTES:
                raise Problem(413, "size", f"the body has at most {MAX_MESSAGE_BYTES} bytes")
            else:
                self._one(reply, self._gateway.take(lane, body))
        except DepinError as error:
            self._app.count_refused(error.code)
            reply.respond(problem_of(error))
        except Exception as error:  # noqa: BLE001 - the outermost door of a request
            self._gateway.log_error("direct", error)
            reply.respond(problem(500, "internal", "Our fault", "the gateway's log says why"))

    def _project(self, path: bytes) -> int:
        known = self._projects.get(path)
        if known is None:
            match = INGEST.fullmatch(path.decode("latin-1"))
            if match is None:
                raise Problem(404, "not-found", "messages go to /v1/projects/{project}/messages")
            known = int(match[1])
            if self._gateway.lane(known) is not None:
                self._projects[path] = known
        return known

    def _one(self, reply: Reply, outcome: Outcome) -> None:
        if type(outcome) is Ticket and not outcome.forming.ended:
            outcome.forming.waiters.append(partial(self._one_ended, reply, outcome))
        else:
            reply.respond(self._app.single(outcome))

    def _one_ended(self, reply: Reply, ticket: Ticket) -> None:
        reply.respond(self._app.single(ticket.outcome()))

    def _many(self, reply: Reply, outcomes: list[Outcome]) -> None:
        forming = {row.forming for row in outcomes if type(row) is Ticket}
        waiting = [group for group in forming if not group.ended]
        if not waiting:
            self._many_ended(reply, outcomes, [])
            return
        for group in waiting:
            group.waiters.append(partial(self._many_ended, reply, outcomes, waiting))

    def _many_ended(self, reply: Reply, outcomes: list[Outcome], waiting: list[Forming]) -> None:
        if not all(group.ended for group in waiting):
            return
        if any(group.refused for group in waiting):
            outcomes = [row.outcome() if type(row) is Ticket else row for row in outcomes]
        reply.respond(self._app.frame(outcomes))
