"""The outbox of one account: what shall happen on L1 happens exactly once, whatever dies in
between.

In: intents, durable when `submit` returns. Out: outcomes, given only when they are final. Each
intent gets a nonce and signed bytes that are kept before they are sent; the same bytes are sent
again until they stand in a final block, so a crash, a lost pool or a rollback of the chain can
neither double an effect nor lose it. A stuck transaction is replaced by one of the same nonce with
higher fees. One process per account.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from opendepin.chain.errors import NodeFault, Reverted, RpcRejected
from opendepin.chain.outbox_config import Memory, OutboxConfig, Sender, View
from opendepin.chain.outbox_store import Entry, Intent, OutboxStore, Outcome, State, Variant
from opendepin.chain.ports import Receipt
from opendepin.chain.transactions import Transaction
from opendepin.core.errors import PeerFault, Rejected
from opendepin.core.keys import Key
from opendepin.runtime.clock import Clock
from opendepin.runtime.service import Stop

__all__ = ["DoneCheck", "Intent", "Outbox", "OutboxConfig", "OutboxStore", "Outcome", "State"]

DoneCheck = Callable[[Intent], Awaitable[bool]]
"""Says whether an intent's effect stands in the newest block, whoever made it."""

GAP = "gap"
"""Kind of an empty transaction that fills a nonce which a rollback left open."""


