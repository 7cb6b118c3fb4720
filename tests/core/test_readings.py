"""From groups to readings: an honest segment passes whole, and each kind of wrong message names its
position and code.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opendepin.core import merkle, message
from opendepin.core.batch import SegmentBody, segment_leaves
from opendepin.core.errors import Rejected, SchemaRejected
from opendepin.core.group import Group
from opendepin.core.identity import KeyChange, Status
from opendepin.core.journey import Reading
from opendepin.core.keys import Key
from opendepin.core.readings import (
    ProjectRules,
    ReadingRejected,
    check_group,
    check_segment,
    reader,
)
from opendepin.core.schema import Field, Schema
from tests.dims.availability.world import (
    GATEWAY,
    GATEWAYS,
    NETWORK,
    PLAIN,
    STRANGER,
    ZK,
    World,
    signed_group,
)


def refusal(world: World, group: Group) -> ReadingRejected:
    with pytest.raises(ReadingRejected) as caught:
        check_group(group, GATEWAYS, world.rules(group.header.project), world.history)
    return caught.value


def test_an_honest_segment_gives_ids_root_and_readings_in_order() -> None:
    world = World()
    body = SegmentBody(1, (world.group(3), world.group(2)))
    checked = check_segment(body, GATEWAYS, ZK, world.history)
    assert [each.device_index for each in checked.messages] == [0, 1, 2, 0, 1]
    assert checked.readings[3] == Reading(0, 2, 1_700_000_002, (40_000,))
    ids = [each.message_id for each in checked.messages]
    assert checked.root == merkle.root(segment_leaves(body, ids))
    segment = checked.segment(7)
    assert (segment.project, segment.count, segment.field_root) == (1, 5, 7)
    assert segment.ranges == body.ranges()


def test_a_project_without_program_has_no_readings() -> None:
    world = World()
    checked = check_segment(SegmentBody(2, (world.group(3, 2),)), GATEWAYS, PLAIN, world.history)
    assert checked.readings == ()
    assert len(checked.messages) == 3


def test_more_messages_than_the_circuit_takes_are_refused() -> None:
    world = World()
    body = SegmentBody(1, (world.group(3), world.group(2)))
    check_segment(body, GATEWAYS, replace(ZK, capacity=5), world.history)
    with pytest.raises(ReadingRejected) as caught:
        check_segment(body, GATEWAYS, replace(ZK, capacity=4), world.history)
    assert caught.value.code == "capacity"


def test_rules_over_which_no_proof_could_be_are_refused() -> None:
    schema = Schema((Field(1, "observed_s", 0, 9), Field(2, "wide", -1, 2**64)))
    assert ProjectRules(schema, proven=False).segment_messages == 1024
    assert ProjectRules(schema, proven=False, capacity=4096).segment_messages == 1024
    assert ProjectRules(schema, proven=False, capacity=64).segment_messages == 64
    with pytest.raises(SchemaRejected) as caught:
        ProjectRules(schema, proven=True)
    assert caught.value.code == "layout"


@pytest.mark.parametrize(
    ("over", "code"),
    [
        ({"key": STRANGER}, "signature"),
        ({"value": 1_000_001}, "schema"),
        ({"value": -1}, "schema"),
    ],
)
def test_a_wrong_message_is_named_by_position_and_code(over: dict[str, Any], code: str) -> None:
    world = World()
    messages = [world.message(device=0), world.message(device=1, **over), world.message(device=2)]
    found = refusal(world, world.group(messages=messages))
    assert (found.code, found.position) == (code, 2)
    assert "position 2" in str(found)


def test_the_key_is_judged_at_the_groups_identity_block() -> None:
    world = World()
    device = world.devices[1][0]
    new = Key.from_seed(b"rotated")
    first = world.histories[device.address][0]
    world.histories[device.address].append(replace(first, public=new.public, from_block=10))
    old_before = world.group(messages=[world.message()], block=9)
    check_group(old_before, GATEWAYS, ZK, world.history)
    assert refusal(world, world.group(messages=[world.message()], block=10)).code == "signature"
    check_group(
        world.group(messages=[world.message(key=new)], block=10), GATEWAYS, ZK, world.history
    )
    assert (
        refusal(world, world.group(messages=[world.message(key=new)], block=9)).code == "signature"
    )


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"status": Status.SUSPENDED}, "suspended"),
        ({"status": Status.REVOKED}, "revoked"),
        ({"project": 2}, "wrong-project"),
    ],
)
def test_a_device_without_the_right_to_speak_is_refused_from_that_block_on(
    change: dict[str, object], code: str
) -> None:
    world = World()
    history = world.histories[world.devices[1][0].address]
    history.append(replace(history[0], from_block=10, **change))
    check_group(world.group(1, block=9), GATEWAYS, ZK, world.history)
    assert refusal(world, world.group(1, block=10)).code == code


def test_an_unknown_device_is_refused() -> None:
    world = World()
    group = world.group(1, block=4)
    assert refusal(world, group).code == "unknown-device"
    world.histories.clear()
    assert refusal(world, world.group(1)).code == "unknown-device"


def test_a_message_of_another_project_or_network_is_refused() -> None:
    world = World()
    moved = signed_group(GATEWAY, 1, 1, [world.message(project=2)])
    world.histories |= {
        world.devices[2][0].address: [
            KeyChange(
                world.devices[2][0].address, Status.ACTIVE, 1, 9, world.devices[2][0].public, 1
            )
        ]
    }
    assert refusal(world, moved).code == "signature"


def test_an_unknown_gateway_a_forged_header_and_a_wrong_root_are_refused() -> None:
    world = World()
    good = world.group(3)
    check_group(good, GATEWAYS, ZK, world.history)
    assert refusal(world, signed_group(STRANGER, 1, 1, good.messages)).code == "unknown-gateway"
    for field, value in {
        "first": 2,
        "identity_block": 11,
        "include_by_block": 0,
        "root": bytes(32),
        "network_id": bytes(32),
    }.items():
        forged = Group(replace(good.header, **{field: value}), good.signature, good.messages)
        assert refusal(world, forged).code == "group-signature", field
    header = replace(good.header, root=bytes(32))
    resigned = Group(header, GATEWAY.sign_recoverable(header.digest()), good.messages)
    assert refusal(world, resigned).code == "group-root"
    swapped = Group(good.header, good.signature, good.messages[::-1])
    assert refusal(world, swapped).code == "group-root"


@settings(max_examples=100, deadline=None)
@given(
    st.integers(1, 2**53 - 1),
    st.integers(0, 2**48 - 1),
    st.integers(0, 2**40 - 1),
    st.lists(st.integers(-(2**60), 2**60), min_size=1, max_size=15),
)
def test_the_reader_reads_what_the_plain_parser_reads(
    seq: int, time_ms: int, observed: int, values: list[int]
) -> None:
    fields = [Field(i, f"f{i}", -(2**60), 2**60) for i in range(2, 2 + len(values))]
    schema = Schema((Field(1, "observed_s", 0, 2**40 - 1), *fields))
    key, aad = Key.from_seed(b"reader"), message.external_aad(NETWORK, 3)
    data = {1: observed, **dict(enumerate(values, 2))}
    raw = message.build(key, key.address, seq, time_ms, data, aad)
    signed, identifier = reader(NETWORK, 3, schema).read(raw)
    assert signed == message.parse(raw)
    assert identifier == message.message_id(signed, aad)
    for wrong in (raw + b"\x00", raw[:-1], raw[1:]):
        with pytest.raises(Rejected):
            reader(NETWORK, 3, schema).read(wrong)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2), st.data())
def test_any_flipped_bit_of_any_message_is_refused(place: int, data: st.DataObject) -> None:
    world = World()
    good = world.group(3)
    raw = bytearray(good.messages[place])
    bit = data.draw(st.integers(0, 8 * len(raw) - 1))
    raw[bit // 8] ^= 1 << bit % 8
    messages = [*good.messages]
    messages[place] = bytes(raw)
    forged = signed_group(GATEWAY, 1, 1, messages)
    with pytest.raises(Rejected):
        check_group(forged, GATEWAYS, ZK, world.history)
