"""Builds the `sequencer` service."""

from __future__ import annotations

from collections.abc import Sequence

from opendepin.chain.errors import NodeFault, Reverted
from opendepin.chain.outbox import Intent, Outbox, State
from opendepin.core.journey import Batched
from opendepin.dims.availability.config import DispersalConfig
from opendepin.dims.availability.dispersal import Dispersal
from opendepin.dims.sequencer.config import SequencerConfig
from opendepin.dims.sequencer.errors import InboxRefused
from opendepin.dims.sequencer.face import Face
from opendepin.dims.sequencer.intake import Intake
from opendepin.dims.sequencer.ledger import Ledger
from opendepin.dims.sequencer.ports import InboxState, Views
from opendepin.dims.sequencer.publishing import Publishing
from opendepin.dims.sequencer.service import Sequencer
from opendepin.network.builders.running import run_together
from opendepin.network.genesis import MAX_IDENTITY_AGE_BLOCKS
from opendepin.network.home import Home
from opendepin.network.parts import FieldRoots, Parts, parts
from opendepin.network.rooms import GATEWAY
from opendepin.network.sources.feeds import FeedSource
from opendepin.runtime.http import serve
from opendepin.runtime.net import LOOPBACK
from opendepin.runtime.service import Stop, ready
from opendepin.runtime.stagelog import SegmentLog

CONTRACTS = ("Devices", "Projects", "BatchInbox")
FEED_WAIT_MS = 500
"""The gateway holds an empty answer back this long: fewer questions, no later answers."""


class InboxOnChain:
    """The inbox contract behind this service's outbox."""

    def __init__(self, built: Parts, outbox: Outbox) -> None:
        self._chain, self._outbox = built.chain, outbox
        self._contract, self._network_id = built.contract("BatchInbox"), built.genesis.network_id

    async def state(self) -> InboxState:
        """Return what the contract holds now; final are batches whose inbox block is final.

        Raises:
            PeerFault: the L1 was restored to an earlier block between two of these calls.
        """
        count = await self._chain.call(self._contract.call("count", returns=int))
        head = self._network_id
        if count:
            call = self._contract.call("header_hash", count, returns=bytes)
            head = await self._chain.call(call)
        final = (await self._chain.finalized()).height
        final_count = count
        while final_count and await self._accepted_at(final_count) > final:
            final_count -= 1
        return InboxState(count, head, final_count)

    async def _accepted_at(self, number: int) -> int:
        """Return the height of an accepted batch; 0 would pass for final for ever."""
        block = await self.inbox_block(number)
        if not block:
            raise NodeFault(f"batch {number} was accepted and is gone: the L1 went back")
        return block

    async def inbox_block(self, number: int) -> int:
        """Return the L1 height at which a batch was accepted; 0 when it was not."""
        call = self._contract.call("inbox_block", number, returns=int)
        return await self._chain.call(call)

    async def submit(self, batch: Batched, attestations: Sequence[bytes]) -> None:
        """Hand a batch to the outbox.

        Raises:
            InboxRefused: the contract refused it before, finally; it is tried anew.
        """
        header = batch.header
        data = self._contract.data(
            "submit",
            header.number,
            header.parent,
            header.data_root,
            header.data_bytes,
            header.time,
            list(batch.segments),
            batch.signature,
            list(attestations),
        )
        key = f"batch/{header.number}/{header.hash().hex()}"
        before = self._outbox.state(key)
        self._outbox.submit(Intent(key, self._contract.address, data))
        if before is State.FAILED:
            try:
                await self._outbox.wait(key)
            except Reverted as error:
                raise InboxRefused(str(error), error.reason) from error


def config_of(built: Parts) -> SequencerConfig:
    """Return the sequencer's parameters out of the settings."""
    chosen = built.settings.sequencer
    return SequencerConfig(
        network_id=built.genesis.network_id,
        max_messages=chosen.max_messages,
        max_bytes=chosen.max_bytes,
        max_wait_s=chosen.max_wait_s,
        max_identity_age=MAX_IDENTITY_AGE_BLOCKS,
    )


async def run(home: Home, service: str, stop: Stop) -> None:
    """Seal and publish until the stop."""
    async with await parts(home, service, CONTRACTS) as built:
        folder, identity, key = home.room(service), built.identity(), built.key()
        outbox = built.outbox(service, key)
        config = config_of(built)
        source = FeedSource(built.http, built.addresses[GATEWAY], FEED_WAIT_MS)
        feeds = {built.genesis.gateways[0]: source}
        views = Views(
            identity,
            built.projects,
            FieldRoots(built.engine()),
            lambda body: built.code.encode(body).data_root,
        )
        log, coverage = SegmentLog(folder / "log"), folder / "coverage"
        ledger = Ledger(config.network_id, log, coverage, config.snapshot_every)
        intake = Intake(
            config,
            feeds,
            views,
            SegmentLog(folder / "asides"),
            built.clock,
            built.counters,
            built.log,
        )
        dispersal = Dispersal(
            built.stores(), DispersalConfig(built.genesis.threshold), built.clock, built.log
        )
        publishing = Publishing(
            config,
            ledger,
            dispersal,
            InboxOnChain(built, outbox),
            built.clock,
            built.counters,
            built.log,
        )
        sequencer = Sequencer(
            config,
            key,
            intake=intake,
            ledger=ledger,
            publishing=publishing,
            views=views,
            clock=built.clock,
            counters=built.counters,
            events=built.log,
        )

        def on_error(path: str, error: BaseException) -> None:
            built.log.error("request failed", path=path, error=repr(error))

        async def face(inner: Stop) -> None:
            app = Face(sequencer, built.counters, on_error).app
            await serve(app, LOOPBACK, built.port, stop=inner, on_ready=_told)

        try:
            await run_together(stop, identity.run, outbox.run, sequencer.run, face)
        finally:
            await dispersal.close()


def _told(port: int) -> None:
    ready(f"http://{LOOPBACK}:{port}")