class Outbox:
    """Sends the intents of one account."""

    def __init__(
        self,
        chain: Sender,
        key: Key,
        store: OutboxStore,
        clock: Clock,
        log: Any,
        config: OutboxConfig | None = None,
        checks: Mapping[str, DoneCheck] | None = None,
    ) -> None:
        self.address = key.address
        self._chain = chain
        self._key = key
        self._store = store
        self._clock = clock
        self._log = log
        self._config = config or OutboxConfig()
        self._checks = dict(checks or {})
        self._memory: dict[int, Memory] = {}
        self._waiting: dict[str, list[asyncio.Future[Outcome]]] = {}
        self._wake = asyncio.Event()
        self._chain_id: int | None = None

    def submit(self, intent: Intent) -> State:
        """Keep an intent durably and return its state; the same key again changes nothing.

        An intent that failed before is tried anew.
        """
        entry = self._store.put(intent)
        self._wake.set()
        return entry.state

    def state(self, key: str) -> State | None:
        """Return how far the intent of a key has come; None when it is unknown."""
        entry = self._store.find(key)
        return None if entry is None else entry.state

    def open_count(self) -> int:
        """Return how many intents have not ended."""
        return len(self._store.live())

    def open_keys(self, *beginnings: str) -> list[str]:
        """Return the keys, with one of these beginnings, of intents that have not ended."""
        keys = [entry.intent.key for entry in self._store.live()]
        return [key for key in keys if key.startswith(beginnings)]

    async def wait(self, key: str) -> Outcome:
        """Wait until the intent of a key has ended finally; return its outcome.

        Raises:
            Reverted: the contract refused it.
            Rejected: code `unknown-intent`, it was never submitted.
        """
        entry = self._store.find(key)
        if entry is None:
            raise Rejected(f"no intent {key} was submitted", code="unknown-intent")
        if entry.state in (State.DONE, State.FAILED):
            return _raised(entry.outcome)
        future = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(key, []).append(future)
        return _raised(await future)

    async def settle(self, intent: Intent) -> Outcome:
        """Submit an intent and wait for its outcome; see `wait`."""
        self.submit(intent)
        return await self.wait(intent.key)

    async def run(self, stop: Stop) -> None:
        """Send, watch and send again until the stop. A node that is away is waited for."""
        while not stop.is_set():
            self._wake.clear()
            try:
                await self.step()
            except PeerFault as error:
                self._log.warning("outbox-waits", error=str(error))
            await self._pause(stop)

    async def _pause(self, stop: Stop) -> None:
        waits = [asyncio.ensure_future(self._wake.wait()), asyncio.ensure_future(stop.wait())]
        await asyncio.wait(waits, timeout=self._config.poll_s, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()

    async def step(self) -> None:
        """Do one round over all intents that have not ended."""
        entries = self._store.live()
        if not entries:
            return
        view = View(
            head=await self._chain.block_number(),
            final=(await self._chain.finalized()).height,
            nonce=await self._chain.nonce(self.address),
            fees=await self._chain.fees(),
        )
        signed = sorted((e for e in entries if e.nonce is not None), key=lambda e: e.nonce or 0)
        await self._fill_gaps(signed, view)
        for entry in signed:
            await self._watch(entry, view)
        given = [entry.nonce for entry in self._store.live() if entry.nonce is not None]
        unmined = any((entry.nonce or 0) >= view.nonce for entry in signed)
        following = max([view.nonce, *(nonce + 1 for nonce in given)])
        room = self._config.in_flight - len(given)
        for entry in entries:
            if entry.nonce is None and room > 0:
                began = await self._begin(entry, following, view, unmined=unmined)
                following, room, unmined = following + began, room - began, unmined or began

    async def _fill_gaps(self, signed: list[Entry], view: View) -> None:
        """Give nonces that a rollback opened, and none of our bytes fill, to empty transactions."""
        have = {entry.nonce for entry in signed}
        top = max((entry.nonce or 0 for entry in signed), default=-1)
        for nonce in range(view.nonce, top):
            if nonce not in have:
                self._log.warning("nonce-gap", nonce=nonce)
                intent = Intent(
                    f"{GAP}/{nonce}/{view.head}", self.address, b"", kind=GAP, gas=21_000
                )
                await self._sign(self._store.put(intent), nonce, view)

    async def _watch(self, entry: Entry, view: View) -> None:
        """Look after an intent that has a nonce."""
        nonce, variants = entry.nonce or 0, self._store.variants(entry.row)
        memory = self._memory.setdefault(entry.row, Memory())
        if nonce >= view.nonce:
            memory.foreign_at = None
            await self._push(entry, variants, memory, view)
            return
        receipt = await self._receipt(variants)
        if receipt is None:
            await self._lost_nonce(entry, memory, view)
        elif receipt.block <= view.final:
            memory.foreign_at = None
            await self._conclude(entry, receipt)

    async def _receipt(self, variants: list[Variant]) -> Receipt | None:
        for variant in reversed(variants):
            receipt = await self._chain.receipt(variant.signed.hash)
            if receipt is not None:
                return receipt
        return None

    async def _push(
        self, entry: Entry, variants: list[Variant], memory: Memory, view: View
    ) -> None:
        """Hand the newest bytes over again when they may be lost; replace them when they are
        stuck.
        """
        config = self._config
        if memory.sent_at is None or view.head - memory.sent_at >= config.resend_blocks:
            stuck = (
                memory.sent_at is not None
                and view.head - memory.first_sent_at >= config.bump_blocks
            )
            if stuck and entry.nonce == view.nonce:
                await self._bump(entry, variants[-1], memory, view)
            else:
                await self._send(entry, variants[-1], memory, view)

    async def _bump(self, entry: Entry, last: Variant, memory: Memory, view: View) -> None:
        factor, cap = self._config.bump_factor, self._config.max_fee_cap
        tip = int(last.tip * factor) + 1
        max_fee = min(cap, max(int(last.max_fee * factor) + 1, 2 * view.fees.base_fee + tip))
        if max_fee <= last.max_fee:
            self._log.warning("fee-cap-reached", intent=entry.intent.key, max_fee=last.max_fee)
            await self._send(entry, last, memory, view)
            return
        variant = await self._variant(
            entry.intent, entry.nonce or 0, last.gas, min(tip, max_fee), max_fee
        )
        self._store.sign(entry.row, entry.nonce or 0, variant)
        self._log.info("fee-raised", intent=entry.intent.key, nonce=entry.nonce, max_fee=max_fee)
        memory.first_sent_at = view.head
        await self._send(entry, variant, memory, view)

    async def _lost_nonce(self, entry: Entry, memory: Memory, view: View) -> None:
        """Give an intent a new nonce once somebody else's use of its nonce is final."""
        if memory.foreign_at is None:
            memory.foreign_at = view.head
        elif view.final >= memory.foreign_at:
            self._log.warning("nonce-used-by-another", intent=entry.intent.key, nonce=entry.nonce)
            self._store.requeue(entry.row)
            self._memory.pop(entry.row, None)

    async def _conclude(self, entry: Entry, receipt: Receipt) -> None:
        state, reason = State.DONE, ""
        if not receipt.succeeded and not await self._is_done(entry.intent):
            state, reason = State.FAILED, await self._reason(entry.intent)
        self._end(
            entry, Outcome(state, receipt.transaction, receipt.block, receipt.gas_used, reason)
        )

    async def _reason(self, intent: Intent) -> str:
        """Return why a mined transaction was refused, as far as calling it again tells."""
        try:
            await self._chain.estimate(self.address, intent.to, intent.value, intent.data)
        except Reverted as error:
            return error.reason
        except (RpcRejected, NodeFault) as error:
            return str(error)
        return "refused when it was mined; it would pass now"

    async def _begin(self, entry: Entry, nonce: int, view: View, *, unmined: bool) -> bool:
        """Give a queued intent the next nonce and send it; return whether it took it.

        A refusal counts only when none of our own earlier transactions is unmined, since the
        intent may build on them.
        """
        memory = self._memory.setdefault(entry.row, Memory())
        if await self._done_by_another(entry, memory, view):
            return False
        intent = entry.intent
        try:
            gas = intent.gas or await self._gas(intent)
        except Reverted as error:
            if unmined or memory.refused_at == view.head:
                return False
            memory.refusals, memory.refused_at = memory.refusals + 1, view.head
            if memory.refusals >= self._config.refusals:
                self._end(entry, Outcome(State.FAILED, None, None, 0, error.reason))
            return False
        except RpcRejected as error:
            self._log.error("estimate-refused", intent=intent.key, error=str(error))
            return False
        await self._sign(entry, nonce, view, gas)
        return True

    async def _sign(self, entry: Entry, nonce: int, view: View, gas: int = 21_000) -> None:
        fees = view.fees
        max_fee = min(self._config.max_fee_cap, 2 * fees.base_fee + fees.tip)
        variant = await self._variant(entry.intent, nonce, gas, min(fees.tip, max_fee), max_fee)
        self._store.sign(entry.row, nonce, variant)
        memory = self._memory.setdefault(entry.row, Memory())
        memory.first_sent_at = view.head
        await self._send(entry, variant, memory, view)

    async def _variant(
        self, intent: Intent, nonce: int, gas: int, tip: int, max_fee: int
    ) -> Variant:
        if self._chain_id is None:
            self._chain_id = await self._chain.chain_id()
        made = Transaction(
            self._chain_id, nonce, tip, max_fee, gas, intent.to, intent.value, intent.data
        )
        return Variant(made.sign(self._key), gas, tip, max_fee)

    async def _gas(self, intent: Intent) -> int:
        estimate = await self._chain.estimate(self.address, intent.to, intent.value, intent.data)
        generous = int(estimate * self._config.gas_headroom) + self._config.gas_extra
        return min(self._config.gas_cap, generous)

    async def _send(self, entry: Entry, variant: Variant, memory: Memory, view: View) -> None:
        """Hand bytes over; what the node says against them is noted, the receipt decides."""
        memory.sent_at = view.head
        try:
            await self._chain.send_raw(variant.signed.raw)
        except RpcRejected as error:
            known = ("already", "nonce too low", "underpriced")
            if not any(word in str(error).lower() for word in known):
                self._log.error("send-refused", intent=entry.intent.key, error=str(error))

    async def _done_by_another(self, entry: Entry, memory: Memory, view: View) -> bool:
        """Say whether the effect stands already; end the intent once that is final."""
        if not await self._is_done(entry.intent):
            memory.seen_done_at = None
            return False
        if memory.seen_done_at is None:
            memory.seen_done_at = view.head
        elif view.final >= memory.seen_done_at:
            self._end(entry, Outcome(State.DONE, None, view.final, 0, ""))
        return True

    async def _is_done(self, intent: Intent) -> bool:
        check = self._checks.get(intent.kind)
        return check is not None and await check(intent)

    def _end(self, entry: Entry, outcome: Outcome) -> None:
        self._store.end(entry.row, outcome)
        self._memory.pop(entry.row, None)
        self._log.info(
            "intent-ended", intent=entry.intent.key, state=outcome.state, reason=outcome.reason
        )
        for future in self._waiting.pop(entry.intent.key, []):
            if not future.done():
                future.set_result(outcome)


def _raised(outcome: Outcome) -> Outcome:
    if outcome.state is State.FAILED:
        raise Reverted(outcome.reason, transaction=outcome.transaction)
    return outcome
