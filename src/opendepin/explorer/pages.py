"""The pages: each shows what the API gives under the same name, as a document that needs no
script to be read.
"""

from __future__ import annotations

import json
from typing import Any

from litestar import Controller, Request, get
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template

from opendepin.core.encodings import to_hex
from opendepin.explorer import stats, trail, views, words
from opendepin.explorer.api import (
    STATUSES,
    FromSite,
    output_rows,
)
from opendepin.explorer.config import CARD_POLICY
from opendepin.explorer.cursors import cursor_after, page_of
from opendepin.explorer.errors import RequestRejected
from opendepin.explorer.happenings import recent
from opendepin.explorer.lookup import (
    find_batch,
    find_device,
    find_message,
    find_project,
    find_task,
    page_named,
)
from opendepin.explorer.profiles import profile
from opendepin.explorer.shapes import TASK_STATES, StateWord
from opendepin.explorer.sheets import ProjectSheet
from opendepin.explorer.site import Site
from opendepin.explorer.store import Page, Row

FEED_ROWS = 12
CHART_POINTS = 500
SEARCH_MAX_CHARS = 80
PROJECT_TASKS = 12


def _page(site: Site, name: str, title: str, **context: Any) -> Template:
    shown = {"site": site, "page": name, "title": title, **context}
    return Template(f"{name}.html", context=shown)


def _next(name: str, rows: list[Row], limit: int, *keys: str) -> str | None:
    if len(rows) < limit:
        return None
    return cursor_after(name, tuple(rows[-1][key] for key in keys))


