"""A gateway's client: sends messages and cuts their receipts, reads the feed.

In: an HTTP client with a base URL, the network id and the gateway's address where it is known. Out:
receipts and groups that were checked; an answer that does not hold raises.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import cbor2
import httpx

from opendepin.core import merkle
from opendepin.core.encodings import from_hex, to_hex
from opendepin.core.errors import EncodingRejected, ProofRejected, Rejected, SignatureRejected
from opendepin.core.group import (
    Group,
    Receipt,
    check_group_signature,
    decode_group,
    leaf,
    receipt_from_leaves,
    receipt_of_json,
)
from opendepin.dims.gateway.config import MAX_FEED_BYTES
from opendepin.dims.gateway.errors import GatewayFault, ReceiptRejected
from opendepin.runtime.http import at_most, json_of


@dataclass(frozen=True)
class Answer:
    """What became of one sent message."""

    status: int
    """202 admitted now, 200 admitted before, else refused."""
    receipt: Receipt | None = None
    code: str = ""
    detail: str = ""
    retry_after_s: float | None = None


class GatewayClient:
    """Speaks to one gateway.

    Args:
        http: client whose base URL is the gateway's.
        network_id: 32 bytes; receipts of another network are refused.
        gateway: address of its key; None takes the address that the receipt names, its signature is
        checked all the
            same.
    """

    def __init__(
        self, http: httpx.AsyncClient, network_id: bytes, gateway: bytes | None = None
    ) -> None:
        self._http, self._network_id, self._gateway = http, network_id, gateway

    async def send(self, project: int, raw: bytes) -> Answer:
        """Send one message.

        Raises:
            GatewayFault: it is away or answers nonsense.
            ReceiptRejected: the receipt does not hold.
        """
        answer = await self._post(project, raw, "application/cose")
        value = _json(answer)
        if answer.status_code not in (200, 202):
            return _refused(value, answer.status_code)
        receipt = self._checked(_receipt(value))
        return Answer(answer.status_code, receipt)

    async def send_frame(self, project: int, messages: Sequence[bytes]) -> list[Answer]:
        """Send up to 256 messages in one request; return an answer for each, in order.

        Raises:
            GatewayFault: it is away or answers nonsense.
            ReceiptRejected: a receipt does not hold.
            Rejected: the whole frame was refused.
        """
        answer = await self._post(project, b"".join(messages), "application/cose-seq")
        value = _json(answer)
        if answer.status_code != 200:
            refused = _refused(value, answer.status_code)
            if answer.status_code in (429, 503):
                return [refused] * len(messages)
            raise Rejected(refused.detail, code=refused.code)
        found = answers_of_frame(value)
        if len(found) != len(messages):
            raise GatewayFault(f"{len(found)} answers came for {len(messages)} messages")
        checked: dict[bytes, bool] = {}
        for row in found:
            if row.receipt is not None:
                self._checked(row.receipt, checked)
        return found

    async def receipt(self, message_id: bytes) -> Receipt | None:
        """Return the receipt of an admitted message, None when the gateway has none."""
        answer = await self._get(f"/v1/messages/{to_hex(message_id)}")
        if answer.status_code == 404:
            return None
        value = _json(answer)
        if answer.status_code != 200:
            raise GatewayFault(f"look-up failed: {_refused(value, answer.status_code).detail}")
        receipt = self._checked(_receipt(value.get("receipt", {})))
        if receipt.message_id != message_id:
            raise ReceiptRejected("the receipt is another message's", code="receipt-message")
        return receipt

    async def raw(self, message_id: bytes) -> bytes | None:
        """Return an admitted message's bytes, None when the gateway has none."""
        answer = await self._get(f"/v1/messages/{to_hex(message_id)}/raw")
        if answer.status_code == 404:
            return None
        if answer.status_code != 200:
            raise GatewayFault(f"look-up failed with status {answer.status_code}")
        return answer.content

    async def feed(self, after: int, limit: int = 64, wait_ms: int = 0) -> list[tuple[int, Group]]:
        """Return the next committed groups; their form and signature are checked, their messages
        are not.

        Raises:
            GatewayFault: it is away, a number is not the next, or a group does not hold.
        """
        query = f"/v1/feed?after={after}&limit={limit}&wait_ms={wait_ms}"
        answer = await self._get(query)
        if answer.status_code != 200:
            raise GatewayFault(f"the feed answered status {answer.status_code}")
        found: list[tuple[int, Group]] = []
        try:
            for number, record in groups_of_feed(answer.content):
                group = decode_group(record, self._network_id)
                check_group_signature(
                    group.header, group.signature, self._gateway or group.header.gateway
                )
                if number != after + 1 + len(found):
                    raise GatewayFault(f"the feed gave group {number} after {after + len(found)}")
                found.append((number, group))
        except (EncodingRejected, SignatureRejected) as error:
            raise GatewayFault(f"the feed holds what is no group: {error}") from error
        return found

    async def status(self) -> dict[str, Any]:
        """Return the status document."""
        return _json(await self._get("/v1/status"))

    async def _post(self, project: int, body: bytes, kind: str) -> httpx.Response:
        try:
            return await self._http.post(
                f"/v1/projects/{project}/messages",
                content=body,
                headers={"content-type": kind},
                extensions=at_most(MAX_FEED_BYTES),
            )
        except httpx.HTTPError as error:
            raise GatewayFault(f"the gateway does not answer: {error!r}") from error

    async def _get(self, path: str) -> httpx.Response:
        try:
            return await self._http.get(path, extensions=at_most(MAX_FEED_BYTES))
        except httpx.HTTPError as error:
            raise GatewayFault(f"the gateway does not answer: {error!r}") from error

    def _checked(self, receipt: Receipt, known: dict[bytes, bool] | None = None) -> Receipt:
        """Check a receipt; a group signature found good once in `known` is not checked again."""
        if receipt.header.network_id != self._network_id:
            raise ReceiptRejected("the receipt is another network's", code="receipt-network")
        signed = receipt.header.digest() + receipt.signature
        try:
            if known is None or signed not in known:
                gateway = self._gateway or receipt.header.gateway
                check_group_signature(receipt.header, receipt.signature, gateway)
                if known is not None:
                    known[signed] = True
            _check_path(receipt)
        except (SignatureRejected, ProofRejected) as error:
            raise ReceiptRejected(
                str(error), code="receipt-" + error.code.removeprefix("receipt-")
            ) from error
        return receipt


