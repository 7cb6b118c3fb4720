"""The client of Layer 1: typed reads with their checks, and the few calls the outbox sends by.

In: our values. Out: our values; a header whose hash was recomputed, proofs that were verified,
reverts with their reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from opendepin.chain import storage
from opendepin.chain.abi import Call
from opendepin.chain.errors import NodeFault, RpcRejected, StateProofRejected
from opendepin.chain.header import Header, header_of_json
from opendepin.chain.jsonrpc import Rpc
from opendepin.chain.ports import MAX_LOG_BLOCKS, Final, Log, Receipt, StateProof

T = TypeVar("T")

ABOVE_HEAD = "BlockOutOfRange"
"""How the node says that logs were asked for above its head."""
SNAPSHOT_TRIES = 20
"""A reading of many values that straddles two blocks is taken again this often."""
PROOF_TRIES = 5
"""A proof that straddles two blocks is taken again this often."""


@dataclass(frozen=True)
class Fees:
    """What a transaction costs now, wei per gas."""

    base_fee: int
    tip: int


class ChainClient:
    """Reads, and the raw calls of sending; implements `ports.ChainReader`."""

    def __init__(self, rpc: Rpc) -> None:
        self._rpc = rpc

    async def chain_id(self) -> int:
        """Return the chain id."""
        return _int(await self._rpc.call("eth_chainId"))

    async def block_number(self) -> int:
        """Return the height of the newest block."""
        return _int(await self._rpc.call("eth_blockNumber"))

    async def finalized(self) -> Final:
        """Return the newest final block, by our proxy's word."""
        row = await self._rpc.call("opendepin_finality")
        return Final(int(row["height"]), _bytes(row["hash"]), str(row["label"]))

    async def block(self, height: int | None = None) -> Header | None:
        """Return the header at a height (the newest without it), its hash recomputed; None above
        the head.

        Raises:
            HeaderRejected: the header does not hash to the block's hash.
            NodeFault: the node gave another height.
        """
        row = await self._rpc.call(
            "eth_getBlockByNumber", "latest" if height is None else hex(height), False
        )
        if row is None:
            return None
        header = header_of_json(row)
        if height not in (None, header.number):
            raise NodeFault(f"asked for block {height}, got {header.number}")
        return header

    async def logs(
        self, addresses: Sequence[bytes], first: int, last: int, topics: Sequence[bytes | None] = ()
    ) -> list[Log]:
        """Return the logs of these contracts in blocks first..last, in order; long spans are
        asked for in parts.
        """
        found: list[Log] = []
        for start in range(first, last + 1, MAX_LOG_BLOCKS):
            asked: dict[str, object] = {
                "address": ["0x" + address.hex() for address in addresses],
                "fromBlock": hex(start),
                "toBlock": hex(min(last, start + MAX_LOG_BLOCKS - 1)),
            }
            if topics:
                asked["topics"] = [
                    None if topic is None else "0x" + topic.hex() for topic in topics
                ]
            try:
                rows = await self._rpc.call("eth_getLogs", asked)
            except RpcRejected as error:
                if ABOVE_HEAD in str(error):  # the chain is shorter than it was a moment ago
                    break
                raise
            found += [_log(row) for row in rows]
        return sorted(found, key=lambda log: (log.block, log.index))

    async def call(self, call: Call[T]) -> T:
        """Return what a view answers at the newest block.

        Raises:
            Reverted: the contract refused.
            NodeFault: no contract stands there, or its answer does not fit.
        """
        asked = {"to": "0x" + call.address.hex(), "data": "0x" + call.data.hex()}
        if call.sender is not None:
            asked["from"] = "0x" + call.sender.hex()
        answer = _bytes(await self._rpc.call("eth_call", asked, "latest"))
        if not answer:
            raise NodeFault(
                f"{call.name} answers nothing: is a contract at 0x{call.address.hex()}?"
            )
        return call.decode(answer)

    async def calls(
        self, calls: Sequence[Call[int]], balances: Sequence[bytes] = ()
    ) -> tuple[list[int], list[int]]:
        """Return what views answer, and what accounts hold in wei, all of one and the same block.

        Raises:
            NodeFault: the chain moved on at each of the tries.
        """
        asked = [
            ("eth_call", ({"to": "0x" + c.address.hex(), "data": "0x" + c.data.hex()}, "latest"))
            for c in calls
        ]
        held = [("eth_getBalance", ("0x" + each.hex(), "latest")) for each in balances]
        height: tuple[str, tuple[object, ...]] = ("eth_blockNumber", ())
        for _ in range(SNAPSHOT_TRIES):
            first, *rows, last = await self._rpc.batch([height, *asked, *held, height])
            if first == last:
                answers = [call.decode(_bytes(row)) for call, row in zip(calls, rows, strict=False)]
                return answers, [_int(row) for row in rows[len(calls) :]]
        raise NodeFault(f"a new block came at each of {SNAPSHOT_TRIES} tries")

    async def prove(self, slots: Mapping[bytes, Sequence[int]]) -> StateProof:
        """Return slots (by contract address) proven under the newest block, the proofs checked.

        The header and all proofs are asked for in one request; should a block come between them,
        once more.

        Raises:
            StateProofRejected: the node's proofs do not hold.
        """
        asked: list[tuple[str, Sequence[object]]] = [("eth_getBlockByNumber", ["latest", False])]
        for address, wanted in slots.items():
            keys = ["0x" + storage.slot_key(slot).hex() for slot in wanted]
            asked.append(("eth_getProof", ["0x" + address.hex(), keys, "latest"]))
        last: StateProofRejected | None = None
        for _ in range(PROOF_TRIES):
            answers = await self._rpc.batch(asked)
            header = header_of_json(answers[0])
            proofs = tuple(
                _contract_proof(address, wanted, row)
                for (address, wanted), row in zip(slots.items(), answers[1:], strict=True)
            )
            try:
                for proof in proofs:
                    storage.verify_contract_proof(header.state_root, proof)
            except StateProofRejected as error:
                last = error
            else:
                return StateProof(header, proofs)
        raise StateProofRejected(f"no consistent proof in {PROOF_TRIES} tries: {last}")

    async def balance(self, address: bytes) -> int:
        """Return an account's balance, wei."""
        return _int(await self._rpc.call("eth_getBalance", "0x" + address.hex(), "latest"))

    async def nonce(self, address: bytes) -> int:
        """Return the nonce of an account's next transaction after the newest block."""
        return _int(await self._rpc.call("eth_getTransactionCount", "0x" + address.hex(), "latest"))

    async def code(self, address: bytes) -> bytes:
        """Return the code at an address; empty when there is none."""
        return _bytes(await self._rpc.call("eth_getCode", "0x" + address.hex(), "latest"))

    async def storage_at(self, address: bytes, slot: int) -> bytes:
        """Return the 32 bytes in a slot at the newest block, unproven."""
        key = "0x" + storage.slot_key(slot).hex()
        return _bytes(await self._rpc.call("eth_getStorageAt", "0x" + address.hex(), key, "latest"))

    async def fees(self) -> Fees:
        """Return the base fee of the next block and a usual tip."""
        row = await self._rpc.call("eth_feeHistory", "0x1", "latest", [])
        return Fees(_int(row["baseFeePerGas"][-1]), 10**9)

    async def estimate(self, sender: bytes, to: bytes | None, value: int, data: bytes) -> int:
        """Return the gas a transaction would use now.

        Raises:
            Reverted: it would be refused.
        """
        asked = {"from": "0x" + sender.hex(), "value": hex(value), "data": "0x" + data.hex()}
        if to is not None:
            asked["to"] = "0x" + to.hex()
        return _int(await self._rpc.call("eth_estimateGas", asked))

    async def send_raw(self, raw: bytes) -> bytes:
        """Hand a signed transaction to the node; return its hash."""
        return _bytes(await self._rpc.call("eth_sendRawTransaction", "0x" + raw.hex()))

    async def receipt(self, transaction: bytes) -> Receipt | None:
        """Return what became of a transaction; None while it is not mined."""
        row = await self._rpc.call("eth_getTransactionReceipt", "0x" + transaction.hex())
        return None if row is None else _receipt(row)


