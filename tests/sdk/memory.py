"""A device's clock, store and net in memory; the store can lose power, the net can be anything."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from opendepin.core import merkle, message
from opendepin.core.encodings import to_hex
from opendepin.core.group import GroupHeader, leaf, receipt_from_leaves
from opendepin.core.keys import Key
from opendepin.sdk import Answer, Device, GatewayAway, Sender
from opendepin.sdk.sender import CONTENT_TYPE

NETWORK, PROJECT = bytes(range(32)), 7
DEVICE, GATEWAY, STRANGER = (Key.from_seed(b"sdk %d" % i) for i in range(3))
URL = "http://gateway.test"
WEEK_MS = 7 * 86_400_000


class PowerCut(Exception):
    """The device's power is gone."""


@dataclass
class Clock:
    """A clock that stands."""

    ms: int = 1_790_000_000_000

    def now_ms(self) -> int:
        return self.ms


@dataclass
class Memory:
    """A store; `writes_left` writes from now on the power is cut, before or after the write."""

    values: dict[str, bytes] = field(default_factory=dict[str, bytes])
    writes_left: int | None = None
    cut_after: bool = False

    def _tick(self) -> bool:
        if self.writes_left is None:
            return False
        self.writes_left -= 1
        return self.writes_left < 0

    def read(self, name: str) -> bytes | None:
        return self.values.get(name)

    def write(self, name: str, value: bytes) -> None:
        cut = self._tick()
        if cut and not self.cut_after:
            raise PowerCut
        self.values[name] = value
        if cut:
            raise PowerCut

    def remove(self, name: str) -> None:
        cut = self._tick()
        if cut and not self.cut_after:
            raise PowerCut
        self.values.pop(name, None)
        if cut:
            raise PowerCut

    def names(self) -> list[str]:
        return sorted(self.values)


@dataclass
class Gateway:
    """A gateway behind `Net`: admits as the real one does, answers with true receipts."""

    clock: Clock
    key: Key = GATEWAY
    rows: dict[bytes, tuple[int, bytes]] = field(default_factory=dict[bytes, tuple[int, bytes]])
    last_seq: int = 0
    away: Callable[[], bool] = lambda: False
    """Asked before a message is taken."""
    lost: Callable[[], bool] = lambda: False
    """Asked after it was taken: whether the answer gets lost."""
    refuse: Callable[[message.Signed], str | None] = lambda _: None
    posts: int = 0

    async def post(self, url: str, content_type: str, body: bytes) -> Answer:
        assert (url, content_type) == (f"{URL}/v1/projects/{PROJECT}/messages", CONTENT_TYPE)
        self.posts += 1
        if self.away():
            raise GatewayAway("nobody is there")
        answer = self._admit(body)
        if self.lost():
            raise GatewayAway("the answer got lost")
        return answer

    def _admit(self, body: bytes) -> Answer:
        signed = message.parse(body)
        identifier = message.message_id(signed, message.external_aad(NETWORK, PROJECT))
        message.verify(signed, identifier, DEVICE.public)
        if identifier in self.rows:
            return self.receipt(identifier, 200)
        code = self.refuse(signed)
        if code is None and signed.time_ms < self.clock.ms - WEEK_MS:
            code = "too-old"
        if code is None and signed.seq <= self.last_seq:
            code = "seq-stale"
        if code is not None:
            return problem(409, code)
        self.last_seq = signed.seq
        self.rows[identifier] = (len(self.rows) + 1, body)
        return self.receipt(identifier, 202)

    def receipt(self, identifier: bytes, status: int, **changed: Any) -> Answer:
        """Return an answer with the receipt of an admitted message, header fields changed."""
        position, _ = self.rows[identifier]
        leaves = [leaf(position, 5, identifier)]
        given = {
            "network_id": NETWORK,
            "project": PROJECT,
            "gateway": self.key.address,
            "first": position,
            "count": 1,
            "identity_block": 5,
            "include_by_block": 65,
            "root": merkle.root(leaves),
        }
        header = GroupHeader(**(given | changed))
        signature = self.key.sign_recoverable(header.digest())
        cut = receipt_from_leaves(header, signature, leaves, 0, identifier)
        return Answer(status, json.dumps(cut.to_json()).encode())


def problem(status: int, code: str, wait: float = 0.0) -> Answer:
    """Return a problem+json answer."""
    body = {"type": "about:blank", "status": status, "code": code, "detail": f"it is {code}"}
    return Answer(status, json.dumps(body).encode(), wait)


def device(store: Memory, clock: Clock, key: Key = DEVICE) -> Device:
    """Return the test's device over a store."""
    return Device(key, NETWORK, PROJECT, store, clock)


def sender(net: Any, gateway: Key = GATEWAY) -> Sender:
    """Return a sender to the test's gateway."""
    return Sender(net, URL + "/", gateway.address, NETWORK)


def hex_id(raw: bytes) -> str:
    """Return a message's id as hex."""
    aad = message.external_aad(NETWORK, PROJECT)
    return to_hex(message.message_id(message.parse(raw), aad))
