"""Projects are ERC-721 tokens; their fee is exact, partly burned, the rest pulled."""

from __future__ import annotations

from typing import Any

import boa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opendepin.core.keys import Key
from tests.contracts import world

OWNER = Key.from_seed(b"another owner")
OTHER = Key.from_seed(b"somebody else")
HASH = b"\x22" * 32
WEEK = 7 * 86_400
FEE_REASON = b"project-fee".ljust(32, b"\0")


def register(projects: Any, value: int = world.FEE, owner: Key = OWNER) -> int:
    return projects.register("my project", HASH, value=value, sender=world.account(owner))


def test_registers_with_the_next_id(projects: Any) -> None:
    assert register(projects) == 2
    event = next(e for e in projects.get_logs() if type(e).__name__ == "ProjectRegistered")
    owner = world.address_text(OWNER.address)
    assert (event.project, event.owner, event.name) == (2, owner, "my project")
    assert event.metadata_hash == HASH == projects.metadata_hash(2)
    assert projects.ownerOf(2) == owner
    assert projects.project_name(2) == "my project"
    assert projects.project_count() == 2


def test_a_project_needs_a_name(projects: Any) -> None:
    with boa.reverts("name"):
        projects.register("", HASH, value=world.FEE)


def test_only_the_owner_describes_a_project(projects: Any) -> None:
    project = register(projects)
    with boa.reverts("owner"):
        projects.describe(project, bytes(32), sender=world.account(OTHER))
    with boa.reverts("token"):
        projects.describe(project + 1, bytes(32), sender=world.account(OWNER))
    projects.describe(project, bytes(32), sender=world.account(OWNER))
    (event,) = projects.get_logs()
    assert (event.project, event.metadata_hash) == (project, bytes(32))
    assert projects.metadata_hash(project) == bytes(32)


@given(
    fee=st.integers(0, 10**6),
    bps=st.integers(0, 10_000),
    extra=st.integers(0, 10**6),
)
@settings(max_examples=15)
def test_every_wei_of_a_fee_has_a_place(fee: int, bps: int, extra: int) -> None:
    with boa.env.anchor():
        burner = world.load("Burner")
        projects = world.load(
            "Projects", burner.address, world.account(world.TREASURY, 0), fee, bps
        )
        owner = world.account(OWNER, 10**9)
        projects.register("p", HASH, value=fee + extra, sender=owner)
        burned = fee * bps // 10_000
        assert boa.env.get_balance(owner) == 10**9 - fee
        assert burner.burned(FEE_REASON) == burned == boa.env.get_balance(burner.address)
        assert projects.fees_held() == fee - burned == boa.env.get_balance(projects.address)
        if fee:
            with boa.reverts("fee"):
                projects.register("p", HASH, value=fee - 1, sender=owner)
        projects.collect_fees(sender=world.account(OTHER))
        assert boa.env.get_balance(world.address_text(world.TREASURY.address)) == fee - burned
        assert projects.fees_held() == boa.env.get_balance(projects.address) == 0


def test_a_payer_that_refuses_its_change_is_refused_and_without_change_taken(projects: Any) -> None:
    vault = world.load("mocks/Vault")
    call = projects.register.prepare_calldata("p", HASH)
    with boa.reverts():
        vault.execute(projects.address, call, value=world.FEE + 1)
    vault.execute(projects.address, call, value=world.FEE)
    assert projects.ownerOf(2) == vault.address


def test_change_cannot_be_used_to_come_in_again(projects: Any) -> None:
    vault = world.load("mocks/Vault")
    vault.allow(True, True)
    call = projects.register.prepare_calldata("p", HASH)
    vault.execute(projects.address, call, value=world.FEE + 1)
    vault.reenter(projects.address, projects.collect_fees.prepare_calldata())
    with boa.reverts():
        vault.execute(projects.address, call, value=world.FEE + 1)
    assert projects.project_count() == 2


def test_a_treasury_that_refuses_money_stops_nobody(burner: Any) -> None:
    vault = world.load("mocks/Vault")
    projects = world.load("Projects", burner.address, vault.address, world.FEE, world.BURN_BPS)
    assert register(projects) == 1
    with boa.reverts():
        projects.collect_fees()
    assert register(projects) == 2


def test_terms_hold_after_the_delay_and_not_before(projects: Any) -> None:
    treasury = world.account(world.TREASURY)
    projects.propose_terms(7, 10_000, sender=treasury)
    start = boa.env.timestamp
    (event,) = projects.get_logs()
    assert (event.fee, event.burn_bps, event.effective) == (7, 10_000, start + WEEK)
    boa.env.time_travel(seconds=WEEK - 1)
    assert (projects.fee(), projects.burn_bps()) == (world.FEE, world.BURN_BPS)
    boa.env.time_travel(seconds=1)
    assert (projects.fee(), projects.burn_bps()) == (7, 10_000)
    assert register(projects, value=7) == 2
    projects.propose_terms(9, 0, sender=treasury)
    assert projects.fee() == 7


def test_a_newer_proposal_starts_the_delay_again(projects: Any) -> None:
    treasury = world.account(world.TREASURY)
    projects.propose_terms(7, 0, sender=treasury)
    boa.env.time_travel(seconds=WEEK - 1)
    projects.propose_terms(8, 0, sender=treasury)
    boa.env.time_travel(seconds=WEEK - 1)
    assert projects.fee() == world.FEE
    boa.env.time_travel(seconds=1)
    assert projects.fee() == 8


def test_only_the_treasury_proposes_terms_that_make_sense(projects: Any) -> None:
    with boa.reverts("treasury"):
        projects.propose_terms(7, 0, sender=world.account(OTHER))
    with boa.reverts("share"):
        projects.propose_terms(7, 10_001, sender=world.account(world.TREASURY))


@pytest.mark.parametrize(
    ("treasury", "bps", "reason"), [(bytes(20), 1, "treasury"), (OTHER.address, 10_001, "share")]
)
def test_a_wrong_start_is_refused(burner: Any, treasury: bytes, bps: int, reason: str) -> None:
    with boa.reverts(reason):
        world.load("Projects", burner.address, world.address_text(treasury), 1, bps)


def test_a_burner_without_code_is_refused() -> None:
    with boa.reverts("burner"):
        world.load("Projects", world.account(OTHER), world.account(OTHER), 1, 1)
