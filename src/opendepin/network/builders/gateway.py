"""Builds the `gateway` service."""

from __future__ import annotations

from collections.abc import Sequence

from opendepin.core.coverage import Covered
from opendepin.dims.gateway.config import GatewayConfig
from opendepin.dims.gateway.dues import Seen
from opendepin.dims.gateway.http import DirectIngest, GatewayApp
from opendepin.dims.gateway.index import Index
from opendepin.dims.gateway.service import Doors, Gateway
from opendepin.network.builders.running import run_together
from opendepin.network.home import Home
from opendepin.network.parts import Parts, parts
from opendepin.runtime.errors import PeerFault
from opendepin.runtime.http import Limits, serve
from opendepin.runtime.net import LOOPBACK
from opendepin.runtime.service import Stop, ready
from opendepin.runtime.settings import NetworkSettings
from opendepin.runtime.stagelog import SegmentLog

CONTRACTS = ("Devices", "Projects", "BatchInbox")
HEIGHT_POLL_S = 1.0
IDENTITY_POLL_S = 0.4
"""A rotated or suspended key is refused within two one-second blocks."""


def config_of(settings: NetworkSettings, network_id: bytes) -> GatewayConfig:
    """Return the gateway's parameters out of the settings."""
    messages, gateway = settings.messages, settings.gateway
    return GatewayConfig(
        network_id=network_id,
        max_age_ms=messages.max_age_s * 1_000,
        max_ahead_ms=messages.max_ahead_s * 1_000,
        device_rate_per_s=messages.device_rate_per_s,
        device_burst=messages.device_burst,
        project_rate_per_s=messages.project_rate_per_s,
        project_burst=messages.project_burst,
        group_wait_ms=gateway.group_wait_ms,
        group_messages=gateway.group_messages,
        include_within_blocks=gateway.include_within_blocks,
        queue_messages=gateway.queue_messages,
    )


class Heights:
    """The newest L1 height, looked up in the background."""

    def __init__(self, built: Parts) -> None:
        self._parts = built
        self._height = 0

    def height(self) -> int:
        """Return the newest height seen."""
        return self._height

    async def run(self, stop: Stop) -> None:
        """Look until the stop; a node that is away is waited for."""
        while not stop.is_set():
            try:
                self._height = max(self._height, await self._parts.chain.block_number())
            except PeerFault as error:
                self._parts.log.warning("height not read", text=str(error))
            await stop.sleep(HEIGHT_POLL_S)


class InboxOnChain:
    """What the inbox contract holds of one gateway's lanes."""

    def __init__(self, built: Parts, gateway: bytes) -> None:
        self._chain, self._inbox = built.chain, built.contract("BatchInbox")
        self._gateway = gateway

    async def covered(self, projects: Sequence[int]) -> Seen:
        """Return up to which position batches hold these lanes; the height is read first, so that
        no position is older.
        """
        height, covered = await self._chain.block_number(), dict[int, int]()
        for project in projects:
            call = self._inbox.call("covered", self._gateway, project, returns=Covered)
            covered[project] = (await self._chain.call(call)).position
        return Seen(height, covered)


async def run(home: Home, service: str, stop: Stop) -> None:
    """Serve ingest until the stop."""
    async with await parts(home, service, CONTRACTS) as built:
        key, folder = built.key(), home.room(service)
        identity, heights = built.identity(IDENTITY_POLL_S), Heights(built)
        doors = Doors(
            log=SegmentLog(folder / "log"),
            index=Index(folder / "index", built.genesis.network_id, key.address),
            keys=identity,
            heights=heights,
            schemas=built.projects,
            inbox=InboxOnChain(built, key.address),
            clock=built.clock,
            counters=built.counters,
            logger=built.log,
        )
        gateway = Gateway(config_of(built.settings, built.genesis.network_id), key, doors)
        limits = Limits(max_connections=built.settings.gateway.max_connections)

        app = GatewayApp(gateway)

        async def face(inner: Stop) -> None:
            direct = DirectIngest(app, gateway)
            await serve(
                app, LOOPBACK, built.port, stop=inner, limits=limits, on_ready=_told, direct=direct
            )

        async def ingest(inner: Stop) -> None:
            gateway.restore()
            await gateway.watch.look()
            await gateway.serve(face, inner)

        await run_together(stop, identity.run, heights.run, gateway.watch.run, ingest)


def _told(port: int) -> None:
    ready(f"http://{LOOPBACK}:{port}")
