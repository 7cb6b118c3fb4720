"""Builds one `operator` service: compute and settlement under one account."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from opendepin.chain.follower import Follower, FollowerConfig
from opendepin.chain.outbox import Outbox
from opendepin.core import statement
from opendepin.core.batch import BatchHeader, Segment
from opendepin.core.encodings import from_hex
from opendepin.core.errors import DepinError, PeerFault, Rejected
from opendepin.core.keys import Key
from opendepin.core.units import wei
from opendepin.dims.availability.client import StoreClient
from opendepin.dims.availability.ports import Held
from opendepin.dims.compute.client import AssignmentsOnChain
from opendepin.dims.compute.config import ComputeConfig
from opendepin.dims.compute.ports import Prepared
from opendepin.dims.compute.service import Compute
from opendepin.dims.settlement.client import Book, ContractsOnChain
from opendepin.dims.settlement.config import SettlementConfig
from opendepin.dims.settlement.service import Settlement
from opendepin.dims.settlement.view import View
from opendepin.network.builders.running import run_together
from opendepin.network.home import Home
from opendepin.network.membership import Membership
from opendepin.network.parts import READER_POLL_S, Parts, keys_folder, parts
from opendepin.network.projects import ProjectFile, find_program
from opendepin.proofs.workplace import Workplace
from opendepin.proofs.zk.kind import ZkKind, open_zk
from opendepin.runtime.http import Request, Response, Router, json_response, serve
from opendepin.runtime.net import LOOPBACK
from opendepin.runtime.service import Stop, ready

CONTRACTS = ("Devices", "Projects", "BatchInbox", "Programs", "Escrow", "Operators", "Settlement")


class Batches:
    """Headers and segments of accepted batches, from any store; whoever asks checks them."""

    def __init__(self, stores: Sequence[StoreClient]) -> None:
        self._stores = stores

    async def header(self, batch: int) -> BatchHeader:
        """Return a batch's header."""
        return (await self._held(batch)).header

    async def segments(self, batch: int) -> Sequence[Segment]:
        """Return a batch's segments."""
        return (await self._held(batch)).segments

    async def _held(self, batch: int) -> Held:
        for store in self._stores:
            try:
                return await store.batch(batch)
            except DepinError:  # away, or not attested there: ask the next
                continue
        raise PeerFault(f"no store gives batch {batch} now")


class Programs:
    """The programs of the home's projects, each with its keys and an engine of its own."""

    def __init__(self, built: Parts) -> None:
        self._parts = built
        self._open: dict[bytes, ZkKind] = {}
        self._turn = asyncio.Lock()

    async def program(self, project: int, program_id: bytes) -> Prepared:
        """Return a project's program version, opened once.

        Raises:
            Rejected: code `unknown-program`.
            ProgramRejected: its circuit cannot be opened, or has not the standard frame.
        """
        file = self._parts.projects.version(project, program_id)
        if file is None:
            text = f"program 0x{program_id.hex()} of project {project} is not installed here"
            raise Rejected(text, code="unknown-program")
        async with self._turn:
            kind = self._open.get(program_id)
            if kind is None:
                local = self._parts.settings.network.local
                text = find_program(self._parts.home, from_hex(file.circuit_hash, 32))
                if text is None:
                    missing = f"the text of circuit {file.circuit_hash} is not in this home"
                    raise Rejected(missing, code="unknown-program")
                kind = await open_zk(text, Workplace(keys_folder(), local))
                self._open[program_id] = kind
            _require_same(file, kind, program_id)
        return Prepared(file.rules, kind)

    async def close(self) -> None:
        """End the engines."""
        for kind in self._open.values():
            await kind.close()


def _require_same(file: ProjectFile, kind: ZkKind, program_id: bytes) -> None:
    """Demand that what was opened is the program on Layer 1, and takes what its manifest says."""
    if kind.opened.tree != file.rules.tree:
        other = f"program 0x{program_id.hex()} takes other readings than its manifest says"
        raise Rejected(other, code="unknown-program")
    found = statement.program_id(file.manifest.value().hash(), kind.program, kind.keys.vk.hash)
    if found != program_id:
        other = (
            f"manifest, circuit and key here make program 0x{found.hex()}, not 0x{program_id.hex()}"
        )
        raise Rejected(other, code="unknown-program")


async def run(home: Home, service: str, stop: Stop) -> None:
    """Prove and settle until the stop."""
    async with await parts(home, service, CONTRACTS) as built:
        key, identity, stores = built.key(), built.identity(), built.stores()
        settlement, inbox = built.contract("Settlement"), built.contract("BatchInbox")
        names = ("Programs", "Escrow", "Operators", "Devices")
        book = Book(settlement, inbox, *(built.contract(name) for name in names))
        contracts = ContractsOnChain(built.chain, book)
        outbox = built.outbox(service, key, contracts.checks())
        compute, membership = built.settings.compute, _membership(built, key, outbox)
        view, batches, programs = View(settlement, inbox), Batches(stores), Programs(built)
        assignments = AssignmentsOnChain(built.chain, settlement, inbox, key.address)
        settling = Settlement(
            SettlementConfig(
                key.address, compute.draw_delay, window_s=compute.window_s, poll_s=READER_POLL_S
            ),
            view=view,
            contracts=contracts,
            segments=batches,
            outbox=outbox,
            clock=built.clock,
            counters=built.counters,
            log=built.log,
        )
        computing = Compute(
            ComputeConfig(
                built.genesis.network_id,
                settlement.address,
                key.address,
                frozenset(built.genesis.gateways),
                poll_s=READER_POLL_S,
            ),
            assignments=assignments,
            headers=batches,
            bodies=built.retrieval(),
            identity=identity,
            programs=programs,
            results=settling,
            clock=built.clock,
            counters=built.counters,
            log=built.log,
        )
        pace = FollowerConfig(poll_s=READER_POLL_S)
        followers = [
            Follower(built.chain, [settlement.address], assignments, built.clock, built.log, pace),
            Follower(
                built.chain, [settlement.address, inbox.address], view, built.clock, built.log, pace
            ),
        ]

        async def face(inner: Stop) -> None:
            app = _face(built, computing, settling)
            await serve(app, LOOPBACK, built.port, stop=inner, on_ready=_told)

        running = [
            identity.run,
            outbox.run,
            *(f.run for f in followers),
            settling.run,
            computing.run,
        ]
        try:
            await run_together(stop, *running, membership.run, face)
        finally:
            await programs.close()


def _membership(built: Parts, key: Key, outbox: Outbox) -> Membership:
    compute = built.settings.compute
    return Membership(
        built.home,
        built.service,
        chain=built.chain,
        operators=built.contract("Operators"),
        outbox=outbox,
        address=key.address,
        bond=wei(compute.bond),
        capacity=compute.capacity,
        log=built.log,
    )


def _face(built: Parts, computing: Compute, settling: Settlement) -> Router:
    def on_error(path: str, error: BaseException) -> None:
        built.log.error("request failed", path=path, error=repr(error))

    async def status(_request: Request) -> Response:
        extra = computing.status() | settling.status()
        return json_response(built.counters.status_json(**extra))

    async def health(_request: Request) -> Response:
        return json_response({"ok": True})

    app = Router(on_error)
    app.route("GET", "/v1/status", status)
    app.route("GET", "/healthz", health)
    return app


def _told(port: int) -> None:
    ready(f"http://{LOOPBACK}:{port}")