class Pages(Controller):
    """Every page for people."""

    path = "/"
    include_in_schema = False

    @get("/", sync_to_thread=True)
    def home(self, site: FromSite) -> Template:
        """Map, key figures, pipeline, live feed, and the stations as a table."""
        rows = site.store.devices(Page(500))
        return _page(
            site,
            "home",
            "Map",
            stats=stats.stats(site),
            pipeline=stats.pipeline(site),
            devices=[views.device_view(site, row) for row in rows],
            recent=recent(site, FEED_ROWS),
            sheet=next(iter(site.projects.values()), None),
        )

    @get("/devices", sync_to_thread=True)
    def devices(
        self,
        site: FromSite,
        cursor: FromQuery[str | None] = None,
        status: FromQuery[str | None] = None,
        region: FromQuery[str | None] = None,
    ) -> Template:
        """All devices."""
        page = page_of("devices", 2, cursor, "100")
        if status and status not in STATUSES:
            raise RequestRejected(f"status is one of {', '.join(STATUSES)}", code="parameter")
        places = [p for sheet in site.projects.values() for p in sheet.places.items()]
        indices = [i for i, place in places if place.region == region] if region else None
        state = STATUSES[status] if status else None
        rows = site.store.devices(page, status=state, indices=indices)
        return _page(
            site,
            "devices",
            "Devices",
            devices=[views.device_view(site, row) for row in rows],
            next_cursor=_next("devices", rows, page.limit, "project", "device_index"),
            status=status or "",
            region=region or "",
            regions=sorted({(place.region, place.region_name) for _, place in places}),
            stats=stats.stats(site),
        )

    @get("/devices/{device:str}", sync_to_thread=True)
    def device(
        self, site: FromSite, device: FromPath[str], cursor: FromQuery[str | None] = None
    ) -> Template:
        """One device: status, readings, pay, key history."""
        row = find_device(site, device)
        page = page_of("readings", 1, cursor, "25")
        readings = site.store.readings(row["device"], page)
        series = site.store.readings(row["device"], Page(CHART_POINTS))
        sheet = site.sheet(row["project"])
        scale = 10 ** (sheet.value_scale if sheet else 0)
        points = [
            (r["observed_s"], r["value"] / scale)
            for r in reversed(series)
            if r["value"] is not None
        ]
        return _page(
            site,
            "device",
            site.name(row),
            row=row,
            device=views.device_view(site, row),
            readings=[views.message_view(site, r) for r in readings],
            next_cursor=_next("readings", readings, page.limit, "seq"),
            series=json.dumps([[p[0] for p in points], [p[1] for p in points]]),
            history=site.store.history(row["device"]),
            payouts=[views.payout_view(site, p) for p in site.store.payouts(row["device"], 20)],
            sheet=sheet,
        )

    @get("/messages/{message:str}", sync_to_thread=True)
    def message(self, site: FromSite, message: FromPath[str]) -> Template:
        """One reading's trail from signature to L1, and its verification in this browser."""
        row = find_message(site, message)
        device = site.store.device(row["device"])
        return _page(
            site,
            "message",
            "Reading",
            message=views.message_view(site, row),
            raw=to_hex(row["raw"]),
            device=views.device_view(site, device) if device else None,
            stages=trail.stages(site, row),
            sheet=site.sheet(row["project"]),
        )

    @get("/batches", sync_to_thread=True)
    def batches(self, site: FromSite, cursor: FromQuery[str | None] = None) -> Template:
        """All batches."""
        page = page_of("batches", 1, cursor, "50")
        rows = site.store.batches(page)
        return _page(
            site,
            "batches",
            "Batches",
            batches=[views.batch_view(site, row) for row in rows],
            next_cursor=_next("batches", rows, page.limit, "number"),
            stats=stats.stats(site),
        )

    @get("/batches/{batch:str}", sync_to_thread=True)
    def batch(self, site: FromSite, batch: FromPath[str]) -> Template:
        """One batch: header, segments, messages."""
        row = find_batch(site, batch)
        segments = [_segment(site, row["number"], s) for s in site.store.segments(row["number"])]
        signatures = len(row["attestations"]) // 65 if row["attestations"] else None
        return _page(
            site,
            "batch",
            f"Batch {row['number']}",
            row=row,
            batch=views.batch_view(site, row),
            segments=segments,
            signatures=signatures,
        )

    @get("/tasks", sync_to_thread=True)
    def tasks(
        self,
        site: FromSite,
        cursor: FromQuery[str | None] = None,
        task_state: StateWord = None,
    ) -> Template:
        """All tasks."""
        page = page_of("tasks", 2, cursor, "50")
        if task_state and task_state not in TASK_STATES:
            raise RequestRejected(f"a state is one of {', '.join(TASK_STATES)}", code="parameter")
        rows = site.store.tasks(page, state=task_state or None)
        return _page(
            site,
            "tasks",
            "Tasks",
            tasks=[views.task_view(site, row) for row in rows],
            next_cursor=_next("tasks", rows, page.limit, "batch", "segment"),
            task_state=task_state or "",
            stats=stats.stats(site),
        )

    @get("/tasks/{task:str}", sync_to_thread=True)
    def task(self, site: FromSite, task: FromPath[str]) -> Template:
        """One task: statement, outputs in words, proof facts, who is trusted for what."""
        row = find_task(site, task)
        bundle = site.bundles.of_task(row["task"])
        outputs = output_rows(site, row)
        return _page(
            site,
            "task",
            "Task",
            row=row,
            task=views.task_view(site, row),
            bundle=bundle["task"],
            segment=bundle["batch"]["segments"][row["segment"]] if bundle["batch"] else None,
            table=_grouped(outputs, site.sheet(row["project"])),
            payouts=[views.payout_view(site, p) for p in site.store.task_payouts(row["task"])],
            sheet=site.sheet(row["project"]),
            trust=words.TRUST,
            not_proven=words.NOT_PROVEN,
            state_words=words.STATES,
        )

    @get("/projects", sync_to_thread=True)
    def projects(self, site: FromSite) -> Template:
        """All projects with what their proofs came to."""
        shown = [profile(site, row) for row in site.store.projects()]
        return _page(site, "projects", "Projects", projects=shown)

    @get("/projects/{project:str}", sync_to_thread=True)
    def project(
        self, request: Request[Any, Any, Any], site: FromSite, project: FromPath[str]
    ) -> Template:
        """One project: schema, outputs, program versions, newest results, a card to embed."""
        row = find_project(site, project)
        number, shown = row["project"], profile(site, row)
        tasks = site.store.tasks(Page(PROJECT_TASKS), project=number)
        card = f'src="{request.base_url}projects/{number}/card" title="project {number}"'
        return _page(
            site,
            "project",
            shown["title"],
            p=shown,
            sheet=site.sheet(number),
            programs=site.store.programs(number),
            tasks=[views.task_view(site, each) for each in tasks],
            embed=f'<iframe {card} width="560" height="210"></iframe>',
            trust=words.TRUST,
            not_proven=words.NOT_PROVEN,
        )

    @get(
        "/projects/{project:str}/card",
        sync_to_thread=True,
        response_headers={"Content-Security-Policy": CARD_POLICY},
    )
    def card(self, site: FromSite, project: FromPath[str]) -> Template:
        """A project's proven figures for other sites' pages."""
        shown = profile(site, find_project(site, project))
        return _page(site, "card", shown["title"], p=shown)

    @get("/cover", sync_to_thread=True)
    def cover(self, site: FromSite) -> Template:
        """The demo project's cover: proven results per region."""
        project = min(site.projects, default=1)
        return _page(
            site,
            "cover",
            "Clean-air cover",
            regions=stats.regions(site, project),
            payouts=stats.cover_payouts(site),
            sheet=site.sheet(project),
            stats=stats.stats(site),
        )

    @get("/about", sync_to_thread=True)
    def about(self, site: FromSite) -> Template:
        """What is proven, by whom it is believed, what is simulated."""
        return _page(
            site,
            "about",
            "About",
            trust=words.TRUST,
            not_proven=words.NOT_PROVEN,
            stats=stats.stats(site),
        )

    @get("/status")
    async def status(self, site: FromSite) -> Template:
        """What each service says of itself."""
        services = dict(await site.services.statuses()) if site.services else {}
        return _page(site, "status", "Services", services=services)

    @get("/search", sync_to_thread=True)
    def search(self, site: FromSite, q: FromQuery[str] = "") -> Template | Redirect:
        """Go to what the text names, or say that nothing is known by it."""
        text = q.strip()[:SEARCH_MAX_CHARS]
        found = page_named(site, text) if text else None
        if found is not None:
            return Redirect(path=found)
        return _page(site, "search", "Search", query=text)


