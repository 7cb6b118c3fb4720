"""Clean-air cover: counts proven results per region, pays a region's fund once per season."""

from __future__ import annotations

from typing import Any

import boa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opendepin.core.keys import Key
from tests.contracts import settling as s
from tests.contracts import world
from tests.contracts.settling import Settling

REGIONS = 13
STATIONS = 70
THRESHOLD = 5
PAYOUT = 10**18
SEASON = 182 * 86_400
FUND = Key.from_seed(b"fund of a region")
SETTLEMENT = world.address_text(b"\x5e" * 20)


@pytest.fixture
def cover(projects: Any) -> Any:
    """Cover of project 1, told by an account of the test, with money for every region."""
    made = world.load("CleanAirCover", SETTLEMENT, projects.address, 1, THRESHOLD, PAYOUT)
    made.fund(value=REGIONS * PAYOUT)
    return made


def deploy(settling: Settling) -> Any:
    """Deploy cover that a whole settlement tells."""
    told_by = settling.settlement.address, settling.projects.address
    return world.load("CleanAirCover", *told_by, 1, THRESHOLD, PAYOUT)


def outputs(regions: dict[int, tuple[int, int]]) -> list[int]:
    found = []
    for region in range(REGIONS):
        count, exceeded = regions.get(region, (0, 0))
        found += [count, exceeded, count * 40_000, 10_000, 90_000]
    return found + [0] * STATIONS


def tell(cover: Any, task: int, regions: dict[int, tuple[int, int]], **options: Any) -> None:
    call = {"project": 1, "outputs": outputs(regions), "sender": SETTLEMENT} | options
    cover.on_result(
        task.to_bytes(32), call["project"], 1, 0, call["outputs"], sender=call["sender"]
    )


def events(cover: Any, name: str) -> list[Any]:
    return [event for event in cover.get_logs() if type(event).__name__ == name]


def owner() -> Any:
    return world.account(world.PROJECT_OWNER)


def test_counts_per_region_over_tasks(cover: Any) -> None:
    tell(cover, 1, {0: (20, 2), 12: (7, 0)})
    tell(cover, 2, {0: (10, 1), 3: (1, 1)})
    (counted,) = events(cover, "ResultCounted")
    assert (counted.readings, counted.exceedances, counted.season) == (11, 2, 1)
    assert [(e.region, e.exceedances) for e in events(cover, "Exceeded")] == [(0, 3), (3, 1)]
    seen = {region: cover.region(region) for region in range(REGIONS)}
    assert (seen[0].readings, seen[0].exceedances) == (30, 3)
    assert (seen[12].readings, seen[12].exceedances) == (7, 0)
    assert (seen[3].readings, seen[3].exceedances) == (1, 1)
    assert not any(each.readings for region, each in seen.items() if region not in (0, 3, 12))
    assert {each.threshold for each in seen.values()} == {THRESHOLD}


def test_only_settlement_tells_for_its_project_each_task_once(cover: Any) -> None:
    with boa.reverts("settlement"):
        tell(cover, 1, {0: (1, 0)}, sender=owner())
    with boa.reverts("project"):
        tell(cover, 1, {0: (1, 0)}, project=2)
    with boa.reverts("outputs"):
        tell(cover, 1, {}, outputs=[0] * (5 * REGIONS - 1))
    tell(cover, 1, {0: (1, 0)})
    with boa.reverts("counted"):
        tell(cover, 1, {0: (1, 0)})
    assert cover.region(0).readings == 1


def test_the_payout_is_due_above_the_threshold_once_a_season(cover: Any) -> None:
    tell(cover, 1, {4: (9, THRESHOLD)})
    assert not cover.region(4).paid
    tell(cover, 2, {4: (1, 1)})
    (due,) = events(cover, "PayoutDue")
    assert (due.region, due.season, due.exceedances, due.amount) == (4, 1, THRESHOLD + 1, PAYOUT)
    tell(cover, 3, {4: (9, 9)})
    assert events(cover, "PayoutDue") == []
    region = cover.region(4)
    assert (region.paid, region.credit, region.exceedances) == (True, PAYOUT, THRESHOLD + 10)
    assert cover.owed() == PAYOUT


