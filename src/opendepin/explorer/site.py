"""What every page and API answer is made from, and what is computed once per state of the index."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from opendepin.core.encodings import to_hex
from opendepin.explorer.bundles import Bundles
from opendepin.explorer.figures import Moment
from opendepin.explorer.live import Live
from opendepin.explorer.ports import Clock, Services, StateProofs
from opendepin.explorer.sheets import NetworkSheet, Place, ProjectSheet
from opendepin.explorer.store import Reader, Row


class Kept:
    """Answers computed once per state of the index, by one thread for all that wait for it."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[int, Any]] = {}
        self._turns: dict[str, Lock] = {}

    def get(self, name: str, version: Callable[[], int], compute: Callable[[], Any]) -> Any:
        """Return the answer `name`, at least as new as the version is now; versions only grow."""
        asked = version()
        with self._turns.setdefault(name, Lock()):
            found = self._found.get(name)
            if found is None or found[0] < asked:
                found = self._found[name] = (version(), compute())
            return found[1]


@dataclass
class Site:
    """The explorer's parts, as handlers get them."""

    store: Reader
    network: NetworkSheet
    projects: Mapping[int, ProjectSheet]
    live: Live
    clock: Clock
    proofs: StateProofs | None = None
    services: Services | None = None
    assets_version: str = ""
    _kept: Kept = field(default_factory=Kept)

    @property
    def bundles(self) -> Bundles:
        """The builder of bundles over this site's index."""
        return Bundles(self.store, self.network, self.projects)

    def now(self) -> Moment:
        """Return the newest block as a moment."""
        head = self.store.head()
        return Moment(head["height"], head["time"]) if head else Moment(None, None)

    def kept(self, name: str, compute: Callable[[], Any]) -> Any:
        """Return what was computed under `name` for this state of the index, computing it once."""
        return self._kept.get(name, self.store.version, compute)

    def sheet(self, project: int) -> ProjectSheet | None:
        """Return a project's sheet."""
        return self.projects.get(project)

    def place(self, project: int, device_index: int) -> Place | None:
        """Return a device's place when its owner consented to show it."""
        sheet = self.projects.get(project)
        return sheet.places.get(device_index) if sheet else None

    def name(self, row: Row) -> str:
        """Return what a device is called: its place's name, or its shortened id."""
        place = self.place(row["project"], row["device_index"])
        return place.name if place else short(to_hex(row["device"]))


def short(text: str, head: int = 10, tail: int = 6) -> str:
    """Shorten a hex text for reading; the whole stands in its title."""
    return text if len(text) <= head + tail + 1 else f"{text[:head]}…{text[-tail:]}"
