"""The slots that `verify` computes hold what the real contracts' views say."""

from __future__ import annotations

from collections.abc import Iterator

import boa
import pytest

from opendepin.chain.storage import slot_key
from opendepin.core.identity import Status
from opendepin.core.keys import Key
from opendepin.core.statement import outputs_hash
from opendepin.verify import Anchor, layer1
from tests.contracts import settling, world

pytestmark = pytest.mark.contract
OUTPUTS = (9, 8, 1, 2, 3)


@pytest.fixture(autouse=True)
def isolated() -> Iterator[None]:
    with boa.env.anchor():
        boa.env.set_balance(boa.env.eoa, world.RICH)
        yield


def stored(contract: object, slot: int) -> bytes:
    """Return the 32 bytes that the EVM keeps in a slot."""
    address = getattr(contract, "address")  # noqa: B009
    return boa.env.get_storage(address, slot).to_bytes(32, "big")


def test_a_history_stands_in_its_slot(anchor: Anchor) -> None:
    registry = settling.build().registry
    owner, device = Key.from_seed(b"an owner"), Key.from_seed(b"a device")
    identifier = registry.register(owner, device)
    registry.rotate(owner, identifier, Key.from_seed(b"another key"))
    registry.set_status(owner, identifier, Status.SUSPENDED)
    slot = layer1.history_slot(anchor.layouts["Devices"], identifier)
    found = stored(registry.contract, slot)
    assert found == registry.contract.history(int.from_bytes(identifier, "big"))
    assert any(found)


def test_headers_and_segments_stand_in_their_slots(anchor: Anchor) -> None:
    network = settling.build()
    inbox, layout = network.inbox, anchor.layouts["BatchInbox"]
    for sizes in ((3,), (4, 1)):
        segments = [network.segment(size, project=i + 1) for i, size in enumerate(sizes)]
        number = network.submit(segments)
        assert stored(inbox, layer1.header_hash_slot(layout, number)) == inbox.header_hash(number)
        taken = int.from_bytes(stored(inbox, layer1.inbox_block_slot(layout, number)), "big")
        assert taken == inbox.inbox_block(number) > 0
        for index, segment in enumerate(segments):
            slot = layer1.segment_hash_slot(layout, number, index)
            assert stored(inbox, slot) == inbox.segment_hash(number, index) == segment.hash()


def test_a_result_stands_in_its_slots(anchor: Anchor) -> None:
    network = settling.build()
    opened, producer = network.settled(OUTPUTS)
    layout, result = anchor.layouts["Settlement"], network.settlement.result(opened.id)

    def slot(member: str) -> int:
        return layer1.task_slot(layout, opened.id, member)

    assert stored(network.settlement, slot("outputs_hash")) == result.outputs_hash
    assert result.outputs_hash == outputs_hash(OUTPUTS)
    assert stored(network.settlement, slot("pay_root")) == result.pay_root
    duty = int.from_bytes(stored(network.settlement, slot("producer")), "big")
    assert duty & layer1.PRODUCER_MASK == int.from_bytes(producer, "big")
    assert duty >> layer1.STATE_SHIFT & layer1.STATE_MASK == layer1.STATE_SETTLED
    assert duty >> layer1.BLOCK_SHIFT & layer1.BLOCK_MASK == result.settled_block
    assert duty >> layer1.CALLBACK_BIT & 1 == int(result.callback_ok)


def test_a_task_that_is_not_settled_shows_it(anchor: Anchor) -> None:
    network = settling.build()
    opened, _ = network.assigned()
    slot = layer1.task_slot(anchor.layouts["Settlement"], opened.id, "producer")
    duty = int.from_bytes(stored(network.settlement, slot), "big")
    assert duty >> layer1.STATE_SHIFT & layer1.STATE_MASK != layer1.STATE_SETTLED


def test_another_key_has_another_slot(anchor: Anchor) -> None:
    layouts = anchor.layouts
    slots = [
        layer1.header_hash_slot(layouts["BatchInbox"], 1),
        layer1.header_hash_slot(layouts["BatchInbox"], 2),
        layer1.inbox_block_slot(layouts["BatchInbox"], 1),
        layer1.segment_hash_slot(layouts["BatchInbox"], 1, 0),
        layer1.segment_hash_slot(layouts["BatchInbox"], 1, 1),
        layer1.segment_hash_slot(layouts["BatchInbox"], 2, 0),
    ]
    assert len({slot_key(slot) for slot in slots}) == len(slots)
