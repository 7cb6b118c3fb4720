"""The embedded Layer 1: anvil as our child, its state kept so that kill -9 loses seconds at most.

In: chain id and genesis money. Out: an `ExecutionEngine` that goes on from the newest good copy at
every start. anvil's own state file is truncated in place, so we do not use it: we ask for a dump,
check it, write it atomically and keep two copies. *Final* is what both copies hold and what lies
`finality_depth` blocks deep: the newest copy may rot, and nothing final is lost. Later blocks may
go, which every reader sees as a reorg. Traps and figures: docs/decisions/0010-embedded-l1.md.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from opendepin.chain import storage
from opendepin.chain.adapters.copies import Copies, Copy
from opendepin.chain.client import ChainClient
from opendepin.chain.errors import EngineFailed, NodeAway
from opendepin.chain.jsonrpc import Rpc
from opendepin.chain.ports import Capabilities, Final
from opendepin.chain.program import check_version, find_anvil
from opendepin.core.errors import DepinError
from opendepin.runtime import processes
from opendepin.runtime.clock import Clock
from opendepin.runtime.disk import write_atomic
from opendepin.runtime.errors import ChildFailed
from opendepin.runtime.net import LOOPBACK, Ports
from opendepin.runtime.service import Stop

LABEL = "embedded development L1"
HARDFORK = "osaka"
READY_TIMEOUT_S = 15.0
STALL_TIMEOUT_S = 20.0
"""An engine that makes no block for this long is killed and started again."""
COPY_BYTES_PER_S = 2_000_000
"""A copy of n bytes (gzipped) is followed by a pause of at least n over this."""
GENESIS_GAS_LIMIT = 30_000_000
PORT_TRIES = 5
PORT_IN_USE = "Address already in use"
"""How anvil ends when its port is taken."""
PROBE = bytes(20)
"""Account whose proof is compared with the header's state root after a restore."""


@dataclass(frozen=True)
class AnvilConfig:
    """What an embedded Layer 1 is started with."""

    home: Path
    """Folder of its own."""
    chain_id: int
    alloc: Mapping[bytes, int]
    """Money at genesis: address → wei."""
    binary: Path | None = None
    """The program; found by `find_anvil` without it."""
    roots: tuple[Path, ...] = ()
    """Folders whose `node_modules` may hold the program."""
    block_time_s: int = 1
    finality_depth: int = 2
    """Blocks above a final one, at least."""
    copy_interval_s: float = 1.0


