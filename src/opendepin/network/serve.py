"""Run one service: its builder alone is imported, so that a process pays only for its own room."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib import import_module

from opendepin.network.errors import UnknownRoom
from opendepin.network.home import Home
from opendepin.runtime.service import Stop

Builder = Callable[[Home, str, Stop], Awaitable[None]]

BUILDERS = {
    "l1": "layer1",
    "gateway": "gateway",
    "store": "store",
    "sequencer": "sequencer",
    "operator": "operator",
    "explorer": "explorer",
}
"""Service, without the number that some have → module of `network.builders`."""


async def serve(home: Home, service: str, stop: Stop) -> None:
    """Build one service and run it until the stop.

    Raises:
        UnknownRoom: there is no such service.
    """
    kind = service.partition("-")[0]
    if kind not in BUILDERS:
        raise UnknownRoom(f"there is no service {service!r}: there are {', '.join(BUILDERS)}")
    builder: Builder = import_module(f"opendepin.network.builders.{BUILDERS[kind]}").run
    await builder(home, service, stop)
