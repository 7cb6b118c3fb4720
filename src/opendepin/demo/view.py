"""The live terminal view of the demo: stages with counts and rates, and what is simulated."""

from __future__ import annotations

from typing import Any

import httpx
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from opendepin.demo.project import NOTICE
from opendepin.demo.replay import Tally
from opendepin.demo.report import quantiles, value
from opendepin.demo.stations import STATIONS
from opendepin.network.home import Home
from opendepin.network.labels import labels
from opendepin.runtime import settings
from opendepin.runtime.clock import SystemClock
from opendepin.runtime.http import client, json_of
from opendepin.runtime.service import Stop

REFRESH_S = 1.0
PLAIN_EVERY_S = 10.0
"""Without a terminal a line is printed this often."""


class View:
    """Draws the state of a running demo."""

    def __init__(self, home: Home, console: Console) -> None:
        self._home, self._console = home, console
        self._clock = SystemClock()
        self._began = self._clock.monotonic()
        self._labels = labels(settings.load(home.settings))
        self._page = home.addresses()["explorer"]
        self._stats: dict[str, Any] = {}
        self._operators: list[dict[str, Any]] = []

    async def watch(self, tally: Tally, stop: Stop) -> None:
        """Draw until the stop."""
        async with client(read_timeout_s=5.0) as http:
            if not self._console.is_terminal:
                while not await stop.sleep(PLAIN_EVERY_S):
                    await self._ask(http)
                    self._console.print(self._line(tally), markup=False, soft_wrap=True)
                return
            with Live(console=self._console, auto_refresh=False, transient=True) as live:
                while not await stop.sleep(REFRESH_S):
                    await self._ask(http)
                    live.update(self._draw(tally), refresh=True)

    async def _ask(self, http: httpx.AsyncClient) -> None:
        try:
            self._stats = json_of(await http.get(f"{self._page}/api/v1/stats"))
            services = json_of(await http.get(f"{self._page}/api/v1/services"))
        except (httpx.HTTPError, ValueError):
            return
        self._operators = [s for name, s in services.items() if s and name.startswith("operator")]

    def _stages(self, tally: Tally) -> list[tuple[str, object, str]]:
        receipt, stats = quantiles(list(tally.receipt_ms)), self._stats
        failed = sum(s.get("counts", {}).get("failed", 0) for s in self._operators)
        return [
            ("signed and sent", tally.sent, f"{tally.day or '–'} · {len(STATIONS)} stations"),
            ("admitted, receipt", tally.accepted, f"p50 {receipt['p50']} ms, p95 {receipt['p95']}"),
            ("ordered, attested", value(stats, "batched"), f"{value(stats, 'batches')} batches"),
            ("proven, settled", value(stats, "proven"), f"{value(stats, 'settled')} tasks"),
            ("tasks that failed", failed, "each is drawn again after its deadline"),
            ("signature → settled", value(stats, "settle_p50"), "seconds, p50"),
            ("burned", value(stats, "burned"), "tokens"),
        ]

    def _line(self, tally: Tally) -> str:
        parts = [f"{name} {'–' if n is None else n}" for name, n, _ in self._stages(tally)]
        return f"{self._clock.monotonic() - self._began:5.0f} s  " + " · ".join(parts)

    def _draw(self, tally: Tally) -> RenderableType:
        passed = max(1.0, self._clock.monotonic() - self._began)
        table = Table(box=None, pad_edge=False, show_header=True, header_style="bold")
        for name, justify in (
            ("stage", "left"),
            ("count", "right"),
            ("per s", "right"),
            ("", "left"),
        ):
            table.add_column(name, justify=justify)  # pyright: ignore[reportArgumentType]
        for name, count, note in self._stages(tally):
            counted = isinstance(count, int) and name not in ("tasks that failed",)
            rate = f"{count / passed:.1f}" if counted else ""  # pyright: ignore[reportOperatorIssue]
            table.add_row(name, str(count if count is not None else "–"), rate, note)
        notes = Text("\n".join(f"· {label}" for label in (NOTICE, *self._labels)), style="dim")
        page = Text(f"page  {self._page}    Ctrl-C stops", style="bold")
        home = Text(f"home  {self._home.root}    depin status --home …, in another terminal")
        return Panel(Group(page, home, Text(), table, Text(), notes), title="OpenDePIN demo")
