"""The figures of the first page: counts, pipeline stages with latencies, and the cover's
regions.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from opendepin.explorer.figures import Figure, Moment, money, scaled
from opendepin.explorer.site import Site
from opendepin.explorer.store import Page
from opendepin.explorer.views import API

COVERS_READ = 500
"""Newest events of the cover contract that are looked through for payouts."""

SAMPLE = 2_000
"""Newest settled messages over which latencies are taken."""

STAGES = (
    (
        "admitted",
        "Admitted",
        "signed readings with a receipt",
        "messages",
        "the gateways' commit groups",
    ),
    (
        "batched",
        "Ordered and attested",
        "in a batch the L1 accepted",
        "messages",
        "batch bodies under BatchInbox",
    ),
    (
        "proven",
        "Proven and settled",
        "inside a proof that the contract checked",
        "messages",
        "Settlement.TaskSettled",
    ),
    ("payouts", "Paid", "claims of device owners", "payments", "Settlement.DevicePaid"),
)


def percentile(values: Sequence[int], share: float) -> int | None:
    """Return the value below which `share` of the values lie (nearest rank)."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def stats(site: Site) -> dict[str, Any]:
    """Return the figures of `/api/v1/stats`."""
    return site.kept("stats", lambda: _stats(site))


def _stats(site: Site) -> dict[str, Any]:
    c, now = site.store.counts(), site.now()
    delays = site.store.settle_delays(SAMPLE)
    observed_s = _newest_day(site) or c["observed_s"]
    by_name = {
        "devices": (c["devices"], "devices", "Devices.KeyChanged", f"{API}/devices"),
        "active": (c["active"], "devices", "Devices.KeyChanged", f"{API}/devices?status=active"),
        "reporting": (
            c["reporting"],
            "devices",
            "messages admitted by the gateways",
            f"{API}/devices",
        ),
        "admitted": (c["admitted"], "messages", "the gateways' commit groups", None),
        "batched": (c["batched"], "messages", "batch bodies under BatchInbox", f"{API}/batches"),
        "batches": (c["batches"], "batches", "BatchInbox.BatchAccepted", f"{API}/batches"),
        "tasks": (c["tasks"], "tasks", "Settlement.TaskOpened", f"{API}/tasks"),
        "assigned": (c["assigned"], "tasks", "Settlement.TaskAssigned", f"{API}/tasks"),
        "settled": (c["settled"], "tasks", "Settlement.TaskSettled", f"{API}/tasks?state=settled"),
        "proven": (c["proven"], "messages", "Settlement.TaskSettled", f"{API}/tasks?state=settled"),
        "payouts": (
            c["payouts"],
            "payments",
            "Settlement.DevicePaid",
            f"{API}/tasks?state=settled",
        ),
    }
    found = {name: Figure(*row[:2], now, *row[2:]).to_json() for name, row in by_name.items()}
    found["paid"] = money(c["paid_wei"], now, "Settlement.DevicePaid", None).to_json()
    found["burned"] = money(c["burned_wei"], now, "Burner.Burned", None).to_json()
    for name, share in (("settle_p50", 0.5), ("settle_p95", 0.95)):
        delay = percentile(delays, share)
        seconds = None if delay is None else round(max(0, delay) / 1000, 1)
        source = f"signature to settling block, newest {len(delays)} messages"
        found[name] = Figure(seconds, "s", now, source, None).to_json()
    return {"head": {"block": now.block, "time": now.time}, "observed_s": observed_s, **found}


def _newest_day(site: Site) -> int | None:
    """Return when a station that stands on the map observed last; other devices replay nothing."""
    found = [
        row["observed_s"]
        for project, sheet in site.projects.items()
        for row in site.store.devices(Page(500), project=project, indices=list(sheet.places))
    ]
    return max((each for each in found if each is not None), default=None)


def pipeline(site: Site) -> list[dict[str, Any]]:
    """Return the stages of a message's way with their counts."""
    figures = stats(site)
    return [
        {
            "stage": name,
            "title": title,
            "means": means,
            "count": figures[name],
            "unit": unit,
            "source": source,
        }
        for name, title, means, unit, source in STAGES
    ]


