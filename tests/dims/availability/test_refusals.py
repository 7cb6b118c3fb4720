"""A store process refuses every batch in which one thing is wrong, names it, and then attests the
honest one.

Each forged batch is what the named dishonest party could really make: signed by the sequencer's key
over its own wrong commitments, and by the gateway's where the gateway lies too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from opendepin.core import merkle, message
from opendepin.core.batch import Segment, SegmentBody, encode_body
from opendepin.core.chunks import encode
from opendepin.core.group import Group
from opendepin.core.identity import Status
from opendepin.core.journey import Batched
from opendepin.core.keys import Key
from opendepin.core.readings import group_leaves
from opendepin.dims.availability.errors import BatchRefused, StoreAway
from tests.dims.availability.contract import Ground
from tests.dims.availability.fleet import Layer, layer
from tests.dims.availability.world import (
    GATEWAY,
    NETWORK,
    PLAIN,
    SEQUENCER,
    STRANGER,
    World,
    resealed,
    signed_group,
)

Forge = Callable[[Ground, Batched], Batched]


async def refusal(port: Layer, batch: Batched) -> BatchRefused:
    with pytest.raises(BatchRefused) as caught:
        await port.stores[0].attest(batch)
    return caught.value


def claimed(bodies: Sequence[SegmentBody]) -> list[Segment]:
    """Commit to bodies as a sequencer that does not check: true roots over whatever is in them."""
    found: list[Segment] = []
    for body in bodies:
        leaves: list[bytes] = []
        for group in body.groups:
            aad = message.external_aad(NETWORK, body.project)
            ids = [message.message_id(message.parse(raw), aad) for raw in group.messages]
            leaves += group_leaves(group.header, ids)
        found.append(Segment(body.project, merkle.root(leaves), 0, body.count, body.ranges()))
    return found


def over(ground: Ground, *groups: Group) -> Batched:
    """Put groups of project 2 (no field root) into the next batch without looking at them."""
    bodies = [SegmentBody(groups[0].header.project, groups)]
    return resealed(claimed(bodies), encode_body(bodies), ground.before)


def next_first(ground: Ground, project: int = 2) -> int:
    """The position that is due after everything attested before this test."""
    good = next(s for s in ground.batches[0].segments if s.project == project)
    return good.ranges[0].first


def one(ground: Ground, raw: bytes, block: int = 10, project: int = 2) -> Batched:
    """The next batch, holding one message alone."""
    first = next_first(ground, project)
    return over(ground, signed_group(GATEWAY, project, first, [raw], block))


def wrong_message(ground: Ground, _: Batched) -> Batched:
    return one(ground, ground.fleet.world.message(2, key=STRANGER))


def wrong_value(ground: Ground, _: Batched) -> Batched:
    return one(ground, ground.fleet.world.message(2, value=-1))


def unknown(ground: Ground, _: Batched) -> Batched:
    return one(ground, ground.fleet.world.message(2), block=4)


def other_project(ground: Ground, _: Batched) -> Batched:
    world = ground.fleet.world
    speaker, aad = world.devices[1][0], message.external_aad(NETWORK, 2)
    raw = message.build(speaker, speaker.address, 10**6, 5, {1: 5, 2: 5}, aad)
    return one(ground, raw)


def no_project(ground: Ground, _: Batched) -> Batched:
    world = ground.fleet.world
    speaker, aad = world.devices[1][0], message.external_aad(NETWORK, 9)
    raw = message.build(speaker, speaker.address, 10**6, 5, {1: 5, 2: 5}, aad)
    return over(ground, signed_group(GATEWAY, 9, 1, [raw]))


def replayed(ground: Ground, _: Batched) -> Batched:
    raw = ground.fleet.world.message(2, seq=1)
    return one(ground, raw)


def range_gap(ground: Ground, _: Batched) -> Batched:
    first = next_first(ground)
    return over(ground, signed_group(GATEWAY, 2, first + 1, [ground.fleet.world.message(2)]))


def range_repeat(ground: Ground, _: Batched) -> Batched:
    first = next_first(ground)
    return over(ground, signed_group(GATEWAY, 2, first - 1, [ground.fleet.world.message(2)]))


def older_identity(ground: Ground, _: Batched) -> Batched:
    return one(ground, ground.fleet.world.message(2), block=9)


def strange_gateway(ground: Ground, _: Batched) -> Batched:
    return over(ground, signed_group(STRANGER, 2, 1, [ground.fleet.world.message(2)]))


def forged_group(ground: Ground, _: Batched) -> Batched:
    good = signed_group(GATEWAY, 2, next_first(ground), [ground.fleet.world.message(2)])
    return over(
        ground, Group(good.header, STRANGER.sign_recoverable(good.header.digest()), good.messages)
    )


def group_root(ground: Ground, _: Batched) -> Batched:
    good = signed_group(GATEWAY, 2, next_first(ground), [ground.fleet.world.message(2)])
    header = replace(good.header, root=bytes(32))
    return over(ground, Group(header, GATEWAY.sign_recoverable(header.digest()), good.messages))


def segments(**over_first: Any) -> Forge:
    def forge(ground: Ground, good: Batched) -> Batched:
        first = replace(good.segments[0], **over_first)
        return resealed([first, *good.segments[1:]], good.body, ground.before)

    return forge


def header(**over_header: Any) -> Forge:
    def forge(ground: Ground, good: Batched) -> Batched:
        return resealed(good.segments, good.body, ground.before, **over_header)

    return forge


def field_root(ground: Ground, good: Batched) -> Batched:
    first = replace(good.segments[0], field_root=good.segments[0].field_root ^ 1)
    return resealed([first, *good.segments[1:]], good.body, ground.before)


def field_root_where_none_is_due(ground: Ground, good: Batched) -> Batched:
    last = replace(good.segments[1], field_root=5)
    return resealed([good.segments[0], last], good.body, ground.before)


def wrong_code(ground: Ground, good: Batched) -> Batched:
    rows = list(encode(good.body, ground.fleet.code.data_chunks).chunks)
    rows[-1] = bytes(len(rows[-1]))
    root = merkle.root([merkle.leaf_hash(row) for row in rows])
    return resealed(good.segments, good.body, ground.before, data_root=root)


def other_bytes(ground: Ground, good: Batched) -> Batched:
    return resealed(good.segments, good.body + b"\x00", ground.before)


def wrong_ranges(ground: Ground, good: Batched) -> Batched:
    r = good.segments[0].ranges[0]
    first = replace(good.segments[0], ranges=(replace(r, last=r.last + 1),))
    return resealed([first, *good.segments[1:]], good.body, ground.before)


def fewer_segments(ground: Ground, good: Batched) -> Batched:
    return resealed(good.segments[:1], good.body, ground.before)


def stranger_sealed(ground: Ground, good: Batched) -> Batched:
    return resealed(good.segments, good.body, ground.before, STRANGER)


def other_network(ground: Ground, good: Batched) -> Batched:
    """The header of another network; the body's groups are of this one."""
    return resealed(good.segments, good.body, ground.before, network_id=bytes(32))


