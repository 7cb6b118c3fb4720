"""The REST API, `/api/v1`: the same figures as the pages, with cursors, and live events."""

from __future__ import annotations

import json
from typing import Any

from litestar import Controller, Response, get
from litestar.di import NamedDependency
from litestar.response import Stream

from opendepin.core.encodings import to_hex
from opendepin.core.identity import Status
from opendepin.explorer import shapes, stats, trail, views
from opendepin.explorer.cursors import cursor_after, number, page_of
from opendepin.explorer.errors import NotThere, RequestRejected
from opendepin.explorer.figures import scaled
from opendepin.explorer.lookup import (
    find_batch,
    find_device,
    find_message,
    find_project,
    find_task,
)
from opendepin.explorer.profiles import profile
from opendepin.explorer.shapes import TASK_STATES, answers
from opendepin.explorer.site import Site
from opendepin.explorer.store import Row

STATUSES = {"active": Status.ACTIVE, "suspended": Status.SUSPENDED, "revoked": Status.REVOKED}
COVERS_SHOWN = 200

FromSite = NamedDependency[Site]
"""The site, given by `app.build_app`."""


def _choice(name: str, value: str | None, allowed: tuple[str, ...]) -> str | None:
    if value is not None and value not in allowed:
        raise RequestRejected(f"{name} is one of {', '.join(allowed)}", code="parameter")
    return value


def _list(name: str, items: list[Any], rows: list[Row], limit: int, *keys: str) -> dict[str, Any]:
    last = tuple(rows[-1][key] for key in keys) if len(rows) == limit else None
    return {"items": items, "next_cursor": cursor_after(name, last) if last else None}


def output_rows(site: Site, task: Row) -> list[dict[str, Any]]:
    """Return a settled task's outputs with what each means."""
    sheet = site.sheet(task["project"])
    if sheet is None or task["outputs"] is None:
        return []
    found: list[dict[str, Any]] = []
    for index, text in enumerate(json.loads(task["outputs"])):
        meaning = sheet.outputs[index] if index < len(sheet.outputs) else None
        about = {"index": index, "raw": text}
        if meaning is not None:
            value = scaled(int(text), meaning.scale)
            about |= {"figure": meaning.figure, "group": meaning.group or None, "value": value}
            about |= {"device_index": meaning.device_index, "unit": meaning.unit}
        found.append(about)
    return found