def latency(site: Site) -> dict[str, Any]:
    """Return how long a message takes from its signature to the settling block."""
    figures = stats(site)
    return {"p50": figures["settle_p50"], "p95": figures["settle_p95"]}


def regions(site: Site, project: int) -> list[dict[str, Any]]:
    """Return what the settled results say of each region, added up over all of them."""
    return site.kept(f"regions {project}", lambda: _regions(site, project))


def _regions(site: Site, project: int) -> list[dict[str, Any]]:
    sheet = site.sheet(project)
    if sheet is None or not sheet.outputs:
        return []
    names = {p.region: p.region_name for p in sheet.places.values()}
    stations: dict[str, int] = {}
    for place in sheet.places.values():
        stations[place.region] = stations.get(place.region, 0) + 1
    totals: dict[str, dict[str, int]] = {}
    results, page = 0, Page(500)
    while rows := site.store.tasks(page, state="settled"):
        for row in rows:
            if row["project"] == project and row["outputs"]:
                results += 1
                _add(totals, sheet.outputs, [int(o) for o in json.loads(row["outputs"])])
        page = Page(500, (rows[-1]["batch"], rows[-1]["segment"]))
    now = site.now()
    return [
        _region(
            code,
            names.get(code, code),
            stations.get(code, 0),
            total,
            results,
            now,
            sheet.value_unit,
            sheet.value_scale,
        )
        for code, total in sorted(totals.items())
    ]


def _add(
    totals: dict[str, dict[str, int]], meanings: Sequence[Any], outputs: Sequence[int]
) -> None:
    one: dict[str, dict[str, int]] = {}
    for meaning, output in zip(meanings, outputs, strict=False):
        if meaning.group:
            one.setdefault(meaning.group, {})[meaning.figure] = output
    for group, found in one.items():
        total = totals.setdefault(group, {"count": 0, "exceedances": 0, "sum": 0})
        for figure in ("count", "exceedances", "sum"):
            total[figure] += found.get(figure, 0)
        if found.get("count"):
            total["minimum"] = min(total.get("minimum", found["minimum"]), found["minimum"])
            total["maximum"] = max(total.get("maximum", found["maximum"]), found["maximum"])


def _region(
    code: str,
    name: str,
    stations: int,
    total: dict[str, int],
    results: int,
    now: Moment,
    unit: str,
    scale: int,
) -> dict[str, Any]:
    source = f"added up over {results} proven results"
    url = f"{API}/tasks?state=settled"

    def figure(value: int | str | None, of: str) -> dict[str, Any]:
        return Figure(value, of, now, source, url).to_json()

    valid = total["count"]
    mean = scaled(round(total["sum"] / valid), scale) if valid else None
    return {
        "region": code,
        "name": name,
        "stations": stations,
        "readings": figure(valid, "readings"),
        "exceedances": figure(total["exceedances"], "readings"),
        "mean": figure(mean, unit),
        "minimum": figure(scaled(total.get("minimum"), scale), unit),
        "maximum": figure(scaled(total.get("maximum"), scale), unit),
    }


def region_name(site: Site, index: int | str | None) -> str:
    """Return the name of the cover contract's region of that number."""
    sheet = site.sheet(min(site.projects, default=1))
    if sheet is None or index is None:
        return ""
    codes = list(dict.fromkeys(output.group for output in sheet.outputs if output.group))
    if not 0 <= int(index) < len(codes):
        return f"region {index}"
    code = codes[int(index)]
    return next((p.region_name for p in sheet.places.values() if p.region == code), code)


def cover_payouts(site: Site) -> list[dict[str, Any]]:
    """Return what the cover contract paid, newest first."""
    found: list[dict[str, Any]] = []
    for row in site.store.covers(COVERS_READ):
        fields = json.loads(row["fields"])
        if "amount" not in fields or "region" not in fields:
            continue
        as_of = Moment(row["height"], site.store.block_time(row["height"]))
        source = f"CleanAirCover.{row['name']}"
        amount = money(fields["amount"], as_of, source, None).to_json()
        about = {"event": row["name"], "fields": fields, "block": row["height"]}
        found.append({**about, "region": region_name(site, fields["region"]), "amount": amount})
    return found