def test_a_regions_fund_takes_its_credit(cover: Any) -> None:
    fund = world.account(FUND, 0)
    tell(cover, 1, {4: (9, 9)})
    with boa.reverts("owner"):
        cover.name_fund(4, fund, sender=world.account(s.STRANGER))
    cover.name_fund(4, fund, sender=owner())
    with boa.reverts("fund"):
        cover.name_fund(4, world.account(s.STRANGER), sender=owner())
    with boa.reverts("fund"):
        cover.take(4, sender=world.account(s.STRANGER))
    with boa.reverts("fund"):
        cover.take(5, sender=fund)
    cover.take(4, sender=fund)
    (taken,) = events(cover, "PayoutTaken")
    assert (taken.region, taken.fund, taken.amount) == (4, fund, PAYOUT)
    assert boa.env.get_balance(fund) == PAYOUT
    assert (cover.owed(), cover.region(4).credit) == (0, 0)
    with boa.reverts("credit"):
        cover.take(4, sender=fund)


def test_nobody_takes_a_payout_without_fund(cover: Any) -> None:
    tell(cover, 1, {4: (9, 9)})
    with boa.reverts("fund"):
        cover.take(4, sender=owner())


def test_short_cover_is_credited_when_there_is_money(projects: Any) -> None:
    cover = world.load("CleanAirCover", SETTLEMENT, projects.address, 1, THRESHOLD, PAYOUT)
    cover.fund(value=PAYOUT)
    tell(cover, 1, {0: (9, 9), 1: (9, 9)})
    (short,) = events(cover, "PayoutShort")
    assert (short.region, short.exceedances) == (1, 9)
    assert (cover.region(0).paid, cover.region(1).paid) == (True, False)
    with boa.reverts("short"):
        cover.pay_due(1)
    with boa.reverts("not due"):
        cover.pay_due(0)
    with boa.reverts("not due"):
        cover.pay_due(2)
    cover.fund(value=PAYOUT)
    cover.pay_due(1)
    assert cover.region(1).credit == PAYOUT
    with boa.reverts("not due"):
        cover.pay_due(1)


def test_a_threshold_is_fixed_by_the_first_reading(cover: Any) -> None:
    with boa.reverts("owner"):
        cover.set_threshold(2, 1, sender=world.account(s.STRANGER))
    cover.set_threshold(2, 1, sender=owner())
    tell(cover, 1, {2: (1, 0)})
    with boa.reverts("started"):
        cover.set_threshold(2, 1_000, sender=owner())
    cover.set_threshold(3, 1_000, sender=owner())
    assert [cover.region(region).threshold for region in (1, 2, 3)] == [THRESHOLD, 1, 1_000]


@pytest.mark.parametrize("call", ["name_fund", "set_threshold", "pay_due", "take", "region"])
def test_there_are_thirteen_regions(cover: Any, call: str) -> None:
    arguments = {"name_fund": (owner(),), "set_threshold": (1,)}.get(call, ())
    with boa.reverts("region"):
        getattr(cover, call)(REGIONS, *arguments, sender=owner())


def test_a_season_ends_by_time_and_starts_anew(cover: Any) -> None:
    tell(cover, 1, {0: (9, 9), 1: (9, 1)})
    with boa.reverts("season"):
        cover.start_season(sender=owner())
    s.seconds(SEASON)
    tell(cover, 2, {1: (9, 9)})
    assert len(events(cover, "ResultOutOfSeason")) == 1
    assert cover.region(1).exceedances == 1
    with boa.reverts("owner"):
        cover.start_season(sender=world.account(s.STRANGER))
    cover.start_season(sender=owner())
    assert cover.season() == 2
    assert tuple(cover.region(1))[:4] == (0, 0, THRESHOLD, False)
    assert cover.region(0).credit == PAYOUT
    cover.fund(value=PAYOUT)
    tell(cover, 3, {0: (9, 9)})
    assert cover.region(0).credit == 2 * PAYOUT


