"""What the sequencer seals and the stores attest, the true `BatchInbox` contract takes; and its
rollbacks are survived.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import boa
import pytest

from opendepin.core.journey import Batched
from opendepin.core.keys import Key
from opendepin.dims.sequencer.config import SequencerConfig
from opendepin.dims.sequencer.errors import InboxRefused
from opendepin.dims.sequencer.ports import InboxState
from opendepin.runtime.clock import ManualClock
from tests.contracts import world as contracts
from tests.contracts.batches import Submission
from tests.dims.availability.world import (
    GATEWAY,
    NETWORK,
    OTHER_GATEWAY,
    SEQUENCER,
    STORES,
    THRESHOLD,
    World,
)
from tests.dims.sequencer.ground import Bench, TrueStores

pytestmark = pytest.mark.contract
CONFIG = SequencerConfig(NETWORK, max_messages=32, max_wait_s=1.0, snapshot_every=2)


class ContractInbox:
    """The port over the contract in an EVM; each transaction is a block."""

    def __init__(self) -> None:
        attesters = sorted(key.address for key in STORES)
        members = [contracts.address_text(address) for address in attesters]
        held = contracts.load("Attesters", members, THRESHOLD)
        boa.env.evm.patch.block_number = contracts.START_BLOCK
        sequencer = contracts.address_text(SEQUENCER.address)
        self.contract = contracts.load("BatchInbox", NETWORK, sequencer, held.address, 600)
        self.final_depth = 0

    async def state(self) -> InboxState:
        count, head = self.contract.count(), self.contract.head()
        return InboxState(count, head, max(0, count - self.final_depth))

    async def inbox_block(self, number: int) -> int:
        return int(self.contract.inbox_block(number))

    async def submit(self, batch: Batched, attestations: Sequence[bytes]) -> None:
        h = batch.header
        fields = (h.number, h.parent, h.data_root, h.data_bytes, h.time, batch.segments)
        try:
            Submission(*fields, batch.signature, tuple(attestations)).send(self.contract)
        except boa.BoaError as error:
            raise InboxRefused(str(error), "revert") from error
        boa.env.time_travel(blocks=1)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    found = Bench(tmp_path, World(), CONFIG, clock=ManualClock(boa.env.timestamp * 1000))
    found.stores = TrueStores(tmp_path, found.world, found.witness)
    inbox: Any = ContractInbox()
    found.inbox = inbox
    found.identity.final = contracts.START_BLOCK - 1
    found.reopen()
    yield found
    found.close()
    found.stores.close()


def groups(bench: Bench, gateway: Key = GATEWAY, project: int = 1, count: int = 8) -> Any:
    block = contracts.START_BLOCK - 5
    return bench.world.group(count, project, gateway, block=block)


async def look(bench: Bench) -> None:
    """Look until nothing more is on its way."""
    for _ in range(2 * bench.ledger.number + 2):
        await bench.publishing.look()
        for task in list(bench.publishing._dispersals.values()):
            await task


async def test_the_contract_takes_what_was_sealed_and_attested(
    bench: Bench, monkeypatch: Any
) -> None:
    for store in bench.stores.stores:
        monkeypatch.setattr(store._views.identity, "final", contracts.START_BLOCK)
    bench.feed.put(groups(bench), groups(bench, project=2), groups(bench, count=30))
    bench.feeds[OTHER_GATEWAY.address].put(groups(bench, OTHER_GATEWAY))
    batches = await bench.seal_all()
    await look(bench)
    inbox: Any = bench.inbox
    contract = inbox.contract
    assert contract.count() == len(batches) >= 2
    for batch in batches:
        number = batch.header.number
        assert contract.header_hash(number) == batch.header.hash()
        hashes = [contract.segment_hash(number, i) for i in range(len(batch.segments))]
        assert hashes == [segment.hash() for segment in batch.segments]
    for (gateway, project), covered in bench.ledger.coverage.lanes().items():
        there = contract.covered(contracts.address_text(gateway), project)
        assert (there.position, there.identity_block) == (covered.position, covered.identity_block)
    assert [p.header.number for p in bench.published] == [b.header.number for b in batches]
    assert all(p.inbox_block >= contracts.START_BLOCK for p in bench.published)


async def test_blocks_that_are_taken_back_are_submitted_again(
    bench: Bench, monkeypatch: Any
) -> None:
    for store in bench.stores.stores:
        monkeypatch.setattr(store._views.identity, "final", contracts.START_BLOCK)
    inbox: Any = bench.inbox
    inbox.final_depth = 2
    bench.publishing._config = replace(CONFIG, resubmit_s=0.0)
    bench.feed.put(groups(bench, count=32))
    await bench.seal_all()
    await look(bench)
    with boa.env.anchor():
        bench.feed.put(groups(bench, count=32))
        await bench.seal_all()
        await look(bench)
        assert inbox.contract.count() == 2
    assert inbox.contract.count() == 1
    await look(bench)
    assert inbox.contract.count() == 2
    assert inbox.contract.head() == bench.ledger.head
    assert bench.witness.forks() == []
