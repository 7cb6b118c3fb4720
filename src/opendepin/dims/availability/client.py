"""One store, spoken to over HTTP: what the composition root gives to whoever needs the availability
layer.

In: a base address and the store's known attester address. Out: the `Attester` port. Promise:
nothing is returned that was not verified: an attestation recovers to the address, a chunk lies
under its root, a header has its hash.
"""

from __future__ import annotations

from typing import Any

import httpx

from opendepin.core import keys
from opendepin.core.batch_form import encode_batched
from opendepin.core.chunks import Chunk
from opendepin.core.encodings import from_hex, to_hex
from opendepin.core.errors import Rejected
from opendepin.core.journey import Batched
from opendepin.dims.availability.config import (
    ATTEST_TIMEOUT_S,
    CHUNK_TIMEOUT_S,
    MAX_CHUNK_ANSWER_BYTES,
)
from opendepin.dims.availability.errors import (
    BatchRefused,
    BatchUnknown,
    ChunkLost,
    ChunkUnknown,
    StoreAway,
    StoreFaulty,
)
from opendepin.dims.availability.ports import Code, Held
from opendepin.dims.availability.wire import decode_chunk, held_of_json
from opendepin.runtime.http import json_of

CBOR = {"content-type": "application/cbor"}


class StoreClient:
    """The `Attester` port over HTTP.

    Args:
        address: the attester address that genesis names for this store.
        http: a client with the store's base address; closed by whoever made it.
    """

    def __init__(self, address: bytes, http: httpx.AsyncClient, code: Code) -> None:
        self._address, self._http, self._code = address, http, code

    @property
    def address(self) -> bytes:
        """Address of the key it attests with."""
        return self._address

    async def attest(self, batch: Batched) -> bytes:
        """Have a batch checked, kept and signed; see the port."""
        data = encode_batched(batch)
        answer = await self._ask("POST", "/v1/attest", ATTEST_TIMEOUT_S, content=data, headers=CBOR)
        body = self._json(answer)
        if answer.status_code != 200:
            code, expected = str(body.get("code", "batch")), body.get("expected")
            text = f"{self}: {body.get('detail', answer.status_code)}"
            raise BatchRefused(
                text, code=code, expected=expected if type(expected) is int else None
            )
        try:
            signature = from_hex(body["signature"], 65)
            signer = keys.recover(batch.header.attest_digest(), signature)
        except (Rejected, KeyError, AttributeError) as error:
            raise StoreFaulty(f"{self} gave no attestation: {error}") from error
        if signer != self._address:
            raise StoreFaulty(f"{self} signed with another key: 0x{signer.hex()}")
        return signature

    async def chunk(self, data_root: bytes, index: int) -> Chunk:
        """Return one chunk, verified; see the port."""
        path = f"/v1/chunks/{to_hex(data_root)}/{index}"
        answer = await self._ask("GET", path, CHUNK_TIMEOUT_S)
        if answer.status_code == 404:
            raise ChunkUnknown(f"{self} has no chunk {index} of 0x{data_root.hex()}")
        if answer.status_code != 200:
            raise StoreFaulty(f"{self} answered {answer.status_code} for chunk {index}")
        try:
            chunk = decode_chunk(answer.content)
            self._code.check(chunk, data_root)
        except Rejected as error:
            raise StoreFaulty(f"{self} gave a false chunk {index}: {error}") from error
        if chunk.index != index:
            raise StoreFaulty(f"{self} gave chunk {chunk.index} for chunk {index}")
        return chunk

    async def batch(self, number: int) -> Held:
        """Return what the store holds of a batch, its attestation verified; see the port."""
        answer = await self._ask("GET", f"/v1/batches/{number}", CHUNK_TIMEOUT_S)
        if answer.status_code == 404:
            raise BatchUnknown(f"{self} attested no batch {number}")
        try:
            held = held_of_json(self._json(answer))
            signer = keys.recover(held.header.attest_digest(), held.attestation)
        except Rejected as error:
            raise StoreFaulty(f"{self} gave no batch {number}: {error}") from error
        if signer != self._address or held.attester != signer or held.header.number != number:
            raise StoreFaulty(f"{self} gave a batch {number} that it did not attest")
        return held

    def __str__(self) -> str:
        return f"store 0x{self._address.hex()} at {self._http.base_url}"

    async def _ask(self, method: str, path: str, timeout_s: float, **rest: Any) -> httpx.Response:
        try:
            async with self._http.stream(method, path, timeout=timeout_s, **rest) as answer:
                parts, size = list[bytes](), 0
                async for part in answer.aiter_bytes():
                    parts.append(part)
                    size += len(part)
                    if size > MAX_CHUNK_ANSWER_BYTES:
                        raise StoreFaulty(f"{self} sends without end")
        except httpx.HTTPError as error:
            raise StoreAway(f"{self} does not answer: {error!r}") from error
        found = httpx.Response(answer.status_code, headers=answer.headers, content=b"".join(parts))
        if found.status_code >= 500:
            code = self._json(found).get("code")
            if code == ChunkLost.code:
                raise ChunkLost(f"{self}: the chunk has rotted there and is being fetched anew")
            raise StoreAway(f"{self} asks for a later try: {found.status_code} {code}")
        return found

    def _json(self, answer: httpx.Response) -> dict[str, Any]:
        try:
            body: Any = json_of(answer)
        except ValueError:
            body = None
        if isinstance(body, dict):
            return body  # pyright: ignore[reportUnknownVariableType]
        if answer.status_code >= 500:
            return {}
        raise StoreFaulty(f"{self} answered {answer.status_code} without a JSON object")