def _name(site: Site, device: bytes) -> str:
    row = site.store.device(device)
    return site.name(row) if row else ""


def _segment(site: Site, batch: int, row: Row) -> dict[str, Any]:
    messages: list[dict[str, Any]] = []
    for group in site.store.segment_groups(batch, row["segment"]):
        for message in site.store.group_messages(
            group["gateway"], group["project"], group["first"]
        ):
            whole = site.store.message(message["message_id"])
            if whole is not None:
                view = views.message_view(site, whole)
                messages.append({**view, "name": _name(site, whole["device"])})
    task = site.store.task_of(batch, row["segment"])
    return {
        "index": row["segment"],
        "project": row["project"],
        "root": to_hex(row["root"]),
        "field_root": row["field_root"],
        "hash": to_hex(row["hash"]),
        "count": row["count"],
        "ranges": json.loads(row["ranges"]),
        "messages": messages,
        "task": views.task_view(site, task) if task else None,
    }


def _grouped(outputs: list[dict[str, Any]], sheet: ProjectSheet | None) -> list[dict[str, Any]]:
    """Return one row per region with its figures."""
    places = sheet.places.values() if sheet else ()
    names = {place.region: place.region_name for place in places}
    rows: dict[str, dict[str, Any]] = {}
    for output in outputs:
        if output.get("group"):
            row = rows.setdefault(
                output["group"], {"group": names.get(output["group"], output["group"]), "unit": ""}
            )
            row[output["figure"]] = output["value"]
            row["unit"] = output["unit"] or row["unit"]
    return list(rows.values())