class Api(Controller):
    """Everything under `/api/v1`."""

    path = "/api/v1"

    @get("/head", sync_to_thread=True, responses=answers(shapes.HeadShape, 404))
    def head(self, site: FromSite) -> dict[str, Any]:
        """Return the newest L1 block indexed."""
        row = site.store.head()
        if row is None:
            raise NotThere("no block is indexed yet")
        return {"block": row["height"], "hash": to_hex(row["hash"]), "time": row["time"]}

    @get("/network", sync_to_thread=False, responses=answers(shapes.NetworkShape))
    def network(self, site: FromSite) -> dict[str, Any]:
        """Return the trust anchor: what a verifier must know, and what is simulated or weak."""
        n = site.network
        return {
            "name": n.name,
            "network_id": to_hex(n.network_id),
            "chain_id": n.chain_id,
            "genesis_hash": to_hex(n.genesis_hash),
            "contracts": {name: to_hex(address) for name, address in n.contracts.items()},
            "code_hashes": {name: to_hex(code) for name, code in n.code_hashes.items()},
            "sequencer": to_hex(n.sequencer),
            "attesters": [to_hex(a) for a in n.attesters],
            "threshold": n.threshold,
            "gateways": [to_hex(g) for g in n.gateways],
            "data_chunks": n.data_chunks,
            "layout": dict(n.layout),
            "labels": list(n.labels),
            "notice": n.notice,
        }

    @get("/stats", sync_to_thread=True, responses=answers(shapes.StatsShape))
    def stats(self, site: FromSite) -> dict[str, Any]:
        """Return counts, sums and latencies of the whole network."""
        return stats.stats(site)

    @get("/pipeline", sync_to_thread=True, responses=answers(shapes.PipelineShape))
    def pipeline(self, site: FromSite) -> dict[str, Any]:
        """Return the stages of a message's way with their counts."""
        return {"items": stats.pipeline(site), "latency": stats.latency(site)}

    @get("/services", responses=answers(dict[str, Any]))
    async def services(self, site: FromSite) -> dict[str, Any]:
        """Return the status of each service of the network, null for one that did not answer."""
        return dict(await site.services.statuses()) if site.services else {}

    @get("/projects", sync_to_thread=True, responses=answers(shapes.ProjectsShape))
    def projects(self, site: FromSite) -> dict[str, Any]:
        """Return all projects."""
        items: list[dict[str, Any]] = []
        for row in site.store.projects():
            sheet = site.sheet(row["project"])
            source, url = "Devices.KeyChanged", f"{views.API}/devices?project={row['project']}"
            items.append(
                {
                    "project": row["project"],
                    "name": row["name"],
                    "title": sheet.title if sheet else row["name"],
                    "owner": to_hex(row["owner"]),
                    "registered_block": row["height"],
                    "measured": sheet.value_name if sheet else None,
                    "measured_unit": sheet.value_unit if sheet else None,
                    "limit": scaled(sheet.limit, sheet.value_scale) if sheet else None,
                    "attribution": sheet.attribution if sheet else "",
                    "devices": views.count(site, row["devices"], "devices", source, url),
                }
            )
        return {"items": items, "next_cursor": None}

    @get(
        "/projects/{project:str}",
        sync_to_thread=True,
        responses=answers(shapes.ProjectDetail, 400, 404),
    )
    def project(self, site: FromSite, project: shapes.ProjectId) -> dict[str, Any]:
        """Return one project: what its devices report, what is proven, what it came to."""
        return profile(site, find_project(site, project))

    @get("/devices", sync_to_thread=True, responses=answers(shapes.DevicePage, 400))
    def devices(
        self,
        site: FromSite,
        cursor: shapes.Cursor = None,
        limit: shapes.Limit = None,
        project: shapes.ProjectNumber = None,
        status: shapes.StatusWord = None,
        region: shapes.RegionCode = None,
    ) -> dict[str, Any]:
        """Return devices by project and index, with each one's last reading."""
        page = page_of("devices", 2, cursor, limit)
        wanted = None if project is None else number(project, "project")
        chosen = _choice("status", status, tuple(STATUSES))
        indices = None
        if region is not None:
            if len(region) > shapes.REGION_MAX_CHARS:
                raise RequestRejected("region is an ISO 3166-2 code", code="parameter")
            sheets = [site.sheet(wanted)] if wanted else list(site.projects.values())
            indices = [i for s in sheets if s for i, p in s.places.items() if p.region == region]
        state = STATUSES[chosen] if chosen else None
        rows = site.store.devices(page, project=wanted, status=state, indices=indices)
        items = [views.device_view(site, row) for row in rows]
        return _list("devices", items, rows, page.limit, "project", "device_index")

    @get(
        "/devices/{device:str}",
        sync_to_thread=True,
        responses=answers(shapes.DeviceDetail, 400, 404),
    )
    def device(self, site: FromSite, device: shapes.DeviceId) -> dict[str, Any]:
        """Return one device with key history and pay."""
        row = find_device(site, device)
        history = [
            {
                "status": views.STATUS_WORDS[Status(change["status"])],
                "from_block": change["height"],
                "public": to_hex(change["public"]),
                "history": to_hex(change["history"]),
                "transaction": to_hex(change["tx"]),
            }
            for change in site.store.history(row["device"])
        ]
        payouts = site.store.payouts(row["device"], 50)
        return {
            **views.device_view(site, row),
            "history": history,
            "payouts": [views.payout_view(site, p) for p in payouts],
        }

    @get(
        "/devices/{device:str}/readings",
        sync_to_thread=True,
        responses=answers(shapes.MessagePage, 400, 404),
    )
    def readings(
        self,
        site: FromSite,
        device: shapes.DeviceId,
        cursor: shapes.Cursor = None,
        limit: shapes.Limit = None,
    ) -> dict[str, Any]:
        """Return a device's readings, newest first."""
        page = page_of("readings", 1, cursor, limit)
        row = find_device(site, device)
        rows = site.store.readings(row["device"], page)
        items = [views.message_view(site, r) for r in rows]
        return _list("readings", items, rows, page.limit, "seq")

    @get(
        "/messages/{message:str}",
        sync_to_thread=True,
        responses=answers(shapes.MessageDetail, 400, 404),
    )
    def message(self, site: FromSite, message: shapes.HashId) -> dict[str, Any]:
        """Return one message and how far it has come."""
        row = find_message(site, message)
        return {**views.message_view(site, row), "raw": to_hex(row["raw"])}

    @get("/messages/{message:str}/trail", responses=answers(shapes.MessageTrail, 400, 404))
    async def message_trail(self, site: FromSite, message: shapes.HashId) -> dict[str, Any]:
        """Return a message's stages and the bundle from which its trail is recomputed."""
        row = find_message(site, message)
        bundle = await with_l1(site, site.bundles.of_message(row["message_id"]))
        return {"stages": [s.to_json() for s in trail.stages(site, row)], "bundle": bundle}

    @get("/batches", sync_to_thread=True, responses=answers(shapes.BatchPage, 400))
    def batches(
        self,
        site: FromSite,
        cursor: shapes.Cursor = None,
        limit: shapes.Limit = None,
    ) -> dict[str, Any]:
        """Return batches, newest first."""
        page = page_of("batches", 1, cursor, limit)
        rows = site.store.batches(page)
        items = [views.batch_view(site, row) for row in rows]
        return _list("batches", items, rows, page.limit, "number")

    @get(
        "/batches/{batch:str}", sync_to_thread=True, responses=answers(shapes.BatchDetail, 400, 404)
    )
    def batch(self, site: FromSite, batch: shapes.BatchNumber) -> dict[str, Any]:
        """Return one batch with its segments."""
        row = find_batch(site, batch)
        segments = [
            {
                "segment": s["segment"],
                "project": s["project"],
                "root": to_hex(s["root"]),
                "field_root": s["field_root"],
                "readings": s["count"],
                "hash": to_hex(s["hash"]),
                "ranges": json.loads(s["ranges"]),
            }
            for s in site.store.segments(row["number"])
        ]
        return {**views.batch_view(site, row), "segment_list": segments}

    @get("/tasks", sync_to_thread=True, responses=answers(shapes.TaskPage, 400))
    def tasks(
        self,
        site: FromSite,
        cursor: shapes.Cursor = None,
        limit: shapes.Limit = None,
        task_state: shapes.StateWord = None,
        project: shapes.ProjectNumber = None,
    ) -> dict[str, Any]:
        """Return tasks, newest first."""
        page = page_of("tasks", 2, cursor, limit)
        wanted = None if project is None else number(project, "project")
        state = _choice("state", task_state, TASK_STATES)
        rows = site.store.tasks(page, state=state, project=wanted)
        items = [views.task_view(site, row) for row in rows]
        return _list("tasks", items, rows, page.limit, "batch", "segment")

    @get("/tasks/{task:str}", sync_to_thread=True, responses=answers(shapes.TaskDetail, 400, 404))
    def task(self, site: FromSite, task: shapes.HashId) -> dict[str, Any]:
        """Return one task with its outputs in words and what its devices were paid."""
        row = find_task(site, task)
        payouts = site.store.task_payouts(row["task"])
        return {
            **views.task_view(site, row),
            "outputs": output_rows(site, row),
            "payouts": [views.payout_view(site, p) for p in payouts],
            "proof": to_hex(row["proof"]) if row["proof"] else None,
        }

    @get("/tasks/{task:str}/trail", responses=answers(shapes.TaskTrail, 400, 404))
    async def task_trail(self, site: FromSite, task: shapes.HashId) -> dict[str, Any]:
        """Return the bundle from which a task's result is recomputed."""
        row = find_task(site, task)
        return {"bundle": await with_l1(site, site.bundles.of_task(row["task"]))}

    @get("/regions", sync_to_thread=True, responses=answers(shapes.RegionsShape, 400))
    def regions(self, site: FromSite, project: shapes.ProjectNumber = None) -> dict[str, Any]:
        """Return the proven results per region, and what the project's contract said of them."""
        wanted = (
            number(project, "project") if project is not None else min(site.projects, default=1)
        )
        events = [
            {
                "event": row["name"],
                "block": row["height"],
                "transaction": to_hex(row["tx"]),
                "fields": json.loads(row["fields"]),
            }
            for row in site.store.covers(COVERS_SHOWN)
        ]
        return {"project": wanted, "items": stats.regions(site, wanted), "events": events}

    @get(
        "/map",
        sync_to_thread=True,
        responses=answers(shapes.MapShape, media_type=shapes.GEOJSON_TYPE),
    )
    def map(self, site: FromSite) -> Response[dict[str, Any]]:
        """Return the devices whose owners consented to be shown, as GeoJSON."""
        content = site.kept("map", lambda: geojson(site))
        return Response(content, media_type=shapes.GEOJSON_TYPE)

    @get("/events", responses=answers(str, 429, media_type="text/event-stream"))
    async def events(
        self,
        site: FromSite,
        last_event_id: shapes.LastEventId = None,
    ) -> Stream:
        """Stream live events (`text/event-stream`); `Last-Event-ID` gets what was missed."""
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        stream = site.live.listen(last_event_id)
        return Stream(stream, media_type="text/event-stream", headers=headers)