@dataclass
class AnvilEngine:
    """One anvil under our care; implements `ports.ExecutionEngine`."""

    config: AnvilConfig
    http: httpx.AsyncClient
    clock: Clock
    log: Any
    restarts: int = 0
    """How often the engine was started again after its death."""
    _child: processes.Child | None = None
    _port: int = 0
    _final: Final | None = None
    _floor: int = 0
    """Final at least: what two copies held at the start."""
    _copied: int = 0
    """Bytes of the newest copy."""
    _ports: Ports = field(default_factory=Ports)
    _keeping: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def capabilities(self) -> Capabilities:
        """No consensus; proofs at the newest block alone."""
        return Capabilities(bft_finality=False, historical_proofs=False, label=LABEL)

    @property
    def rpc_url(self) -> str:
        """The private address; the port changes with every start."""
        return f"http://{LOOPBACK}:{self._port}"

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return None if self._child is None else self._child.pid

    @property
    def serving(self) -> bool:
        """Whether requests can be passed on now."""
        return self._child is not None and self._final is not None

    @property
    def client(self) -> ChainClient:
        """A client of the private address, without patience."""
        return ChainClient(self._rpc())

    def _rpc(self) -> Rpc:
        return Rpc(self.rpc_url, self.http, self.clock, patience_s=0.0)

    async def start(self) -> None:
        """Start from the newest good copy, or from genesis before there was one; see the port."""
        binary = self.config.binary or find_anvil(self.config.roots)
        await check_version(binary)
        copies = Copies(self.config.home)
        kept = copies.good()
        self._floor = kept[-1].height if kept and (len(kept) > 1 or copies.lost) else 0
        if not kept:
            await self._start_from_genesis(binary, copies)
        elif not await self._start_from_any(binary, copies, kept):
            raise EngineFailed(
                f"no copy in {self.config.home} starts: restore the folder from a backup"
            )
        await self.keep()
        copies.mark_started()

    async def _start_from_genesis(self, binary: Path, copies: Copies) -> None:
        if copies.was_started:
            raise EngineFailed(
                f"{self.config.home} had a chain, but no copy of its state is good: restore the "
                "folder from a backup, or delete the whole network"
            )
        path = self.config.home / "genesis.json"
        if not path.exists():
            write_atomic(
                path, genesis_json(self.config.chain_id, self.config.alloc, self.clock.now_s())
            )
        await self._spawn(binary, ["--init", str(path)])
        await self._rpc().call("evm_mine")  # a state at height 0 is not restored as it was

    async def _start_from_any(self, binary: Path, copies: Copies, kept: Sequence[Copy]) -> bool:
        for copy in kept:
            try:
                state = await asyncio.to_thread(copies.unpack, copy)
                await self._spawn(binary, ["--load-state", str(state)])
                await self._check_restored(copy)
            except (DepinError, ChildFailed) as error:
                self.log.error("copy-refused", height=copy.height, error=str(error))
                await self._end()
                copies.set_aside(copy)
            else:
                self.log.info("restored", height=copy.height)
                return True
            finally:
                copies.clear()
        return False

    async def _spawn(self, binary: Path, how: Sequence[str]) -> None:
        """Start the child on a port of our own and wait until it answers."""
        for _ in range(PORT_TRIES):
            self._ports.release()
            self._port = self._ports.reserve(0)
            try:
                await self._launch(binary, how)
            except (EngineFailed, ChildFailed):
                tail = self._child.stderr_tail if self._child is not None else ()
                if not any(PORT_IN_USE in line for line in tail):
                    self._ports.release()
                    raise
                await self._end()  # a program that is not ours took the port first
            else:
                return
        raise EngineFailed(f"{PORT_TRIES} ports that were free were taken before anvil had them")

    async def _launch(self, binary: Path, how: Sequence[str]) -> None:
        fixed = [
            "--host",
            LOOPBACK,
            "--accounts",
            "0",
            "--hardfork",
            HARDFORK,
            "--prune-history",
            "--quiet",
        ]
        chosen = {
            "--port": self._port,
            "--chain-id": self.config.chain_id,
            "--block-time": self.config.block_time_s,
            "--cache-path": self.config.home / "cache",
        }
        argv = [str(binary), *fixed, *(str(part) for row in chosen.items() for part in row), *how]
        self._child = child = await processes.spawn("anvil", argv, cwd=self.config.home)
        until = self.clock.monotonic() + READY_TIMEOUT_S
        while True:
            try:
                found = await self.client.chain_id()
            except NodeAway:
                if child.returncode is not None or self.clock.monotonic() > until:
                    tail = " | ".join(child.stderr_tail) or "no message"
                    raise EngineFailed(
                        f"anvil did not start (exit code {child.returncode}): {tail}"
                    ) from None
                await self.clock.sleep(0.02)
            else:
                break
        if found != self.config.chain_id or child.returncode is not None:
            raise EngineFailed(f"chain {found} answers on our port, {self.config.chain_id} is due")

    async def _check_restored(self, copy: Copy) -> None:
        """Check that the chain goes on from the copy's block and that its state is the header's."""
        header = await self.client.block(copy.height)
        if header is None or not header.hash.startswith(copy.hash_start):
            raise EngineFailed(f"block {copy.height} is not the one that was kept")
        ahead = header.time - self.clock.now_s()
        if ahead > 0:  # block times would go back: the engine takes the machine's clock anew
            await self._rpc().call("evm_increaseTime", ahead)
        newest = await self.client.prove({PROBE: []})
        storage.verify_account_proof(
            newest.header.state_root, PROBE, newest.contracts[0].account_nodes
        )

    async def head(self) -> int:
        """Return the height of the newest block."""
        return await self.client.block_number()

    async def finalized_head(self) -> Final:
        """Return the newest final block, as of the last copy."""
        if self._final is None:
            raise NodeAway("the L1 is being started")
        return self._final

    async def keep(self) -> None:
        """Take a copy of the state now and move finality on."""
        async with self._keeping:
            dump = bytes.fromhex((await self._rpc().call("anvil_dumpState"))[2:])
            self._copied = len(dump)
            copies = Copies(self.config.home)
            height = await asyncio.to_thread(copies.height_of, dump)
            header = await self.client.block(height)
            if header is None:
                raise EngineFailed(
                    f"the dump ends at block {height}, which the engine does not have"
                )
            kept = await asyncio.to_thread(copies.keep, dump, height, header.hash)
            both = kept[-1].height if len(kept) > 1 else 0
            head = await self.head()
            final = max(self._floor, min(both, head - self.config.finality_depth), 0)
            block = await self.client.block(final)
            if block is not None and (self._final is None or final > self._final.height):
                self._final = Final(final, block.hash, LABEL)

    async def run(self, stop: Stop) -> None:
        """Take copies, and start the engine again whenever it dies or stalls, until the stop."""
        moved, height = self.clock.monotonic(), -1
        while not stop.is_set():
            begun = self.clock.monotonic()
            try:
                if (now := await self.head()) != height:
                    moved, height = begun, now
                    await self.keep()
                elif begun - moved > STALL_TIMEOUT_S:
                    raise NodeAway(f"no block for {STALL_TIMEOUT_S} s")
            except DepinError as error:
                if stop.is_set():
                    return
                self.log.error("engine-died", error=str(error))
                await self._again()
                moved = self.clock.monotonic()
            took = self.clock.monotonic() - begun
            pause = max(self.config.copy_interval_s - took, self._copied / COPY_BYTES_PER_S, 0.02)
            await self._rest(stop, pause)

    async def _rest(self, stop: Stop, seconds: float) -> None:
        """Wait, but no longer than the engine lives."""
        waits = [asyncio.ensure_future(stop.wait())]
        if self._child is not None:
            waits.append(asyncio.ensure_future(self._ended(self._child)))
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()

    async def _ended(self, child: processes.Child) -> None:
        await child.process.wait()

    async def _again(self) -> None:
        self._final, self.restarts = None, self.restarts + 1
        await self._end()
        await self.start()

    async def stop(self) -> None:
        """Keep the newest state and end."""
        if self._child is not None and self._child.returncode is None:
            try:
                await self.keep()
            except DepinError as error:
                self.log.error("last-copy-failed", error=str(error))
        self._final = None
        await self._end()

    async def _end(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            await child.wait()
        self._ports.release()


def genesis_json(chain_id: int, alloc: Mapping[bytes, int], time_s: int) -> bytes:
    """Return anvil's genesis file. The time must be now: block times go on from it, one second a
    block.
    """
    zero = "0x" + "00" * 32
    value = {
        "config": {"chainId": chain_id},
        "nonce": "0x0",
        "timestamp": hex(time_s),
        "extraData": "0x",
        "gasLimit": hex(GENESIS_GAS_LIMIT),
        "difficulty": "0x0",
        "mixHash": zero,
        "coinbase": "0x" + "00" * 20,
        "alloc": {
            "0x" + address.hex(): {"balance": hex(wei)} for address, wei in sorted(alloc.items())
        },
    }
    return json.dumps(value, indent=1).encode()
