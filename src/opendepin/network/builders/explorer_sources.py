"""What the explorer reads from, over the network's own clients."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from opendepin.chain.abi import Interface
from opendepin.chain.jsonrpc import Rpc
from opendepin.chain.storage import ContractProof, slot_key, verify_contract_proof
from opendepin.core.encodings import from_hex, to_hex
from opendepin.core.errors import DepinError, Rejected
from opendepin.dims.availability.ports import Held
from opendepin.dims.gateway.client import groups_of_feed
from opendepin.explorer.errors import SourceAway
from opendepin.explorer.ports import BatchRecord, L1Block, L1Event, SettleCall
from opendepin.network.parts import Parts
from opendepin.verify import layer1

SETTLE = "settle"
FEED_TIMEOUT_S = 10.0
STATUS_TIMEOUT_S = 1.5

WHAT = re.compile(
    r"header_hash\((?P<header>\d+)\)|segment_hash\((?P<batch>\d+),(?P<segment>\d+)\)"
    r"|history\((?P<device>0x[0-9a-f]{40})\)"
    r"|result\((?P<task>0x[0-9a-f]{64})\)\.(?P<member>outputs_hash|pay_root|producer)"
)


class L1Source:
    """Blocks and decoded logs of every contract of the network and of its projects."""

    def __init__(self, built: Parts) -> None:
        self._parts = built
        self._chain = built.chain
        self._rpc = Rpc(built.addresses["l1"], built.http, built.clock)
        self._by_address: dict[bytes, tuple[str, Interface]] = {
            built.genesis.address(name): (name, built.compiled[name].interface)
            for name in built.genesis.contracts
            if name in built.compiled
        }
        self._callback = built.compiled["CleanAirCover"].interface

    async def head(self) -> L1Block:
        """Return the newest block."""
        return await self._block(None)

    async def final_height(self) -> int:
        """Return the newest final height."""
        try:
            return (await self._chain.finalized()).height
        except DepinError as error:
            raise SourceAway(str(error)) from error

    async def blocks(self, first: int, last: int) -> Sequence[L1Block]:
        """Return the blocks first..last that exist."""
        found: list[L1Block] = []
        for height in range(first, last + 1):
            try:
                found.append(await self._block(height))
            except IndexError:
                break
        return found

    async def _block(self, height: int | None) -> L1Block:
        try:
            header = await self._chain.block(height)
        except DepinError as error:
            raise SourceAway(str(error)) from error
        if header is None:
            raise IndexError(height)
        return L1Block(header.number, header.hash, header.parent, header.time)

    async def events(self, first: int, last: int) -> Sequence[L1Event]:
        """Return the decoded logs of the blocks first..last, in order."""
        known = dict(self._by_address)
        for file in self._parts.projects.all():
            known[from_hex(file.callback, 20)] = ("CleanAirCover", self._callback)
        try:
            logs = await self._chain.logs(list(known), first, last)
            read = [(log, known[log.address][1].read_log(log.topics, log.data)) for log in logs]
        except DepinError as error:
            raise SourceAway(str(error)) from error
        return [
            L1Event(
                contract=known[log.address][0],
                name=found[0],
                args=found[1],
                height=log.block,
                block_hash=log.block_hash,
                log_index=log.index,
                transaction=log.transaction,
            )
            for log, found in read
            if found is not None
        ]

    async def settle_call(self, transaction: bytes, task: bytes) -> SettleCall | None:
        """Return what a settling transaction carried; None when it was no direct call."""
        settlement = self._parts.contract("Settlement")
        try:
            row: Any = await self._rpc.call("eth_getTransactionByHash", to_hex(transaction))
            receipt = await self._chain.receipt(transaction)
        except DepinError as error:
            raise SourceAway(str(error)) from error
        if row is None or receipt is None or row.get("to") != to_hex(settlement.address):
            return None
        arguments = settlement.interface.arguments(SETTLE, from_hex(row["input"]))
        if arguments is None or arguments[0] != task:
            return None
        return SettleCall(tuple(arguments[1]), arguments[2], receipt.gas_used)


class BodySource:
    """Whole batches out of the availability stores."""

    def __init__(self, built: Parts) -> None:
        self._stores = built.stores()
        self._retrieval = built.retrieval()
        self._shape = (built.code.data_chunks, built.code.total)

    async def batch(self, number: int) -> BatchRecord | None:
        """Return a batch with the attestations that stores give; None when none has it yet."""
        held: dict[bytes, Held] = {}
        for store in self._stores:
            try:
                found = await store.batch(number)
                held[found.attester] = found
            except DepinError:  # it has not attested this one, or is away: ask the next
                continue
        if not held:
            return None
        first = next(iter(held.values()))
        same = {a: h for a, h in held.items() if h.header.hash() == first.header.hash()}
        try:
            body = await self._retrieval.read(first.header)
        except DepinError as error:
            raise SourceAway(str(error)) from error
        attestations = tuple(same[attester].attestation for attester in sorted(same))
        return BatchRecord(
            first.header, first.signature, first.segments, attestations, body, self._shape
        )


class FeedSource:
    """One gateway's commit groups."""

    def __init__(self, http: httpx.AsyncClient, url: str, wait_ms: int = 0) -> None:
        self._http, self._url, self._wait_ms = http, url, wait_ms

    async def after(self, number: int, limit: int) -> Sequence[tuple[int, bytes]]:
        """Return up to `limit` groups after a record.

        Raises:
            SourceAway: no answer, or one that is no feed: whoever reads on waits for this feed
                alone.
        """
        try:
            answer = await self._http.get(
                f"{self._url}/v1/feed",
                params={"after": number, "limit": limit, "wait_ms": self._wait_ms},
                timeout=FEED_TIMEOUT_S,
            )
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise SourceAway(f"the gateway's feed does not answer: {error!r}") from error
        try:
            return groups_of_feed(answer.content)
        except Rejected as error:
            raise SourceAway(f"the gateway's feed cannot be read: {error}") from error