def geojson(site: Site) -> dict[str, Any]:
    """Return every placed device as a GeoJSON feature."""
    features: list[dict[str, Any]] = []
    for row in site.store.devices(page_of("devices", 2, None, "500")):
        place = site.place(row["project"], row["device_index"])
        if place is None:
            continue
        view = views.device_view(site, row)
        reading = view["reading"]
        features.append(
            {
                "type": "Feature",
                "id": row["device_index"],
                "geometry": {"type": "Point", "coordinates": [place.longitude, place.latitude]},
                "properties": {
                    "device": view["device"],
                    "name": view["name"],
                    "region": place.region_name,
                    "status": view["status"],
                    "value": float(reading["value"]) if reading else None,
                    "exceeds": view["exceeds"],
                    "observed_s": view["observed_s"],
                    "message": view["last_message"],
                },
            }
        )
    return {"type": "FeatureCollection", "features": features}


async def with_l1(site: Site, bundle: dict[str, Any]) -> dict[str, Any]:
    """Add a task's draw and storage proofs to a bundle, where this network's L1 gives them."""
    if site.proofs is None:
        return bundle
    if bundle["task"]:
        draw = await site.proofs.draw(bundle["task"]["task_id"])
        bundle = {**bundle, "task": {**bundle["task"], "draw": draw}}
    return {**bundle, "l1": await site.proofs.prove(site.bundles.proven_storage(bundle))}
