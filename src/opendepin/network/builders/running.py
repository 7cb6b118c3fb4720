"""Run several parts of one service: the first that ends or fails stops the others."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from opendepin.runtime.service import Stop

Part = Callable[[Stop], Awaitable[None]]


async def run_together(stop: Stop, *parts: Part) -> None:
    """Run the parts until the stop; a part that fails ends all, and its error is raised."""
    tasks = [asyncio.ensure_future(part(stop)) for part in parts]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stop.set()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
