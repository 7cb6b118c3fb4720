"""What an operator's home asks of Layer 1, from its record and from what its owner wants."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opendepin.core.encodings import sha256
from opendepin.core.keys import Key
from opendepin.network import joining
from opendepin.network.errors import HomeRefused, NotRunning
from opendepin.network.home import Home, write_json
from opendepin.network.membership import (
    OperatorRecord,
    State,
    Step,
    Wanted,
    due,
    read_wanted,
    standing,
    write_wanted,
)
from opendepin.network.projects import find_program, write_program
from opendepin.runtime import settings

BOND, CAPACITY = 1_000, 8
NOBODY = OperatorRecord(0, 50, 0, 0, 0, False, False, 0)
MEMBER = OperatorRecord(BOND, 50, 0, CAPACITY, 2, True, False, 0)
LEAVING = replace(MEMBER, member=False, withdrawable_at=500)


def step(record: OperatorRecord, state: State = "active", now: int = 0) -> Step | None:
    return due(record, Wanted(state), BOND, CAPACITY, now)


def test_a_new_operator_bonds_what_it_was_told_or_the_least() -> None:
    assert step(NOBODY) == Step("join", (CAPACITY, 2), BOND)
    asked = Wanted("active", str(5 * BOND), 3)
    assert due(NOBODY, asked, BOND, CAPACITY, 0) == Step("join", (3, 2), 5 * BOND)
    assert step(MEMBER) is None


def test_it_pauses_and_resumes_once() -> None:
    paused = replace(MEMBER, paused=True)
    assert step(MEMBER, "paused") == Step("pause")
    assert step(paused, "paused") is None
    assert step(paused) == Step("resume")


def test_it_leaves_and_takes_its_bond_after_the_delay_and_the_last_task() -> None:
    assert step(MEMBER, "left") == Step("leave")
    assert step(LEAVING, "left", 499) is None
    assert step(replace(LEAVING, load=1), "left", 500) is None
    assert step(LEAVING, "left", 500) == Step("withdraw")
    assert step(NOBODY, "left") is None


def test_who_comes_back_withdraws_first() -> None:
    assert step(LEAVING, "active", 499) is None
    assert step(LEAVING, "active", 500) == Step("withdraw")


def test_a_slashed_bond_is_made_whole_and_an_offer_follows_the_settings() -> None:
    assert step(replace(MEMBER, stake=BOND - 7)) == Step("add_stake", (), 7)
    assert step(replace(MEMBER, capacity=3)) == Step("offer", (CAPACITY, 2))


@given(
    st.sampled_from([NOBODY, MEMBER, LEAVING, replace(MEMBER, paused=True)]),
    st.sampled_from(["active", "paused", "left"]),
    st.integers(0, 1_000),
)
def test_no_step_is_due_twice(record: OperatorRecord, state: State, now: int) -> None:
    effects = {
        "join": MEMBER,
        "leave": LEAVING,
        "withdraw": NOBODY,
        "pause": replace(MEMBER, paused=True),
        "resume": MEMBER,
    }
    first = step(record, state, now)
    if first is not None:
        second = step(effects[first.call], state, now)
        assert second is None or second.call != first.call


def test_standings_have_names() -> None:
    assert [standing(r) for r in (NOBODY, MEMBER, LEAVING)] == ["out", "active", "leaving"]
    assert standing(replace(MEMBER, paused=True)) == "paused"


def test_what_was_asked_for_outlives_a_restart(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert read_wanted(home, "operator-0") == Wanted()
    write_wanted(home, "operator-0", Wanted("paused", "7", 2))
    assert read_wanted(home, "operator-0") == Wanted("paused", "7", 2)


@pytest.mark.parametrize("text", ["{", '{"state": "asleep"}', '{"other": 1}'])
def test_what_is_no_wish_is_refused(tmp_path: Path, text: str) -> None:
    home = Home(tmp_path)
    (home.room("operator-0") / "wanted.json").write_text(text)
    with pytest.raises(HomeRefused):
        read_wanted(home, "operator-0")


@pytest.fixture
def network(tmp_path: Path) -> Home:
    """A network's home, as far as one who joins reads it."""
    home = Home(tmp_path / "network")
    settings.write_default(home.settings)
    write_json(home.genesis_file, {"network_id": "0x01"})
    names = ["l1", "gateway", *(f"store-{i}" for i in range(4))]
    write_json(home.addresses_file, dict.fromkeys(names, f"http://127.0.0.1:{9}"))
    for index in range(4):
        secret = Key.from_seed(b"store %d" % index).secret
        write_json(home.root / "keys" / f"store-{index}.json", {"secret": "0x" + secret.hex()})
    write_json(home.project_file(1), {"project": 1})
    home.version_file(1, bytes(32)).parent.mkdir()
    write_json(home.version_file(1, bytes(32)), {"project": 1, "title": "before"})
    write_program(home, b"a program")
    return home


def test_who_joins_gets_what_is_public_and_a_key_of_its_own(network: Home, tmp_path: Path) -> None:
    home = Home(tmp_path / "mine")
    joining.lay(home, network)
    assert home.genesis() == network.genesis()
    assert set(home.addresses()) == {"l1", "operator-0", *(f"store-{i}" for i in range(4))}
    assert home.address_of("store-2") == Key.from_seed(b"store 2").address
    assert home.key_names("") == ["operator-0"]
    assert json.loads(home.project_file(1).read_text()) == {"project": 1}
    assert "before" in home.version_file(1, bytes(32)).read_text()
    assert find_program(home, sha256(b"a program")) == b"a program"
    key, address = home.key("operator-0").address, home.addresses()["operator-0"]
    joining.lay(home, network)
    assert (home.key("operator-0").address, home.addresses()["operator-0"]) == (key, address)
    assert joining.network_of(home) == network


def test_a_networks_own_home_does_not_join(network: Home, tmp_path: Path) -> None:
    with pytest.raises(HomeRefused, match="another --home"):
        joining.lay(network, network)
    other = Home(tmp_path / "other")
    write_json(other.genesis_file, {"network_id": "0x02"})
    with pytest.raises(HomeRefused, match="another --home"):
        joining.lay(other, network)


def test_a_home_stays_with_its_network(network: Home, tmp_path: Path) -> None:
    home = Home(tmp_path / "mine")
    joining.lay(home, network)
    write_json(network.genesis_file, {"network_id": "0x03"})
    with pytest.raises(HomeRefused, match="another network"):
        joining.lay(home, network)


def test_nobody_joined_from_an_empty_home(tmp_path: Path) -> None:
    with pytest.raises(NotRunning):
        joining.network_of(Home(tmp_path))