def test_no_season_starts_over_a_payout_that_is_due(projects: Any) -> None:
    cover = world.load("CleanAirCover", SETTLEMENT, projects.address, 1, THRESHOLD, PAYOUT)
    tell(cover, 1, {0: (9, 9)})
    s.seconds(SEASON)
    with boa.reverts("due"):
        cover.start_season(sender=owner())
    cover.fund(value=PAYOUT)
    with boa.reverts("cover"):
        cover.reclaim(1, sender=owner())
    cover.pay_due(0)
    cover.start_season(sender=owner())


def test_the_insurer_reclaims_only_what_no_region_can_claim(cover: Any) -> None:
    with boa.reverts("cover"):
        cover.reclaim(1, sender=owner())
    cover.fund(value=7)
    with boa.reverts("owner"):
        cover.reclaim(7, sender=world.account(s.STRANGER))
    with boa.reverts("cover"):
        cover.reclaim(8, sender=owner())
    cover.reclaim(7, sender=owner())
    tell(cover, 1, {0: (9, 9)})
    with boa.reverts("cover"):
        cover.reclaim(1, sender=owner())
    s.seconds(SEASON)
    with boa.reverts("cover"):
        cover.reclaim((REGIONS - 1) * PAYOUT + 1, sender=owner())
    cover.reclaim((REGIONS - 1) * PAYOUT, sender=owner())
    assert boa.env.get_balance(cover.address) == PAYOUT == cover.owed()


@given(
    results=st.lists(
        st.dictionaries(
            st.integers(0, REGIONS - 1),
            st.integers(1, 40).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n))),
        ),
        max_size=6,
    )
)
@settings(max_examples=25, deadline=None)
def test_any_results_add_up(results: list[dict[int, tuple[int, int]]]) -> None:
    with boa.env.anchor():
        projects = world.deploy_projects(world.load("Burner"))
        cover = world.load("CleanAirCover", SETTLEMENT, projects.address, 1, THRESHOLD, PAYOUT)
        cover.fund(value=REGIONS * PAYOUT)
        for task, regions in enumerate(results):
            tell(cover, task, regions)
        credited = 0
        for region in range(REGIONS):
            counts = [result[region] for result in results if region in result]
            seen = cover.region(region)
            assert seen.readings == sum(count for count, _ in counts)
            assert seen.exceedances == sum(exceeded for _, exceeded in counts)
            assert seen.paid == (seen.exceedances > THRESHOLD)
            credited += seen.credit
        assert credited == cover.owed() <= boa.env.get_balance(cover.address)


def test_a_settled_task_of_the_demos_shape_reaches_the_cover() -> None:
    settling = s.build(outputs=5 * REGIONS + STATIONS)
    cover = deploy(settling)
    cover.fund(value=REGIONS * PAYOUT)
    settling.register_program(
        (b"\x0a" * 32,) * 3, pay_offset=5 * REGIONS, pay_count=STATIONS, callback=cover.address
    )
    opened, producer = settling.assigned(256)
    units = [3, 4] * (STATIONS // 2)
    result = outputs(dict.fromkeys(range(REGIONS), (18, 6)))[: 5 * REGIONS] + units
    settling.settle(opened, result, producer)
    assert settling.settlement.result(opened.id).callback_ok
    assert settling.settlement.result(opened.id).pay_root == s.pay_root(opened.id, units)
    assert all(cover.region(region).credit == PAYOUT for region in range(REGIONS))


def test_a_result_the_cover_refuses_is_settled_all_the_same(settling: Settling) -> None:
    cover = deploy(settling)
    settling.register_program((b"\x0a" * 32,) * 3, callback=cover.address)
    opened, _ = settling.settled()
    assert not settling.settlement.result(opened.id).callback_ok
    assert settling.settlement.task(opened.id).state == s.SETTLED
