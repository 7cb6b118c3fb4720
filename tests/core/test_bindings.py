"""Each digest changes with every field it binds, and equals the committed vectors."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opendepin.core import batch, draw, group, identity, merkle, statement
from opendepin.core.errors import (
    DepinError,
    EncodingRejected,
    ProofRejected,
    Rejected,
    SignatureRejected,
)
from opendepin.core.group import receipt_of_json
from opendepin.core.keys import Key
from tests.core import make_vectors

GATEWAY, OTHER = make_vectors.GATEWAY, make_vectors.OTHER
LEAVES = [group.leaf(position, 40, bytes([position]) * 32) for position in (1, 2, 3)]
GROUP = group.GroupHeader(b"\1" * 32, 7, GATEWAY.address, 1, 3, 40, 100, merkle.root(LEAVES))
RANGE = batch.Range(GATEWAY.address, 1, 3, 40, 41)
SEGMENT = batch.Segment(7, b"\2" * 32, 5, 3, (RANGE,))
HEADER = batch.BatchHeader(b"\1" * 32, 4, b"\3" * 32, b"\4" * 32, b"\5" * 32, 512, 1_700_000_000)
CHANGE = identity.KeyChange(b"\1" * 20, identity.Status.ACTIVE, 7, 3, b"\2" * 64, 12)
BOUND = statement.Statement(
    b"\1" * 32, b"\2" * 20, b"\3" * 32, b"\4" * 32, b"\5" * 32, 6, 7, b"\x08" * 32, b"\x09" * 20
)


def another(value: Any) -> Any:
    """Give a value of the same form that differs."""
    if isinstance(value, identity.Status):
        return identity.Status.SUSPENDED
    if isinstance(value, int):
        return value + 1
    if isinstance(value, bytes):
        return value[:-1] + bytes([value[-1] ^ 1])
    return (dataclasses.replace(value[0], last=value[0].last + 1),)


def cases() -> list[Any]:
    digests: list[tuple[Any, Callable[[Any], object]]] = [
        (GROUP, lambda v: v.digest()),
        (RANGE, lambda v: dataclasses.replace(SEGMENT, ranges=(v,)).hash()),
        (SEGMENT, lambda v: v.hash()),
        (HEADER, lambda v: v.hash()),
        (CHANGE, lambda v: identity.accumulate([v])),
        (BOUND, lambda v: v.number()),
    ]
    return [
        pytest.param(value, digest, field.name, id=f"{type(value).__name__}.{field.name}")
        for value, digest in digests
        for field in dataclasses.fields(value)
    ]


@pytest.mark.parametrize(("value", "digest", "field"), cases())
def test_every_field_is_bound(value: Any, digest: Callable[[Any], object], field: str) -> None:
    changed = dataclasses.replace(value, **{field: another(getattr(value, field))})
    assert digest(changed) != digest(value)


def test_line_vectors_are_what_the_code_makes() -> None:
    text = (Path(__file__).parent / "vectors" / "line.json").read_text()
    assert text == make_vectors.render(make_vectors.line_vectors())


def test_roles_sign_different_digests() -> None:
    assert len({HEADER.hash(), HEADER.sequence_digest(), HEADER.attest_digest()}) == 3


def test_task_program_and_network_ids_bind_each_argument() -> None:
    base: list[Any] = [b"\1" * 32, b"\2" * 20, 1, 2, 3, b"\3" * 32]
    ids = {statement.task_id(*base)}
    for i, value in enumerate(base):
        ids.add(statement.task_id(*[*base[:i], another(value), *base[i + 1 :]]))
    assert len(ids) == 7
    hashes = (b"\1" * 32, b"\2" * 32, b"\3" * 32)
    assert len({statement.program_id(*hashes[i:], *hashes[:i]) for i in range(3)}) == 3
    assert len({statement.network_id(1, b"\1" * 20), statement.network_id(2, b"\1" * 20)}) == 2
    assert statement.network_id(1, b"\1" * 20) != statement.network_id(1, b"\2" * 20)


def test_outputs_hash_knows_length_and_order() -> None:
    rows = [[1, 2], [2, 1], [1, 2, 0], [1], [0, 1, 2], []]
    assert len({statement.outputs_hash(row) for row in rows}) == len(rows)


def test_evaluation_is_the_polynomial() -> None:
    at, outputs = 2**200 + 17, [3, 0, 5, 2**100]
    expected = sum(o * pow(at, i + 1, statement.FIELD_MODULUS) for i, o in enumerate(outputs))
    assert statement.evaluation(outputs, at) == expected % statement.FIELD_MODULUS


def receipt() -> group.Receipt:
    signature = GATEWAY.sign_recoverable(GROUP.digest())
    return group.receipt_from_leaves(GROUP, signature, LEAVES, 1, b"\2" * 32)


def test_a_receipt_holds_and_survives_json() -> None:
    found = receipt()
    found.check(GATEWAY.address)
    assert receipt_of_json(json.loads(json.dumps(found.to_json()))) == found


@pytest.mark.parametrize("field", [f.name for f in dataclasses.fields(group.GroupHeader)])
def test_a_receipt_with_another_header_field_is_refused(field: str) -> None:
    found = receipt()
    header = dataclasses.replace(found.header, **{field: another(getattr(found.header, field))})
    with pytest.raises(DepinError):
        dataclasses.replace(found, header=header).check(GATEWAY.address)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"position": 1}, ProofRejected),
        ({"position": 3}, ProofRejected),
        ({"position": 4}, ProofRejected),
        ({"position": 0}, ProofRejected),
        ({"message_id": b"\3" * 32}, ProofRejected),
        ({"path": ()}, ProofRejected),
        ({"path": (bytes(32), bytes(32))}, ProofRejected),
        ({"signature": OTHER.sign_recoverable(GROUP.digest())}, SignatureRejected),
        ({"signature": bytes(65)}, SignatureRejected),
    ],
)
def test_an_altered_receipt_is_refused(change: dict[str, Any], error: type[DepinError]) -> None:
    with pytest.raises(error):
        dataclasses.replace(receipt(), **change).check(GATEWAY.address)


@pytest.mark.parametrize(
    "field", ["root", "signature", "position", "path", "message_id", "network_id"]
)
def test_a_receipt_file_without_a_field_is_refused(field: str) -> None:
    value = receipt().to_json()
    del value[field]
    with pytest.raises(EncodingRejected):
        receipt_of_json(value)


@pytest.mark.parametrize(
    "field", ["project", "first", "count", "identity_block", "include_by_block", "position"]
)
@pytest.mark.parametrize("odd", ["1", 1.0, True, None, -1, 1 << 60, [1]])
def test_a_receipt_file_with_an_odd_number_is_refused(field: str, odd: Any) -> None:
    with pytest.raises(EncodingRejected):
        receipt_of_json(receipt().to_json() | {field: odd})


def test_a_group_whose_positions_overflow_is_refused() -> None:
    fields = [7, GATEWAY.address, (1 << 64) - 2, 1, 40, 100, bytes(32), bytes(65), [b"m"]]
    assert group.group_of_fields(fields, bytes(32)).header.first == (1 << 64) - 2
    with pytest.raises(EncodingRejected, match="positions"):
        group.group_of_fields([*fields[:2], (1 << 64) - 1, *fields[3:]], bytes(32))


def make_group(first: int, count: int, gateway: Key = GATEWAY, project: int = 7) -> group.Group:
    messages = tuple(bytes([first + i]) * 10 for i in range(count))
    leaves = [group.leaf(first + i, 40 + first, bytes(32)) for i in range(count)]
    header = group.GroupHeader(
        b"\1" * 32, project, gateway.address, first, count, 40 + first, 100, merkle.root(leaves)
    )
    return group.Group(header, gateway.sign_recoverable(header.digest()), messages)


def test_bodies_round_trip_and_ranges_join() -> None:
    groups = (make_group(1, 2), make_group(3, 1), make_group(9, 2, OTHER))
    body = batch.SegmentBody(7, groups)
    assert batch.decode_body(batch.encode_body([body]), b"\1" * 32) == (body,)
    assert body.ranges() == (
        batch.Range(GATEWAY.address, 1, 3, 41, 43),
        batch.Range(OTHER.address, 9, 10, 49, 49),
    )
    ids = [bytes(32)] * body.count
    assert len(batch.segment_leaves(body, ids)) == body.count == 5


@pytest.mark.parametrize(
    "body",
    [
        [],
        [[7, []]],
        [[8, [make_group(1, 1).fields()]]],
        [[7, [make_group(1, 1).fields()[:-1]]]],
        [[7, [[*make_group(1, 2).fields()[:-1], [b"one"]]]]],
        [[7]],
        [[7, [make_group(1, 1).fields()]]] * 17,
        [[7, [[*make_group(1, 1).fields()[:2], 0, *make_group(1, 1).fields()[3:]]]]],
    ],
)
def test_other_bodies_are_refused(body: list[Any]) -> None:
    with pytest.raises(EncodingRejected):
        batch.decode_body(batch.cbor_encode(body), b"\1" * 32)


def test_key_at_judges_by_block_status_and_project() -> None:
    history = [
        CHANGE,
        dataclasses.replace(CHANGE, public=b"\3" * 64, from_block=20),
        dataclasses.replace(CHANGE, status=identity.Status.SUSPENDED, from_block=30),
        dataclasses.replace(CHANGE, status=identity.Status.REVOKED, from_block=40),
    ]
    assert identity.key_at(history, 19, 7).public == b"\2" * 64
    assert identity.key_at(history, 20, 7).public == b"\3" * 64
    expected = [
        (11, 7, "unknown-device"),
        (12, 8, "wrong-project"),
        (30, 7, "suspended"),
        (40, 7, "revoked"),
    ]
    for block, project, code in expected:
        with pytest.raises(Rejected) as caught:
            identity.key_at(history, block, project)
        assert caught.value.code == code
    assert identity.accumulate(history) != identity.accumulate(history[:-1])


@given(
    st.lists(st.integers(1, 2**70), min_size=1, max_size=64),
    st.binary(min_size=32, max_size=32),
    st.integers(0, 32),
)
def test_every_member_comes_in_question_and_who_failed_last(
    weights: list[int], seed: bytes, attempt: int
) -> None:
    task = b"\1" * 32
    members = [draw.Member(n.to_bytes(20, "big"), w) for n, w in enumerate(weights)]
    order = list(draw.candidates(task, seed, attempt, weights))
    assert len(order) == draw.PROBES + len(weights) - 1
    assert set(order) == set(range(len(weights)))
    first = draw.drawn(task, seed, attempt, members)
    assert first == members[order[0]].operator
    other = draw.drawn(task, seed, attempt, members, first)
    assert (other == first) == (len(members) == 1)
    assert draw.drawn(task, seed, attempt, members, first, lambda found: found == first) == first
    assert draw.drawn(task, seed, attempt, members, first, lambda _: False) is None


def test_seed_heights_follow_the_formula() -> None:
    assert statement.seed_height(10, 2, 12) is None
    assert statement.seed_height(10, 2, 13) == 12
    assert statement.seed_height(10, 2, 12 + 8_191) == 12
    assert statement.seed_height(10, 2, 12 + 8_192) == 12 + 8_191
