"""A stop that comes while a demo is being set up ends the work at once."""

from __future__ import annotations

import asyncio

import pytest

from opendepin.demo.run import EndedEarly, unless
from opendepin.runtime.service import Stop


async def test_work_that_ends_first_gives_its_result() -> None:
    async def work() -> int:
        await asyncio.sleep(0)
        return 7

    assert await unless(Stop(), work()) == 7


async def test_the_error_of_the_work_comes_through() -> None:
    async def work() -> None:
        raise ValueError("of the work")

    with pytest.raises(ValueError, match="of the work"):
        await unless(Stop(), work())


async def test_a_stop_cancels_the_work_and_waits_until_it_has_cleaned_up() -> None:
    stop, cleaned = Stop(), asyncio.Event()

    async def work() -> None:
        try:
            await asyncio.sleep(3_600)
        finally:
            await asyncio.sleep(0.01)
            cleaned.set()

    asyncio.get_running_loop().call_later(0.01, stop.set)
    with pytest.raises(EndedEarly):
        await unless(stop, work())
    assert cleaned.is_set()