def _check_path(receipt: Receipt) -> None:
    header = receipt.header
    start = leaf(receipt.position, header.identity_block, receipt.message_id)
    index = receipt.position - header.first
    if merkle.root_of_path(start, index, header.count, receipt.path) != header.root:
        raise ProofRejected("the receipt's path does not lead to the root", code="receipt-path")


def answers_of_frame(value: Mapping[str, Any]) -> list[Answer]:
    """Cut the receipts out of a frame's answer; they are not checked here.

    Raises:
        GatewayFault: the answer has another form, or a result lies in none of its groups.
    """
    try:
        groups: list[tuple[Receipt, list[bytes]]] = []
        for row in value["groups"]:
            head = receipt_of_json(
                {**row, "position": 1, "message_id": "0x" + "00" * 32, "path": []}
            )
            groups.append((head, [from_hex(text, 32) for text in row["leaves"]]))
        return [_answer(row, groups) for row in value["results"]]
    except (EncodingRejected, ProofRejected, KeyError, TypeError, ValueError) as error:
        raise GatewayFault(f"the gateway's answer has another form: {error!r}") from error


def _answer(row: Mapping[str, Any], groups: list[tuple[Receipt, list[bytes]]]) -> Answer:
    if row["status"] == 200:
        return Answer(200, receipt_of_json(row["receipt"]))
    if row["status"] != 202:
        return _refused(row, int(row["status"]))
    position, message_id = int(row["position"]), from_hex(row["message_id"], 32)
    for head, leaves in groups:
        header = head.header
        if header.first <= position < header.first + header.count and len(leaves) == header.count:
            index = position - header.first
            cut = receipt_from_leaves(header, head.signature, leaves, index, message_id)
            return Answer(202, cut)
    raise GatewayFault(f"position {position} lies in none of the answer's groups")


def groups_of_feed(body: bytes) -> list[tuple[int, bytes]]:
    """Read the rows of a feed's answer.

    Raises:
        EncodingRejected: not rows of [number, bytes].
    """
    stream, found = io.BytesIO(body), list[tuple[int, bytes]]()
    decoder = cbor2.CBORDecoder(stream)
    while stream.tell() < len(body):
        try:
            row: Any = decoder.decode()
        except Exception as error:
            raise EncodingRejected(f"not a feed: {error}", code="feed") from error
        if not isinstance(row, list) or [type(item) for item in cast(list[Any], row)] != [
            int,
            bytes,
        ]:
            raise EncodingRejected("a row of the feed is [number, bytes]", code="feed")
        number, record = cast(tuple[int, bytes], tuple(cast(list[Any], row)))
        found.append((number, record))
    return found


def _receipt(value: Mapping[str, Any]) -> Receipt:
    try:
        return receipt_of_json(value)
    except EncodingRejected as error:
        raise GatewayFault(f"the gateway's receipt has another form: {error}") from error


def _refused(value: Mapping[str, Any], status: int) -> Answer:
    wait = value.get("retry_after_s")
    retry = float(wait) if isinstance(wait, int | float) else None
    code, detail = str(value.get("code", "unknown")), str(value.get("detail", ""))
    return Answer(status, None, code, detail, retry)


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        value: Any = json_of(answer)
    except ValueError as error:
        raise GatewayFault(f"status {answer.status_code} came with no JSON") from error
    if not isinstance(value, dict):
        raise GatewayFault(f"status {answer.status_code} came with no JSON object")
    return cast(dict[str, Any], value)
