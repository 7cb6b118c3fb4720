"""Program versions: registered once by the project's owner, checked at the door, never changed."""

from __future__ import annotations

from typing import Any

import boa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opendepin.core.statement import program_id
from tests.contracts import settling as s
from tests.contracts import world
from tests.contracts.settling import Settling

OTHER = (b"\x04" * 32, b"\x05" * 32, b"\x06" * 32)
ZERO = world.address_text(bytes(20))
MAX_RATE = 2**96 - 1


def test_a_version_is_kept_whole_and_becomes_current(settling: Settling) -> None:
    program = settling.register_program(
        OTHER, pay_offset=1, pay_count=4, operator_fee=7, unit_rate=9
    )
    (event,) = settling.events(settling.programs, "ProgramRegistered")
    (selected,) = settling.events(settling.programs, "ProgramSelected")
    assert program == program_id(*OTHER) == event.program == selected.program
    assert settling.programs.current(1) == program
    kept = settling.programs.program(1, program)
    assert (kept.manifest_hash, kept.circuit_hash, kept.vk_hash) == OTHER
    assert kept.terms == settling.programs.terms(1, program)
    verifier, receiver = settling.verifier.address, settling.receiver.address
    assert tuple(kept.terms) == (verifier, receiver, 5, 1, 4, 7, 9, 1)
    assert (event.pay_offset, event.pay_count, event.operator_fee, event.unit_rate) == (1, 4, 7, 9)
    assert (event.verifier, event.callback, event.kind) == (verifier, receiver, 1)


@pytest.mark.parametrize(("kind", "taken"), [(0, True), (15, True), (16, False), (2**64, False)])
def test_a_kind_of_proof_is_a_place_of_the_mask(settling: Settling, kind: int, taken: bool) -> None:
    if not taken:
        with boa.reverts("kind"):
            settling.register_program(OTHER, kind=kind)
        return
    program = settling.register_program(OTHER, kind=kind)
    assert settling.programs.terms(1, program).kind == kind


@given(hashes=st.lists(st.binary(min_size=32, max_size=32), min_size=3, max_size=3))
@settings(
    max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
def test_the_program_id_is_the_grounds(settling: Settling, hashes: list[bytes]) -> None:
    with boa.env.anchor():
        settling.register_program(hashes)
        assert settling.programs.current(1) == program_id(*hashes)


@pytest.mark.parametrize("field", ["manifest_hash", "circuit_hash", "vk_hash"])
def test_each_hash_gives_another_id(settling: Settling, field: str) -> None:
    before = settling.programs.current(1)
    replaced: dict[str, Any] = {field: b"\xaa" * 32}
    settling.register_program(**replaced)
    assert settling.programs.current(1) != before


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"pay_count": 0}, "pay range"),
        ({"pay_offset": 0, "pay_count": 6}, "pay range"),
        ({"pay_offset": 3, "pay_count": 3}, "pay range"),
        ({"pay_offset": 2**256 - 1, "pay_count": 2}, "pay range"),
        ({"operator_fee": MAX_RATE + 1}, "rate"),
        ({"unit_rate": MAX_RATE + 1}, "rate"),
        ({"callback": world.address_text(b"\x09" * 20)}, "callback"),
    ],
)
def test_w17_terms_are_checked_when_written(
    settling: Settling, changed: dict[str, Any], reason: str
) -> None:
    with boa.reverts(reason):
        settling.register_program(OTHER, **changed)


@pytest.mark.parametrize(
    "changed",
    [
        {"pay_offset": 0, "pay_count": 5},
        {"operator_fee": MAX_RATE, "unit_rate": MAX_RATE},
        {"operator_fee": 0, "unit_rate": 0},
        {"callback": ZERO},
    ],
)
def test_terms_at_the_edge_are_taken(settling: Settling, changed: dict[str, Any]) -> None:
    settling.register_program(OTHER, **changed)


@pytest.mark.parametrize("outputs", [0, 257])
def test_a_verifier_has_1_to_256_outputs(settling: Settling, outputs: int) -> None:
    verifier = world.load("mocks/StatementVerifier", outputs, 0)
    with boa.reverts("output count"):
        settling.register_program(OTHER, verifier=verifier.address)


def test_a_verifier_is_a_contract(settling: Settling) -> None:
    with pytest.raises(boa.BoaError):
        settling.register_program(OTHER, verifier=world.address_text(b"\x09" * 20))


def test_only_the_projects_owner_registers_and_selects(settling: Settling) -> None:
    stranger = world.account(s.STRANGER)
    with boa.reverts("owner"):
        settling.register_program(OTHER, sender=stranger)
    with boa.reverts("owner"):
        settling.programs.select(1, settling.programs.current(1), sender=stranger)
    with boa.reverts("token"):
        settling.register_program(OTHER, project=9)


def test_a_version_never_changes(settling: Settling) -> None:
    with boa.reverts("registered"):
        settling.register_program(unit_rate=1)


def test_an_earlier_version_is_selected_and_an_unknown_one_is_not(settling: Settling) -> None:
    first = settling.programs.current(1)
    settling.register_program(OTHER)
    settling.programs.select(1, first, sender=settling.owner)
    assert settling.programs.current(1) == first
    with boa.reverts("program"):
        settling.programs.select(1, b"\x77" * 32, sender=settling.owner)


@given(steps=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2)), max_size=12))
@settings(
    max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
def test_in_force_is_what_was_selected_last_before_a_block(
    settling: Settling, steps: list[tuple[int, int]]
) -> None:
    with boa.env.anchor():
        known = [settling.programs.current(1)]
        known += [settling.register_program((bytes([n]) * 32,) * 3) for n in (7, 8)]
        height = boa.env.evm.patch.block_number
        log = [(height - 1, known[-1])]
        for later, pick in steps:
            s.blocks(later)
            settling.programs.select(1, known[pick], sender=settling.owner)
            log.append((boa.env.evm.patch.block_number, known[pick]))
        assert settling.programs.current(1) == log[-1][1]
        assert settling.programs.selections(1) == 3 + len(steps)
        for at in range(height, boa.env.evm.patch.block_number + 2):
            expected = [program for when, program in log if when < at][-1]
            assert settling.programs.in_force(1, at) == expected


def test_before_the_first_version_and_without_one_none_is_in_force(settling: Settling) -> None:
    assert settling.programs.in_force(2, 2**64) == bytes(32)
    assert settling.programs.in_force(1, 0) == bytes(32)
    assert settling.programs.in_force(1, 2**64) == settling.programs.current(1)


def test_nobody_takes_a_projects_program_id_before_it(settling: Settling) -> None:
    fee = world.FEE
    settling.projects.register("copy", bytes(32), value=fee, sender=world.account(s.STRANGER))
    stolen = settling.register_program(
        OTHER, project=2, unit_rate=1, sender=world.account(s.STRANGER)
    )
    settling.register_program(OTHER, unit_rate=5)
    assert settling.programs.terms(1, stolen).unit_rate == 5
    assert settling.programs.terms(2, stolen).unit_rate == 1


def test_unknown_versions_are_empty(settling: Settling) -> None:
    assert settling.programs.terms(2, settling.programs.current(1)).verifier == ZERO
    assert settling.programs.current(2) == bytes(32)
