"""The HTTP face of a store.

    POST /v1/attest                     CBOR of a sealed batch → attestation
    GET  /v1/chunks/{data_root}/{index} CBOR of the chunk and its path
    GET  /v1/batches/{number}           header, segments, this store's attestation
    GET  /v1/status, /healthz

A refused batch is 422, one that does not follow 409, one to be sent again 503, each with the
check's code.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from opendepin.core.batch_form import MAX_FORM_BYTES, decode_batched
from opendepin.core.encodings import from_hex, to_hex
from opendepin.core.errors import EncodingRejected
from opendepin.dims.availability.errors import (
    BatchRefused,
    BatchUnknown,
    ChunkLost,
    ChunkUnknown,
    IdentityBehind,
)
from opendepin.dims.availability.ports import Code
from opendepin.dims.availability.service import Store
from opendepin.dims.availability.wire import encode_chunk, held_to_json
from opendepin.runtime.http import Problem, Request, Response, Router, json_response
from opendepin.runtime.telemetry import Counters

CBOR_TYPE = b"application/cbor"
RETRY_AFTER_S = 1.0
CONFLICTS = frozenset({"number-gap", "second-header", "parent"})


class Face:
    """Routes of one store."""

    def __init__(
        self,
        store: Store,
        code: Code,
        network_id: bytes,
        counters: Counters,
        on_lost: Callable[[bytes], None],
        on_error: Callable[[str, BaseException], None],
    ) -> None:
        self._store, self._code, self._network_id = store, code, network_id
        self._counters, self._on_lost = counters, on_lost
        self.app = Router(on_error)
        self.app.route("POST", "/v1/attest", self._attest)
        self.app.route("GET", "/v1/chunks/{data_root}/{index}", self._chunk)
        self.app.route("GET", "/v1/batches/{number}", self._batch)
        self.app.route("GET", "/v1/status", self._status)
        self.app.route("GET", "/healthz", self._health)

    async def _attest(self, request: Request) -> Response:
        data = await request.body(MAX_FORM_BYTES)
        try:
            batch = await asyncio.to_thread(decode_batched, data, self._network_id)
        except EncodingRejected as error:
            raise Problem(400, error.code, str(error)) from error
        try:
            signature = await self._store.attest(batch)
        except BatchRefused as error:
            status = 409 if error.code in CONFLICTS else 422
            extra: dict[str, Any] = {} if error.expected is None else {"expected": error.expected}
            raise Problem(status, error.code, str(error), **extra) from error
        except IdentityBehind as error:
            raise Problem(503, error.code, str(error), retry_after_s=RETRY_AFTER_S) from error
        body = {
            "number": batch.header.number,
            "header_hash": to_hex(batch.header.hash()),
            "attester": to_hex(self._store.address),
            "signature": to_hex(signature),
        }
        return json_response(body)

    async def _chunk(self, request: Request) -> Response:
        try:
            data_root = from_hex(request.params["data_root"], 32)
        except EncodingRejected as error:
            raise Problem(400, error.code, str(error)) from error
        index = _number(request.params["index"], self._code.total - 1)
        try:
            chunk = await asyncio.to_thread(self._store.chunk, data_root, index)
        except ChunkUnknown as error:
            raise Problem(404, error.code, str(error)) from error
        except ChunkLost as error:
            self._on_lost(data_root)
            raise Problem(503, error.code, str(error), retry_after_s=RETRY_AFTER_S) from error
        return Response(200, encode_chunk(chunk), CBOR_TYPE)

    async def _batch(self, request: Request) -> Response:
        number = _number(request.params["number"], (1 << 53) - 1)
        try:
            held = self._store.batch(number)
        except BatchUnknown as error:
            raise Problem(404, error.code, str(error)) from error
        return json_response(held_to_json(held, self._code.data_chunks, self._code.total))

    async def _status(self, request: Request) -> Response:
        at = self._store.position
        extra: dict[str, Any] = {
            "attester": to_hex(self._store.address),
            "last": at.number,
            "head": to_hex(at.hash),
            "chunks": list(self._store.mine),
        }
        return json_response(self._counters.status_json(**extra))

    async def _health(self, request: Request) -> Response:
        return json_response({"ok": True})


def _number(text: str, most: int) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 16 or int(text) > most:
        raise Problem(400, "path", f"a number in 0..{most} belongs there, not {text[:40]!r}")
    return int(text)