class ProofSource:
    """Storage proofs under the newest block, in the bundle's form."""

    def __init__(self, built: Parts) -> None:
        self._parts = built

    async def prove(self, wanted: Sequence[tuple[str, str]]) -> Mapping[str, Any] | None:
        """Prove `(contract, what)` pairs; None when there is nothing to prove."""
        slots: dict[str, dict[int, str]] = {}
        for contract, what in wanted:
            slots.setdefault(contract, {})[self._slot(contract, what)] = what
        if not slots:
            return None
        addresses = {name: self._parts.genesis.address(name) for name in slots}
        asked = {addresses[name]: sorted(found) for name, found in slots.items()}
        try:
            state = await self._parts.chain.prove(asked)
        except DepinError as error:
            raise SourceAway(str(error)) from error
        header = state.header
        by_address = {proof.address: proof for proof in state.contracts}
        return {
            "block": {
                "number": header.number,
                "hash": to_hex(header.hash),
                "header": to_hex(header.rlp),
            },
            "proofs": [
                _proof_json(name, by_address[addresses[name]], found, header.state_root)
                for name, found in slots.items()
            ],
        }

    def _slot(self, contract: str, what: str) -> int:
        layout = self._parts.compiled[contract].layout
        found = WHAT.fullmatch(what)
        if found is None:
            raise SourceAway(f"nothing called {what!r} is kept on L1")
        if found["header"]:
            return layer1.header_hash_slot(layout, int(found["header"]))
        if found["batch"]:
            return layer1.segment_hash_slot(layout, int(found["batch"]), int(found["segment"]))
        if found["device"]:
            return layer1.history_slot(layout, from_hex(found["device"], 20))
        return layer1.task_slot(layout, from_hex(found["task"], 32), found["member"])


def _proof_json(
    name: str, proof: ContractProof, names: Mapping[int, str], state_root: bytes
) -> dict[str, Any]:
    proven = verify_contract_proof(state_root, proof)
    return {
        "contract": name,
        "address": to_hex(proof.address),
        "nonce": proven.account.nonce,
        "balance": str(proven.account.balance),
        "storage_hash": to_hex(proven.account.storage_root),
        "code_hash": to_hex(proven.account.code_hash),
        "account_proof": [to_hex(node) for node in proof.account_nodes],
        "storage": [
            {
                "what": names[slot.slot],
                "key": to_hex(slot_key(slot.slot)),
                "value": to_hex(proven.values[slot.slot]),
                "proof": [to_hex(node) for node in slot.nodes],
            }
            for slot in proof.slots
        ],
    }


class ServiceSource:
    """The status of every other service."""

    def __init__(self, built: Parts) -> None:
        self._http = built.http
        self._addresses = {n: a for n, a in built.addresses.items() if n != built.service}

    async def statuses(self) -> Mapping[str, Mapping[str, Any] | None]:
        """Return each service's status, None for one that did not answer."""
        return {name: await self._ask(address) for name, address in self._addresses.items()}

    async def _ask(self, address: str) -> Mapping[str, Any] | None:
        try:
            answer = await self._http.get(f"{address}/v1/status", timeout=STATUS_TIMEOUT_S)
            return answer.json() if answer.is_success else None
        except (httpx.HTTPError, ValueError):
            return None
