"""Our tokens and snekmate's, driven by the same calls, agree on every owner and every refusal."""

from __future__ import annotations

from functools import cache
from typing import Any

import boa
import pytest
from boa import BoaError
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from opendepin.core.keys import Key
from tests.contracts import world

PEOPLE = tuple(Key.from_seed(b"person %d" % i) for i in range(4))
TOKENS = (1, 2, 3)

PEER = """
from snekmate.auth import ownable
from snekmate.tokens import erc721

initializes: ownable
initializes: erc721[ownable := ownable]
exports: erc721.__interface__

@deploy
def __init__():
    ownable.__init__()
    erc721.__init__("peer", "PEER", "", "peer", "1")

@external
def mint(owner: address, token_id: uint256):
    erc721._mint(owner, token_id)
"""


@cache
def peer_deployer() -> Any:
    return boa.loads_partial(PEER)


class PeerMachine(RuleBasedStateMachine):
    """Both collections start with three tokens and get every call."""

    def __init__(self) -> None:
        super().__init__()
        self.anchor = boa.env.anchor()
        self.anchor.__enter__()
        self.people = [world.account(key) for key in PEOPLE]
        burner = world.load("Burner")
        self.ours = world.load("Projects", burner.address, self.people[0], 0, 0)
        self.peer = peer_deployer().deploy()
        for number, owner in zip(TOKENS, self.people, strict=False):
            assert self.ours.register("p", bytes(32), sender=owner) == number
            self.peer.mint(owner, number)

    def teardown(self) -> None:
        self.anchor.__exit__(None, None, None)

    def both(self, name: str, *arguments: Any, **options: Any) -> None:
        """Call both; either both take it or both refuse."""
        outcomes: list[bool] = []
        for contract in (self.ours, self.peer):
            try:
                getattr(contract, name)(*arguments, **options)
                outcomes.append(True)
            except BoaError:
                outcomes.append(False)
        assert outcomes[0] == outcomes[1]

    @rule(
        at=st.tuples(*[st.integers(0, 3)] * 3),
        token=st.integers(1, 4),
        safe=st.booleans(),
        true_owner=st.booleans(),
    )
    def move(self, at: tuple[int, int, int], token: int, safe: bool, true_owner: bool) -> None:
        by, sender, receiver = (self.people[i] for i in at)
        if true_owner and token in TOKENS:
            sender = self.peer.ownerOf(token)
        name = "safeTransferFrom" if safe else "transferFrom"
        self.both(name, sender, receiver, token, sender=by)

    @rule(by=st.integers(0, 3), approved=st.integers(0, 4), token=st.sampled_from(TOKENS))
    def approve(self, by: int, approved: int, token: int) -> None:
        nobody = world.address_text(bytes(20))
        account = nobody if approved == 4 else self.people[approved]
        if account != self.peer.ownerOf(token):  # which snekmate refuses and EIP-721 does not
            self.both("approve", account, token, sender=self.people[by])

    @rule(by=st.integers(0, 3), operator=st.integers(0, 3), approved=st.booleans())
    def set_operator(self, by: int, operator: int, approved: bool) -> None:
        if by != operator:  # which snekmate refuses and EIP-721 does not
            people = self.people
            self.both("setApprovalForAll", people[operator], approved, sender=people[by])

    @invariant()
    def agree(self) -> None:
        for token in TOKENS:
            assert self.ours.ownerOf(token) == self.peer.ownerOf(token)
            assert self.ours.getApproved(token) == self.peer.getApproved(token)
        for one in self.people:
            assert self.ours.balanceOf(one) == self.peer.balanceOf(one)
            for other in self.people:
                ours = self.ours.isApprovedForAll(one, other)
                assert ours == self.peer.isApprovedForAll(one, other)


TestPeer = PeerMachine.TestCase
TestPeer.settings = settings(max_examples=4, stateful_step_count=20)


@pytest.mark.soak
@pytest.mark.timeout(1_800)
def test_peer_for_long() -> None:
    run_state_machine_as_test(
        PeerMachine, settings=settings(max_examples=200, stateful_step_count=50)
    )
