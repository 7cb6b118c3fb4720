"""Enough members, each once, in order, in the one form: anything else is no attestation."""

from __future__ import annotations

from typing import Any

import boa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opendepin.core.keys import Key, N
from tests.contracts import world

DIGEST = b"\x33" * 32
STRANGER = Key.from_seed(b"stranger")


def signed(*keys: Key) -> list[bytes]:
    return [key.sign_recoverable(DIGEST) for key in keys]


def addresses(keys: tuple[Key, ...]) -> list[Any]:
    return [world.address_text(key.address) for key in keys]


def test_holds_the_set_for_good(attesters: Any) -> None:
    assert (attesters.threshold(), attesters.member_count()) == (world.THRESHOLD, 4)
    assert [attesters.member(i) for i in range(4)] == addresses(world.ATTESTERS)
    with boa.reverts("member"):
        attesters.member(4)
    assert all(attesters.is_member(a) for a in addresses(world.ATTESTERS))
    assert not attesters.is_member(world.address_text(STRANGER.address))
    assert not attesters.is_member(world.address_text(bytes(20)))


def test_tells_its_set(attesters: Any) -> None:
    (event,) = attesters.get_logs()
    assert list(event.members) == addresses(world.ATTESTERS)
    assert event.threshold == world.THRESHOLD


def test_all_may_have_to_sign() -> None:
    attesters = world.load("Attesters", addresses(world.ATTESTERS), 4)
    assert attesters.check(DIGEST, signed(*world.ATTESTERS))
    assert not attesters.check(DIGEST, signed(*world.ATTESTERS[:3]))


@given(st.lists(st.sampled_from([*world.ATTESTERS, STRANGER]), max_size=6))
@settings(max_examples=40)
def test_takes_a_list_exactly_when_it_is_right(keys: list[Key]) -> None:
    with boa.env.anchor():
        attesters = world.deploy_attesters()
        found = [key.address for key in keys]
        right = (
            len(keys) >= world.THRESHOLD and found == sorted(set(found)) and STRANGER not in keys
        )
        assert attesters.check(DIGEST, signed(*keys)) == right


def test_takes_any_threshold_of_them(attesters: Any) -> None:
    for left_out in range(4):
        keys = [key for i, key in enumerate(world.ATTESTERS) if i != left_out]
        assert attesters.check(DIGEST, signed(*keys))
    assert attesters.check(DIGEST, signed(*world.ATTESTERS))


def test_refuses_too_few_doubled_and_disordered(attesters: Any) -> None:
    a, b, c, _ = world.ATTESTERS
    assert attesters.check(DIGEST, signed(a, b, c))
    for keys in ([], [a, b], [a, b, b], [a, a, b, c], [b, a, c], [c, b, a]):
        assert not attesters.check(DIGEST, signed(*keys))


def test_refuses_another_digest(attesters: Any) -> None:
    assert not attesters.check(bytes(32), signed(*world.ATTESTERS))


@pytest.mark.parametrize("wrong", ["high-s", "v", "short", "zero", "empty"])
def test_refuses_any_other_form(attesters: Any, wrong: str) -> None:
    good = signed(*world.ATTESTERS[:3])
    last = good[2]
    s = (N - int.from_bytes(last[32:64], "big")).to_bytes(32, "big")
    forms = {
        "high-s": last[:32] + s + bytes([55 - last[64]]),
        "v": last[:64] + bytes([last[64] - 27]),
        "short": last[:64],
        "zero": bytes(65),
        "empty": b"",
    }
    assert attesters.check(DIGEST, good)
    assert not attesters.check(DIGEST, [*good[:2], forms[wrong]])


@pytest.mark.parametrize(
    ("members", "threshold", "reason"),
    [
        (world.ATTESTERS, 0, "threshold"),
        (world.ATTESTERS, 5, "threshold"),
        ((), 1, "threshold"),
        (world.ATTESTERS[::-1], 3, "order"),
        ((*world.ATTESTERS, world.ATTESTERS[-1]), 3, "order"),
    ],
)
def test_a_wrong_set_is_refused(members: tuple[Key, ...], threshold: int, reason: str) -> None:
    with boa.reverts(reason):
        world.load("Attesters", addresses(members), threshold)


def test_nobody_is_no_member() -> None:
    with boa.reverts("order"):
        world.load("Attesters", [world.address_text(bytes(20)), *addresses(world.ATTESTERS)], 3)
