"""The services of a network: their names and the ports they try first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from opendepin.network.errors import UnknownRoom
from opendepin.network.founding import operator_name, store_name
from opendepin.runtime.settings import NetworkSettings

LAYER1, GATEWAY, SEQUENCER, EXPLORER = "l1", "gateway", "sequencer", "explorer"


@dataclass(frozen=True)
class Service:
    """One process of a network."""

    name: str
    port: int
    """First port it tries on 127.0.0.1."""


def services(settings: NetworkSettings) -> list[Service]:
    """Return every service, Layer 1 first."""
    ports = settings.ports
    stores = [
        Service(store_name(i), ports.store + i if ports.store else 0)
        for i in range(settings.availability.stores)
    ]
    operators = [
        Service(operator_name(i), ports.operator + i if ports.operator else 0)
        for i in range(settings.compute.operators)
    ]
    return [
        Service(LAYER1, ports.l1),
        Service(GATEWAY, ports.gateway),
        *stores,
        Service(SEQUENCER, ports.sequencer),
        *operators,
        Service(EXPLORER, ports.explorer),
    ]


def can_do_without(settings: NetworkSettings, missing: Iterable[str]) -> bool:
    """Say whether a network works without these services: with as many stores as the inbox asks
    for attestations, and one operator.
    """
    missing = list(missing)
    stores = [name for name in missing if name.startswith("store-")]
    operators = [name for name in missing if name.startswith("operator-")]
    return (
        len(stores) + len(operators) == len(missing)
        and settings.availability.stores - len(stores) >= settings.availability.threshold
        and settings.compute.operators - len(operators) >= min(1, settings.compute.operators)
    )


def index_of(name: str, prefix: str) -> int:
    """Return the number in a service's name, e.g. 2 of `store-2`.

    Raises:
        UnknownRoom: the name has another form.
    """
    head, _, number = name.rpartition("-")
    if head != prefix or not number.isdigit():
        raise UnknownRoom(f"there is no service {name!r}")
    return int(number)
