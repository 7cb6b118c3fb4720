"""The ownership of tokens, tried on projects: who may move what, and what a move takes away."""

from __future__ import annotations

from typing import Any

import boa
import pytest

from opendepin.core.keys import Key
from tests.contracts import world

OTHER = Key.from_seed(b"somebody else")
THIRD = Key.from_seed(b"third")
ZERO = world.address_text(bytes(20))


@pytest.fixture
def owner() -> Any:
    return world.account(world.PROJECT_OWNER)


@pytest.fixture
def other() -> Any:
    return world.account(OTHER)


@pytest.fixture
def third() -> Any:
    return world.account(THIRD)


def test_says_what_it_is(projects: Any, devices: Any) -> None:
    assert (projects.name(), projects.symbol()) == ("OpenDePIN Projects", "ODPP")
    assert (devices.name(), devices.symbol()) == ("OpenDePIN Devices", "ODPD")
    answers = [
        projects.supportsInterface(bytes.fromhex(i)) for i in ("01ffc9a7", "80ac58cd", "ffffffff")
    ]
    assert answers == [True, True, False]


def test_the_owner_moves_a_token(projects: Any, owner: Any, other: Any) -> None:
    projects.transferFrom(owner, other, 1, sender=owner)
    (event,) = projects.get_logs()
    assert (event.sender, event.receiver, event.token_id) == (owner, other, 1)
    assert projects.ownerOf(1) == other
    assert (projects.balanceOf(owner), projects.balanceOf(other)) == (0, 1)
    with boa.reverts("owner"):
        projects.transferFrom(other, owner, 1, sender=owner)


def test_others_do_not(projects: Any, owner: Any, other: Any) -> None:
    with boa.reverts("owner"):
        projects.transferFrom(owner, other, 1, sender=other)
    with boa.reverts("sender"):
        projects.transferFrom(other, other, 1, sender=owner)
    with boa.reverts("receiver"):
        projects.transferFrom(owner, ZERO, 1, sender=owner)
    with boa.reverts("token"):
        projects.transferFrom(owner, other, 2, sender=owner)


def test_an_approval_is_for_one_token_and_one_move(
    projects: Any, owner: Any, other: Any, third: Any
) -> None:
    projects.register("second", bytes(32), value=world.FEE, sender=owner)
    projects.approve(other, 1, sender=owner)
    (event,) = projects.get_logs()
    assert (event.owner, event.approved, event.token_id) == (owner, other, 1)
    assert projects.getApproved(1) == other
    with boa.reverts("owner"):
        projects.transferFrom(owner, third, 2, sender=other)
    projects.transferFrom(owner, third, 1, sender=other)
    assert projects.getApproved(1) == ZERO
    with boa.reverts("owner"):
        projects.transferFrom(third, other, 1, sender=other)


def test_an_operator_moves_all_until_stopped(
    projects: Any, owner: Any, other: Any, third: Any
) -> None:
    projects.register("second", bytes(32), value=world.FEE, sender=owner)
    projects.setApprovalForAll(other, True, sender=owner)
    projects.transferFrom(owner, third, 1, sender=other)
    projects.approve(third, 2, sender=other)
    projects.setApprovalForAll(other, False, sender=owner)
    with boa.reverts("owner"):
        projects.transferFrom(owner, third, 2, sender=other)
    with boa.reverts("owner"):
        projects.approve(other, 2, sender=other)


def test_views_refuse_what_does_not_exist(projects: Any) -> None:
    with boa.reverts("token"):
        projects.ownerOf(0)
    with boa.reverts("token"):
        projects.getApproved(2)
    with boa.reverts("owner"):
        projects.balanceOf(ZERO)


@pytest.mark.parametrize("data", [(), (b"hello",)])
def test_a_safe_move_asks_the_contract(projects: Any, owner: Any, data: tuple[bytes, ...]) -> None:
    vault = world.load("mocks/Vault")
    with boa.reverts("receiver"):
        projects.safeTransferFrom(owner, vault.address, 1, *data, sender=owner)
    vault.allow(True, False)
    projects.safeTransferFrom(owner, vault.address, 1, *data, sender=owner)
    assert projects.ownerOf(1) == vault.address


def test_a_safe_move_to_a_person_asks_nobody(projects: Any, owner: Any, other: Any) -> None:
    projects.safeTransferFrom(owner, other, 1, sender=owner)
    assert projects.ownerOf(1) == other