def _int(value: Any) -> int:
    if not isinstance(value, str) or not value.startswith("0x"):
        raise NodeFault(f"the node answers {str(value)[:80]!r} where a quantity is due")
    return int(value, 16)


def _bytes(value: Any) -> bytes:
    try:
        return bytes.fromhex(value[2:]) if value.startswith("0x") else _no_hex(value)
    except (ValueError, AttributeError, TypeError) as error:
        raise NodeFault(f"the node answers {str(value)[:80]!r} where hex is due") from error


def _no_hex(value: object) -> bytes:
    raise ValueError(value)


def _log(row: Mapping[str, Any]) -> Log:
    return Log(
        address=_bytes(row["address"]),
        topics=tuple(_bytes(topic) for topic in row["topics"]),
        data=_bytes(row["data"]),
        block=_int(row["blockNumber"]),
        block_hash=_bytes(row["blockHash"]),
        transaction=_bytes(row["transactionHash"]),
        index=_int(row["logIndex"]),
    )


def _receipt(row: Mapping[str, Any]) -> Receipt:
    made = row.get("contractAddress")
    return Receipt(
        transaction=_bytes(row["transactionHash"]),
        block=_int(row["blockNumber"]),
        block_hash=_bytes(row["blockHash"]),
        succeeded=_int(row["status"]) == 1,
        gas_used=_int(row["gasUsed"]),
        gas_price=_int(row["effectiveGasPrice"]),
        contract=_bytes(made) if made else None,
        logs=tuple(_log(log) for log in row["logs"]),
    )


def _contract_proof(
    address: bytes, slots: Sequence[int], row: Mapping[str, Any]
) -> storage.ContractProof:
    given = row["storageProof"]
    if len(given) != len(slots):
        raise NodeFault(f"asked for {len(slots)} slots, got {len(given)}")
    proofs = tuple(
        storage.SlotProof(slot, tuple(_bytes(node) for node in item["proof"]))
        for slot, item in zip(slots, given, strict=True)
    )
    return storage.ContractProof(
        address, tuple(_bytes(node) for node in row["accountProof"]), proofs
    )