FORGED: dict[str, tuple[str, Forge]] = {
    "message signature": ("signature", wrong_message),
    "schema": ("schema", wrong_value),
    "unknown device": ("unknown-device", unknown),
    "device of another project": ("wrong-project", other_project),
    "unknown project": ("unknown-project", no_project),
    "message batched before": ("replayed", replayed),
    "range gap": ("range", range_gap),
    "range repeated": ("range", range_repeat),
    "identity block goes back": ("identity-order", older_identity),
    "unknown gateway": ("unknown-gateway", strange_gateway),
    "group signature": ("group-signature", forged_group),
    "group root": ("group-root", group_root),
    "segment root": ("segment-root", segments(root=bytes(32))),
    "segment count": ("segment-messages", segments(count=5)),
    "segment project": ("segment-project", segments(project=2)),
    "segment ranges": ("segment-ranges", wrong_ranges),
    "a segment missing": ("segment-count", fewer_segments),
    "field root": ("field-root", field_root),
    "field root without program": ("field-root", field_root_where_none_is_due),
    "segments root": ("segments-root", header(segments_root=bytes(32))),
    "data root": ("data-root", header(data_root=bytes(32))),
    "wrong code": ("data-root", wrong_code),
    "length": ("data-bytes", header(data_bytes=7)),
    "body with more bytes": ("body", other_bytes),
    "parent": ("parent", header(parent=bytes(32))),
    "number ahead": ("number-gap", header(number=10**6)),
    "time goes back": ("time", header(time=1)),
    "time ahead": ("time", header(time=2**40)),
    "sequencer": ("sequencer", stranger_sealed),
    "another network": ("sequencer", other_network),
}


@pytest.mark.parametrize("what", list(FORGED))
async def test_a_batch_with_one_thing_wrong_is_refused(grounds: Ground, what: str) -> None:
    while len(grounds.chain) < 2 or grounds.batches[0] is not grounds.chain[-1]:
        await grounds.fresh(1)  # some forgeries repeat what an earlier batch holds
    code, forge = FORGED[what]
    async with layer(grounds.fleet) as port:
        found = await refusal(port, forge(grounds, grounds.batches[0]))
        assert found.code == code, str(found)
        status = (await port.https[0].get("/v1/status")).json()
        assert status["last"] == grounds.chain[-1].header.number - 1


async def test_the_honest_batch_passes_after_all_that(ground: Ground) -> None:
    async with layer(ground.fleet) as port:
        for store in port.stores:
            await store.attest(ground.batches[0])


