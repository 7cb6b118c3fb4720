"""Write `tests/core/vectors/*.json` anew when run; a test compares them with the code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from opendepin.core import batch, draw, group, identity, merkle, message, statement
from opendepin.core.encodings import cbor_encode, sha256, to_hex
from opendepin.core.keys import Key, N

HERE = Path(__file__).parent / "vectors"
NETWORK = statement.network_id(31_337_001, bytes(range(20)))
DEVICE, GATEWAY, OTHER = (Key.from_seed(name) for name in (b"device", b"gateway", b"other"))
PROJECT = 7
AAD = message.external_aad(NETWORK, PROJECT)
GOOD = message.build(
    DEVICE, DEVICE.address, 1, 1_700_000_000_000, {1: 1_038_700_800, 2: 14_625}, AAD
)


def resign(
    protected: Any, payload: Any, key: Key = DEVICE, aad: bytes = AAD, tail: bytes = b""
) -> bytes:
    """Sign arbitrary header and payload bytes, so that only the named rule is broken."""
    digest = sha256(message.sig_structure(protected, payload, aad))
    return b"\xd2" + cbor_encode([protected, {}, payload, key.sign(digest)]) + tail


def forged() -> list[tuple[str, str, bytes]]:
    """Give (what is wrong, code, bytes) for every forgery that bytes alone can show."""
    signed = message.parse(GOOD)
    header, payload = signed.protected, signed.payload
    sig = signed.signature
    high = sig[:32] + (N - int.from_bytes(sig[32:], "big")).to_bytes(32, "big")

    def with_signature(signature: bytes) -> bytes:
        return b"\xd2" + cbor_encode([header, {}, payload, signature])

    def with_payload(value: object) -> bytes:
        return resign(header, cbor_encode(value))

    deep: Any = 1
    for _ in range(40):
        deep = {1: deep}
    long_head = payload[:1] + payload[1:2] + b"\x18\x01" + payload[3:]
    unsorted = b"\xa3\x02\x1b" + (1_700_000_000_000).to_bytes(8, "big") + b"\x01\x01\x03\xa0"
    doubled = b"\xa4\x01\x01\x01\x02\x02\x00\x03\xa0"
    alg = cbor_encode({1: -7, 4: DEVICE.address})
    kid = cbor_encode({1: -47, 4: DEVICE.address + b"\0"})
    extra = cbor_encode({1: -47, 3: 0, 4: DEVICE.address})
    aads = [message.external_aad(bytes(32), PROJECT), message.external_aad(NETWORK, PROJECT + 1)]
    return [
        ("signed by another key", "signature", resign(header, payload, OTHER)),
        (
            "another device's id over my key",
            "signature",
            resign(cbor_encode({1: -47, 4: OTHER.address}), payload),
        ),
        ("signed for another network", "signature", resign(header, payload, aad=aads[0])),
        ("signed for another project", "signature", resign(header, payload, aad=aads[1])),
        ("high s", "high-s", with_signature(high)),
        ("r is zero", "signature-range", with_signature(bytes(32) + sig[32:])),
        ("s is zero", "signature-range", with_signature(sig[:32] + bytes(32))),
        ("r is n", "signature-range", with_signature(N.to_bytes(32, "big") + sig[32:])),
        ("signature of 65 bytes", "signature-length", with_signature(sig + b"\0")),
        ("truncated", "truncated", GOOD[:-1]),
        ("empty", "size", b""),
        ("oversized", "size", GOOD + bytes(4096)),
        ("trailing byte", "trailing-bytes", GOOD + b"\0"),
        ("trailing byte in the payload", "trailing-bytes", resign(header, payload + b"\0")),
        ("long head for a small integer", "canonical", resign(header, long_head)),
        ("map keys not sorted", "canonical", resign(header, unsorted)),
        ("map key twice", "canonical", resign(header, doubled)),
        ("indefinite length", "canonical", resign(header, b"\xbf\x01\x01\x02\x00\x03\xa0\xff")),
        ("floating point value", "type", with_payload({1: 1, 2: 2, 3: {1: 1.5}})),
        ("tag inside", "type", resign(header, b"\xa3\x01\x01\x02\x00\x03\xc1\x00")),
        ("nested too deep", "depth", with_payload({1: 1, 2: 2, 3: {1: deep}})),
        (
            "array that claims 2^32 items",
            "truncated",
            resign(header, b"\xa1\x01\x9a\xff\xff\xff\xff"),
        ),
        ("byte string that claims 2^62 bytes", "truncated", b"\xd2\x84\x5b\x40" + bytes(7)),
        ("no tag", "cose", GOOD[1:]),
        ("other tag", "cose", b"\xd1" + GOOD[1:]),
        ("three parts", "cose", b"\xd2" + cbor_encode([header, {}, payload])),
        ("payload is nil", "cose", b"\xd2" + cbor_encode([header, {}, None, sig])),
        (
            "unprotected header not empty",
            "header",
            b"\xd2" + cbor_encode([header, {4: b"x"}, payload, sig]),
        ),
        ("unknown algorithm", "algorithm", resign(alg, payload)),
        ("kid of 21 bytes", "header", resign(kid, payload)),
        ("unknown protected header", "header", resign(extra, payload)),
        ("unknown payload key", "payload", with_payload({1: 1, 2: 2, 3: {}, 4: 0})),
        ("seq missing", "payload", with_payload({2: 2, 3: {}})),
        ("seq zero", "seq", with_payload({1: 0, 2: 2, 3: {}})),
        ("seq 2^53", "seq", with_payload({1: 1 << 53, 2: 2, 3: {}})),
        ("seq is true", "seq", with_payload({1: True, 2: 2, 3: {}})),
        ("seq negative", "seq", with_payload({1: -1, 2: 2, 3: {}})),
        ("time_ms 2^48", "time", with_payload({1: 1, 2: 1 << 48, 3: {}})),
        ("data is an array", "payload", with_payload({1: 1, 2: 2, 3: [1]})),
    ]


def message_vectors() -> dict[str, Any]:
    """Give good and forged messages of one device, network and project."""
    rows: list[dict[str, Any]] = []
    for seq, time_ms, data in [
        (1, 1_700_000_000_000, {1: 1_038_700_800, 2: 14_625}),
        (23, 0, {1: 0, 2: 0}),
        (24, 255, {1: 23, 2: 24}),
        ((1 << 53) - 1, (1 << 48) - 1, {1: (1 << 40) - 1, 2: -1_000}),
    ]:
        raw = message.build(DEVICE, DEVICE.address, seq, time_ms, data, AAD)
        fields = {"seq": seq, "time_ms": time_ms, "data": {str(k): v for k, v in data.items()}}
        identifier = to_hex(message.message_id(message.parse(raw), AAD))
        rows.append({**fields, "message": to_hex(raw), "message_id": identifier})
    bad = [{"what": what, "code": code, "message": to_hex(raw)} for what, code, raw in forged()]
    return {
        "network_id": to_hex(NETWORK),
        "project": PROJECT,
        "device_secret": to_hex(DEVICE.secret),
        "device_public": to_hex(DEVICE.public),
        "device": to_hex(DEVICE.address),
        "external_aad": to_hex(AAD),
        "good": rows,
        "forged": bad,
    }


def line_vectors() -> dict[str, Any]:
    """Give one value of every other digest, built on the first good message."""
    identifier = message.message_id(message.parse(GOOD), AAD)
    leaves = [
        group.leaf(1, 40, identifier),
        group.leaf(2, 40, bytes(32)),
        group.leaf(3, 40, b"\1" * 32),
    ]
    header = group.GroupHeader(
        NETWORK, PROJECT, GATEWAY.address, 1, 3, 40, 100, merkle.root(leaves)
    )
    segment = batch.Segment(
        PROJECT, header.root, 12345, 3, (batch.Range(GATEWAY.address, 1, 3, 40, 40),)
    )
    sealed = batch.BatchHeader(
        NETWORK, 1, NETWORK, batch.segments_root([segment]), b"\2" * 32, 512, 1_700_000_100
    )
    change = identity.KeyChange(
        DEVICE.address, identity.Status.ACTIVE, PROJECT, 3, DEVICE.public, 12
    )
    program = statement.program_id(b"\3" * 32, b"\4" * 32, b"\5" * 32)
    task = statement.task_id(NETWORK, b"\6" * 20, 1, 0, PROJECT, program)
    outputs = [3, 1, 2**40, 0]
    bound = statement.Statement(
        NETWORK,
        b"\7" * 20,
        task,
        program,
        segment.root,
        12345,
        3,
        statement.outputs_hash(outputs),
        OTHER.address,
    )
    signature = GATEWAY.sign_recoverable(header.digest())
    receipt = group.receipt_from_leaves(header, signature, leaves, 0, identifier)
    return {
        "network": {
            "chain_id": 31_337_001,
            "registry": to_hex(bytes(range(20))),
            "network_id": to_hex(NETWORK),
        },
        "receipt": receipt.to_json(),
        "group_digest": to_hex(header.digest()),
        "segment_hash": to_hex(segment.hash()),
        "segments_root": to_hex(sealed.segments_root),
        "header_hash": to_hex(sealed.hash()),
        "sequence_digest": to_hex(sealed.sequence_digest()),
        "attest_digest": to_hex(sealed.attest_digest()),
        "key_history": to_hex(identity.accumulate([change])),
        "program_id": to_hex(program),
        "task_id": to_hex(task),
        "outputs": [str(value) for value in outputs],
        "outputs_hash": to_hex(bound.outputs_hash),
        "statement": str(bound.number()),
        "evaluation": str(statement.evaluation(outputs, bound.number())),
        "pay_leaf": to_hex(merkle.pay_leaf(task, 3, 17)),
        "draw": [list(draw.candidates(task, b"\x08" * 32, n, (5, 1, 3))) for n in range(3)],
    }


def render(value: dict[str, Any]) -> str:
    """Write a vector file's text."""
    return json.dumps(value, indent=1) + "\n"


if __name__ == "__main__":
    (HERE / "message.json").write_text(render(message_vectors()))
    (HERE / "line.json").write_text(render(line_vectors()))
