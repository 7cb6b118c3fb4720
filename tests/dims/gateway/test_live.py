"""A live gateway process against forged messages and hostile requests."""

from __future__ import annotations

import gzip
import time
from collections.abc import AsyncIterator, Callable

import cbor2
import httpx
import pytest
import pytest_asyncio

from opendepin.core import message
from opendepin.core.encodings import cbor_encode, sha256
from opendepin.core.errors import Rejected
from opendepin.core.identity import Status
from opendepin.core.keys import Key, N
from opendepin.core.limits import MAX_GROUP_MESSAGES, MAX_MESSAGE_BYTES
from opendepin.dims.gateway.client import GatewayClient
from opendepin.dims.gateway.errors import GatewayFault, ReceiptRejected
from opendepin.runtime.http import client
from tests.dims.gateway.live import Live, gateway_client
from tests.dims.gateway.world import (
    DEVICES,
    ELSEWHERE,
    NETWORK,
    OTHER_PROJECT,
    PROJECT,
    STRANGER,
    message_id,
    registry,
)

COSE, MANY = "application/cose", "application/cose-seq"
REVOKED, SUSPENDED, DEVICE = DEVICES[6], DEVICES[7], DEVICES[0]
NOW = int(time.time() * 1000)
KNOWN = DEVICES[1].sign(10, time_ms=NOW)
"""A message that the live gateway has admitted before the forged ones come."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def port(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[int]:
    changes = registry().states
    changes[REVOKED.id] = REVOKED.change(Status.REVOKED)
    changes[SUSPENDED.id] = SUSPENDED.change(Status.SUSPENDED)
    live = Live(tmp_path_factory.mktemp("live"), list(changes.values()), device_burst=100_000)
    await live.start()
    async with gateway_client(live.port) as gateway:
        assert (await gateway.send(PROJECT, KNOWN)).status == 202
    yield live.port
    await live.stop()


pytestmark = pytest.mark.asyncio(loop_scope="module")


def parts_of(raw: bytes) -> list[object]:
    return cbor2.loads(raw[1:])


def with_signature(raw: bytes, change: Callable[[int, int], tuple[int, int]]) -> bytes:
    r, s = change(int.from_bytes(raw[-64:-32], "big"), int.from_bytes(raw[-32:], "big"))
    return raw[:-64] + r.to_bytes(32, "big") + s.to_bytes(32, "big")


def signed(payload: bytes, protected: bytes | None = None, unprotected: object = None) -> bytes:
    """Sign any bytes as if they were a payload, rightly."""
    head = cbor_encode({1: -47, 4: DEVICE.id}) if protected is None else protected
    aad = message.external_aad(NETWORK, PROJECT)
    signature = DEVICE.key.sign(sha256(message.sig_structure(head, payload, aad)))
    return b"\xd2" + cbor_encode(
        [head, {} if unprotected is None else unprotected, payload, signature]
    )


def payload(**change: object) -> bytes:
    rows: dict[object, object] = {1: 500, 2: NOW, 3: {1: NOW // 1000, 2: 5}}
    rows.update({int(key[1:]): value for key, value in change.items()})
    return cbor_encode({key: value for key, value in rows.items() if value is not None})


GOOD = DEVICE.sign(500, time_ms=NOW)
OTHER_KEY = Key.from_seed(b"someone else")
LONG_HEAD = (
    payload()
    .replace(b"\x02\x1b", b"\x02\x1b")
    .replace(b"\x01\x19\x01\xf4", b"\x01\x1a\x00\x00\x01\xf4")
)
UNSORTED = b"\xa3" + payload()[5 : 5 + 10] + payload()[1:5] + payload()[15:]
DOUBLED = payload().replace(b"\xa2\x01", b"\xa3\x01", 1) + b"\x02\x05"

FORGED: dict[str, tuple[bytes, int, str]] = {
    "another key": (DEVICE.sign(500, time_ms=NOW, key=OTHER_KEY), 403, "signature"),
    "another device's key under my id": (
        DEVICE.sign(500, time_ms=NOW, key=DEVICES[2].key),
        403,
        "signature",
    ),
    "never registered": (STRANGER.sign(500, time_ms=NOW), 403, "unknown-device"),
    "revoked": (REVOKED.sign(500, time_ms=NOW), 403, "revoked"),
    "suspended": (SUSPENDED.sign(500, time_ms=NOW), 403, "suspended"),
    "another project's device": (
        ELSEWHERE.sign(500, time_ms=NOW, project=PROJECT),
        403,
        "wrong-project",
    ),
    "signed for another network": (
        DEVICE.sign(500, time_ms=NOW, network=bytes(32)),
        403,
        "signature",
    ),
    "signed for another project": (
        DEVICE.sign(500, time_ms=NOW, project=OTHER_PROJECT),
        403,
        "signature",
    ),
    "too old": (DEVICE.sign(500, time_ms=NOW - 8 * 86_400_000), 422, "too-old"),
    "from the future": (DEVICE.sign(500, time_ms=NOW + 3_600_000), 422, "too-early"),
    "seq goes back": (DEVICES[1].sign(9, time_ms=NOW), 409, "seq-stale"),
    "same seq, other content": (DEVICES[1].sign(10, 7, time_ms=NOW), 409, "seq-conflict"),
    "high s": (with_signature(GOOD, lambda r, s: (r, N - s)), 403, "high-s"),
    "r is zero": (with_signature(GOOD, lambda _r, s: (0, s)), 403, "signature-range"),
    "s is zero": (with_signature(GOOD, lambda r, _s: (r, 0)), 403, "signature-range"),
    "r is the order": (with_signature(GOOD, lambda _r, s: (N, s)), 403, "signature-range"),
    "s above the order": (
        with_signature(GOOD, lambda r, _s: (r, 2**256 - 1)),
        403,
        "signature-range",
    ),
    "payload altered on the way": (
        GOOD.replace((50_000).to_bytes(4, "big")[2:], b"\xc3\x51"),
        403,
        "signature",
    ),
    "truncated": (GOOD[:-1], 400, "truncated"),
    "empty": (b"", 413, "size"),
    "trailing byte": (GOOD + b"\x00", 400, "trailing-bytes"),
    "oversized": (GOOD + bytes(MAX_MESSAGE_BYTES), 413, "size"),
    "unknown field": (signed(payload(k3={1: NOW // 1000, 2: 5, 3: 1})), 422, "schema"),
    "missing field": (signed(payload(k3={1: NOW // 1000})), 422, "schema"),
    "field out of bounds": (signed(payload(k3={1: NOW // 1000, 2: 2_000_001})), 422, "schema"),
    "field is a text": (signed(payload(k3={1: NOW // 1000, 2: "5"})), 422, "schema"),
    "field is true": (signed(payload(k3={1: NOW // 1000, 2: True})), 422, "schema"),
    "unknown payload key": (signed(payload(k4=1)), 400, "payload"),
    "doubled field": (signed(DOUBLED), 400, "canonical"),
    "long head": (signed(LONG_HEAD), 400, "canonical"),
    "a float": (signed(payload(k3={1: NOW // 1000, 2: 1.5})), 400, "type"),
    "a tag": (signed(payload(k3={1: NOW // 1000, 2: cbor2.CBORTag(2, b"5")})), 400, "type"),
    "indefinite map": (signed(b"\xbf" + payload()[1:] + b"\xff"), 400, "canonical"),
    "depth bomb": (signed(b"\x81" * 900 + b"\x00"), 400, "depth"),
    "length bomb": (signed(b"\xa3\x01\x9b" + b"\xff" * 8), 400, "truncated"),
    "seq is zero": (signed(payload(k1=0)), 400, "seq"),
    "time beyond 48 bits": (signed(payload(k2=1 << 48)), 400, "time"),
    "another algorithm": (signed(payload(), cbor_encode({1: -7, 4: DEVICE.id})), 400, "algorithm"),
    "no kid": (signed(payload(), cbor_encode({1: -47})), 400, "header"),
    "unprotected header": (signed(payload(), unprotected={4: DEVICE.id}), 400, "header"),
    "detached payload": (
        b"\xd2" + cbor_encode([parts_of(GOOD)[0], {}, None, bytes(64)]),
        400,
        "cose",
    ),
    "signature of 63 bytes": (
        b"\xd2" + cbor_encode([*parts_of(GOOD)[:3], bytes(63)]),
        403,
        "signature-length",
    ),
    "signature of 65 bytes": (
        b"\xd2" + cbor_encode([*parts_of(GOOD)[:3], bytes(65)]),
        403,
        "signature-length",
    ),
    "three parts": (b"\xd2" + cbor_encode(parts_of(GOOD)[:3]), 400, "cose"),
    "no tag": (GOOD[1:], 400, "cose"),
    "JSON": (b'{"seq":1}', 400, "cose"),
    "gzip bomb": (b"\x1f\x8b\x08" + bytes(1000), 400, "cose"),
}


@pytest.mark.parametrize("kind", FORGED)
async def test_a_forged_message_is_refused_with_its_reason(port: int, kind: str) -> None:
    raw, status, code = FORGED[kind]
    path, head = f"/v1/projects/{PROJECT}/messages", {"content-type": COSE}
    async with client(f"http://127.0.0.1:{port}") as http:
        before = (await http.get("/v1/status")).json()["groups"]
        answer = await http.post(path, content=raw, headers=head)
        assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert len(answer.json()["detail"]) > 10
        assert (await http.get("/v1/status")).json()["groups"] == before


async def test_a_flipped_bit_in_any_byte_of_an_admitted_message_is_refused(port: int) -> None:
    """Each bit of each byte is tried in `test_admission`; here one of every byte, by HTTP."""
    path, head = f"/v1/projects/{PROJECT}/messages", {"content-type": COSE}
    async with client(f"http://127.0.0.1:{port}", connections=8) as http:
        for at in range(0, len(KNOWN), 2):
            raw = bytearray(KNOWN)
            raw[at] ^= 1 << at // 2 % 8
            answer = await http.post(path, content=bytes(raw), headers=head)
            assert answer.status_code in {400, 403, 409, 413, 422}, at


async def test_a_repeat_gets_the_first_receipt_and_the_message_can_be_read(port: int) -> None:
    async with gateway_client(port) as gateway:
        again = await gateway.send(PROJECT, KNOWN)
        assert again.status == 200
        assert again.receipt == await gateway.receipt(message_id(KNOWN))
        assert await gateway.raw(message_id(KNOWN)) == KNOWN
        framed = await gateway.send_frame(PROJECT, [KNOWN])
        assert [row.receipt for row in framed] == [again.receipt]
        assert await gateway.receipt(bytes(32)) is None
        assert await gateway.raw(bytes(32)) is None
        elsewhere = await gateway.send(OTHER_PROJECT, KNOWN)
        assert (elsewhere.status, elsewhere.code) == (403, "wrong-project")


async def test_a_frame_has_a_receipt_or_a_reason_for_each(port: int) -> None:
    good = [DEVICES[3].sign(seq, time_ms=NOW) for seq in range(1, 60)]
    mixed = [good[0], FORGED["another key"][0], *good[1:], good[5], FORGED["unknown field"][0]]
    async with gateway_client(port) as gateway:
        answers = await gateway.send_frame(PROJECT, mixed)
        assert [row.status for row in answers] == [202, 403, *[202] * 58, 200, 422]
        for raw, answer in zip(mixed, answers, strict=True):
            if answer.receipt is not None:
                assert answer.receipt.message_id == message_id(raw)
        positions = [row.receipt.position for row in answers if row.receipt and row.status == 202]
        assert positions == list(range(positions[0], positions[0] + 59))
        with pytest.raises(Rejected) as caught:
            await gateway.send_frame(PROJECT, [good[0], good[1][:-3]])
        assert caught.value.code == "frame"
        with pytest.raises(Rejected):
            await gateway.send_frame(PROJECT, [good[0]] * (MAX_GROUP_MESSAGES + 1))


async def test_one_message_and_frames_by_either_face_are_answered_alike(port: int) -> None:
    """Requests of unknown length pass by the ASGI app, the others straight from the socket."""

    async def pieces(body: bytes) -> AsyncIterator[bytes]:
        yield body

    path = f"/v1/projects/{PROJECT}/messages"
    async with client(f"http://127.0.0.1:{port}") as http:
        for kind, body in ((COSE, KNOWN), (MANY, KNOWN), (COSE, GOOD[:-1]), (MANY, GOOD[:-1])):
            head = {"content-type": kind}
            whole = await http.post(path, content=body, headers=head)
            parts = await http.post(path, content=pieces(body), headers=head)
            assert (whole.status_code, whole.json()) == (parts.status_code, parts.json())
        fresh = DEVICES[4].sign(1, time_ms=NOW)
        sent = await http.post(path, content=pieces(fresh), headers={"content-type": COSE})
        assert sent.status_code == 202


async def test_requests_of_the_wrong_kind(port: int) -> None:
    async with client(f"http://127.0.0.1:{port}") as http:

        async def ask(method: str, path: str, kind: str = COSE) -> tuple[int, str]:
            head = {"content-type": kind}
            answer = await http.request(method, path, content=GOOD, headers=head)
            return answer.status_code, answer.json()["code"]

        messages = f"/v1/projects/{PROJECT}/messages"
        assert await ask("POST", "/v1/projects/99/messages") == (404, "unknown-project")
        assert await ask("POST", "/v1/projects/0/messages") == (404, "not-found")
        assert await ask("POST", f"/v1/projects/{10**30}/messages") == (404, "not-found")
        assert await ask("POST", messages, "application/json") == (415, "media-type")
        assert await ask("GET", messages) == (405, "method")
        assert await ask("GET", "/v1/messages/0xzz") == (400, "hex")
        assert await ask("GET", "/v1/messages/0x12") == (400, "hex")
        assert await ask("GET", "/v1/feed?limit=9999") == (400, "query")
        assert await ask("GET", "/v2") == (404, "not-found")
        head = {"content-type": COSE, "content-encoding": "gzip"}
        packed = await http.post(messages, content=gzip.compress(GOOD), headers=head)
        assert (packed.status_code, packed.json()["code"]) == (415, "content-encoding")
        health = await http.get("/healthz")
        assert health.json() == {"ok": True}
        document = (await http.get("/v1/openapi.json")).json()
        assert document["openapi"] == "3.1.0"
        for row in document["paths"]:
            sample = row.replace("{project}", "1").replace("{message_id}", "0x" + "00" * 32)
            answer = await http.get(sample)
            assert answer.status_code != 404 or answer.json()["code"] != "not-found", row


async def test_the_feed_gives_the_groups_with_good_signatures(port: int) -> None:
    async with gateway_client(port) as gateway:
        rows = await gateway.feed(0, limit=2)
        assert [number for number, _ in rows] == [1, 2][: len(rows)]
        assert KNOWN in rows[0][1].messages
        last = (await gateway.status())["groups"]
        assert await gateway.feed(last) == []


async def test_the_client_refuses_a_gateway_that_is_another(port: int) -> None:
    async with client(f"http://127.0.0.1:{port}") as http:
        impostor = GatewayClient(http, NETWORK, DEVICE.id)
        with pytest.raises(ReceiptRejected):
            await impostor.receipt(message_id(KNOWN))
        with pytest.raises(ReceiptRejected):
            await impostor.send(PROJECT, KNOWN)
        with pytest.raises(ReceiptRejected):
            await impostor.send_frame(PROJECT, [KNOWN])
        with pytest.raises(GatewayFault):
            await impostor.feed(0)
        other = GatewayClient(http, bytes(32))
        with pytest.raises(ReceiptRejected):
            await other.receipt(message_id(KNOWN))
        with pytest.raises(GatewayFault):
            await other.feed(0)


def answering(body: object) -> httpx.AsyncClient:
    transport = httpx.MockTransport(lambda _request: httpx.Response(200, json=body))
    return httpx.AsyncClient(transport=transport, base_url="http://gateway")


async def test_the_client_checks_what_it_is_told(port: int) -> None:
    path, head = f"/v1/projects/{PROJECT}/messages", {"content-type": MANY}
    fresh = [DEVICES[5].sign(seq, time_ms=NOW) for seq in range(1, 4)]
    async with client(f"http://127.0.0.1:{port}") as http:
        told = (await http.post(path, content=b"".join(fresh), headers=head)).json()

    async def heard(value: object) -> list[int]:
        async with answering(value) as http:
            answers = await GatewayClient(http, NETWORK).send_frame(PROJECT, fresh)
            return [answer.status for answer in answers]

    assert await heard(told) == [202, 202, 202]
    group, result = told["groups"][0], told["results"]
    shifted = [{**row, "position": row["position"] + 1} for row in result[:2]] + [result[0]]
    swapped = [{**result[0], "message_id": result[1]["message_id"]}, *result[1:]]
    changed = [{**group, "include_by_block": group["include_by_block"] + 1}]
    leaves = [{**group, "leaves": [group["leaves"][0], *group["leaves"][:-1]]}]
    for lie in (
        {**told, "results": shifted},
        {**told, "results": swapped},
        {**told, "groups": changed},
        {**told, "groups": leaves},
    ):
        with pytest.raises(ReceiptRejected):
            await heard(lie)
    for nonsense in ({}, [], {**told, "groups": []}, {**told, "results": result[:2]}, "x"):
        with pytest.raises(GatewayFault):
            await heard(nonsense)