async def test_a_second_header_of_a_number_is_refused_for_ever(ground: Ground) -> None:
    good = ground.batches[0]
    second = resealed(good.segments, good.body, ground.before, time=good.header.time + 1)
    async with layer(ground.fleet) as port:
        first = await port.stores[0].attest(good)
        found = await refusal(port, second)
        assert found.code == "second-header"
        assert good.header.hash().hex() in str(found)
        assert await port.stores[1].attest(second)
        ground.fleet.kill(0)
        ground.fleet.start(0)
        assert (await refusal(port, second)).code == "second-header"
        assert await port.stores[0].attest(good) == first
    ground.fleet.kill(1)
    await rewind(ground, 1)


async def rewind(ground: Ground, index: int) -> None:
    """Give a store that was led astray a new disk; it catches up from nothing."""
    folder = ground.fleet.store_folder(index)
    folder.rename(folder.with_name(f"astray-{index}"))


async def test_a_key_is_judged_at_the_identity_block(ground: Ground) -> None:
    """Suspended and rotated devices: refused from that block on, and not before it."""
    world, project = ground.fleet.world, 2
    suspended, rotated = world.devices[project][5], world.devices[project][6]
    new = Key.from_seed(b"new key")
    was = {key.address: list(world.histories[key.address]) for key in (suspended, rotated)}
    gone, fresh = was[suspended.address][0], was[rotated.address][0]
    world.histories[suspended.address].append(replace(gone, status=Status.SUSPENDED, from_block=11))
    world.histories[rotated.address].append(replace(fresh, public=new.public, from_block=11))
    ground.fleet.set_identity(1000)
    try:
        async with layer(ground.fleet) as port:
            raw = world.message(project, 5)
            assert (await refusal(port, one(ground, raw, 11))).code == "suspended"
            raw = world.message(project, 6)
            assert (await refusal(port, one(ground, raw, 11))).code == "signature"
            mixed = [world.message(project, 5), world.message(project, 6)]
            first = next_first(ground)
            at_ten = signed_group(GATEWAY, project, first, mixed, 10)
            at_eleven = [world.message(project, 6, key=new)]
            after = signed_group(GATEWAY, project, first + 2, at_eleven, 11)
            assert await port.stores[2].attest(over(ground, at_ten, after))
    finally:
        world.histories |= was
        ground.fleet.set_identity(1000)
    ground.fleet.kill(2)
    await rewind(ground, 2)


async def test_an_identity_block_that_is_not_final_here_is_waited_for(ground: Ground) -> None:
    batch = ground.batches[0]
    ground.fleet.set_identity(9)
    async with layer(ground.fleet) as port:
        with pytest.raises(StoreAway) as caught:
            await port.stores[3].attest(batch)
        assert "identity-behind" in str(caught.value)
        ground.fleet.set_identity(1000)
        assert await port.stores[3].attest(batch)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "truncated"),
        (b"\x80", "batch"),
        (b"\x84\x80\x40\x80\x40", "batch"),
        (b"\xff" * 9, "canonical"),
    ],
)
async def test_bytes_that_are_no_batch_are_refused(grounds: Ground, body: bytes, code: str) -> None:
    await grounds.fresh(1)
    async with layer(grounds.fleet) as port:
        answer = await port.https[0].post("/v1/attest", content=body)
        assert (answer.status_code, answer.json()["code"]) == (400, code)
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/v1/chunks/0xab/1", 400, "hex"),
        (f"/v1/chunks/0x{'00' * 32}/x", 400, "path"),
        (f"/v1/chunks/0x{'00' * 32}/32", 400, "path"),
        (f"/v1/chunks/0x{'00' * 32}/1", 404, "unknown-chunk"),
        (f"/v1/chunks/0x{'00' * 32}/0", 404, "unknown-chunk"),
        ("/v1/batches/0", 404, "unknown-batch"),
        ("/v1/batches/999999", 404, "unknown-batch"),
        ("/v1/batches/-1", 400, "path"),
        ("/v1/nothing", 404, "not-found"),
    ],
)
async def test_what_a_store_does_not_have(
    grounds: Ground, path: str, status: int, code: str
) -> None:
    await grounds.fresh(1)
    async with layer(grounds.fleet) as port:
        answer = await port.https[0].get(path)
        assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_the_forged_batches_differ_from_the_honest_one_in_what_they_say() -> None:
    """The forging tools make an honest batch when nothing is forged."""
    world = World(projects=(2,))
    group = world.group(3, 2)
    body = SegmentBody(2, (group,))
    honest = resealed(claimed([body]), encode_body([body]))
    assert PLAIN.tree is None
    assert honest.segments[0].count == 3
    assert honest.signature == SEQUENCER.sign_recoverable(honest.header.sequence_digest())
