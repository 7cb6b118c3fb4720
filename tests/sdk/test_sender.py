"""A gateway may answer anything: out comes a receipt that holds, or a typed error."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opendepin.core import message
from opendepin.core.errors import DepinError
from opendepin.sdk import Answer, GatewayAway, GatewayRefused, ReceiptWrong
from opendepin.sdk.sender import MAX_ANSWER_BYTES
from tests.sdk.memory import (
    GATEWAY,
    NETWORK,
    PROJECT,
    STRANGER,
    Clock,
    Gateway,
    Memory,
    device,
    problem,
    sender,
)


@dataclass
class Says:
    """A net with one answer."""

    answer: Answer

    async def post(self, url: str, content_type: str, body: bytes) -> Answer:
        return self.answer


def sent() -> tuple[bytes, bytes, Gateway]:
    """Return a message with its id, and a gateway that admitted it."""
    raw = device(Memory(), Clock()).sign({1: 5, 2: 6})
    identifier = message.message_id(message.parse(raw), message.external_aad(NETWORK, PROJECT))
    gateway = Gateway(Clock())
    gateway.rows[identifier] = (3, raw)
    return raw, identifier, gateway


async def ask(answer: Answer, trusted: Any = GATEWAY) -> Any:
    raw, identifier, _ = sent()
    return await sender(Says(answer), trusted).send(PROJECT, identifier, raw)


@pytest.mark.parametrize("status", [200, 202])
async def test_a_true_receipt_is_taken(status: int) -> None:
    _, identifier, gateway = sent()
    receipt = await ask(gateway.receipt(identifier, status))
    assert (receipt.position, receipt.message_id) == (3, identifier)


@pytest.mark.parametrize(
    "changed",
    [
        {"network_id": bytes(32)},
        {"project": PROJECT + 1},
        {"gateway": STRANGER.address},
        {"first": 2},
        {"count": 2},
        {"identity_block": 6},
        {"root": bytes(32)},
    ],
)
async def test_a_signed_receipt_of_something_else_is_refused(changed: dict[str, Any]) -> None:
    _, identifier, gateway = sent()
    with pytest.raises(ReceiptWrong):
        await ask(gateway.receipt(identifier, 202, **changed))


async def test_a_receipt_by_another_key_or_of_another_message_is_refused() -> None:
    _, identifier, gateway = sent()
    with pytest.raises(ReceiptWrong):
        await ask(gateway.receipt(identifier, 202), trusted=STRANGER)
    gateway.rows[bytes(32)] = (3, b"")
    with pytest.raises(ReceiptWrong, match="another network, project or message"):
        await ask(gateway.receipt(bytes(32), 202))


@given(st.data())
def test_any_altered_receipt_is_refused(data: st.DataObject) -> None:
    _, identifier, gateway = sent()
    value = json.loads(gateway.receipt(identifier, 202).body)
    name = data.draw(st.sampled_from(sorted(value)))
    odd = st.none() | st.integers() | st.text(max_size=5) | st.lists(st.integers(), max_size=2)
    drawn = data.draw(odd)
    if drawn == value[name]:
        return
    with pytest.raises(ReceiptWrong):
        _run(ask(Answer(202, json.dumps(value | {name: drawn}).encode())))


@settings(max_examples=200)
@given(st.integers(100, 599), st.binary(max_size=300))
def test_garbage_is_a_typed_error(status: int, body: bytes) -> None:
    with pytest.raises((GatewayAway, GatewayRefused, ReceiptWrong)):
        _run(ask(Answer(status, body)))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(st.sampled_from([202, 400, 429, 500]), json_values)
def test_any_json_is_a_typed_error(status: int, value: Any) -> None:
    with pytest.raises((GatewayAway, GatewayRefused, ReceiptWrong)):
        _run(ask(Answer(status, json.dumps(value).encode())))


@pytest.mark.parametrize("body", [b"[" * 60_000, b"{" * 9, b" " * (MAX_ANSWER_BYTES + 1)])
@pytest.mark.parametrize("status", [202, 400, 503])
async def test_deep_and_huge_answers_are_typed_errors(status: int, body: bytes) -> None:
    with pytest.raises((GatewayAway, GatewayRefused, ReceiptWrong)):
        await ask(Answer(status, body))


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
async def test_who_asks_to_wait_is_away(status: int) -> None:
    with pytest.raises(GatewayAway) as caught:
        await ask(problem(status, "busy", wait=2.5))
    assert caught.value.retry_after_s == 2.5


@pytest.mark.parametrize(("status", "code"), [(400, "canonical"), (403, "revoked"), (409, "a-b")])
async def test_a_refusal_has_the_gateways_code(status: int, code: str) -> None:
    with pytest.raises(GatewayRefused, match=f"it is {code}") as caught:
        await ask(problem(status, code))
    assert caught.value.code == code


@pytest.mark.parametrize("code", ["", "No\nCode", "x" * 65, "a b", "é"])
async def test_a_code_that_is_none_is_not_taken_over(code: str) -> None:
    with pytest.raises(GatewayRefused) as caught:
        await ask(problem(400, code))
    assert caught.value.code == "http-400"
    assert isinstance(caught.value, DepinError)


def _run(waiting: Any) -> Any:
    try:
        waiting.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it waits for something")
