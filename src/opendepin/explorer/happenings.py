"""The newest happenings of the network, in words."""

from __future__ import annotations

import json
from typing import Any

from opendepin.core.encodings import to_hex
from opendepin.explorer import stats, views
from opendepin.explorer.site import Site
from opendepin.explorer.store import Row


def recent(site: Site, limit: int) -> list[dict[str, Any]]:
    """Return the newest happenings in words."""
    return [_happening(site, row) for row in site.store.recent(limit)]


def _happening(site: Site, row: Row) -> dict[str, Any]:
    subject, kind, amount, detail = (
        to_hex(row["subject"]),
        row["kind"],
        row["amount"],
        row["detail"],
    )
    where = f"block {row['height']}"
    if kind == "batch":
        text, href = f"Batch {detail} accepted", f"/batches/{detail}"
        where = f"{amount} readings, {where}" if amount else where
    elif kind == "paid":
        text, href = f"{detail} claim{'s' if detail != 1 else ''} paid", f"/tasks/{subject}"
        where = f"{views.tokens_text(amount)}, {where}"
    elif kind == "registered":
        what = {1: "registered", 2: "suspended", 3: "revoked"}[detail]
        text, href = f"{amount} device{'s' if amount != 1 else ''} {what}", "/devices"
    elif kind == "cover":
        text, href, where = *cover_text(site, detail, json.loads(amount)), where
    else:
        text = "Proof verified, settled" if kind == "settled" else "Operator drawn"
        href, where = f"/tasks/{subject}", f"{amount} readings, {where}"
    about = {"kind": kind, "text": text, "href": href, "subject": subject, "where": where}
    return {**about, "time": row["time"], "height": row["height"]}


def cover_text(site: Site, name: str, fields: dict[str, Any]) -> tuple[str, str]:
    """Say an event of the cover contract in words; returns text and link."""
    region = stats.region_name(site, fields.get("region"))
    texts = {
        "PayoutDue": f"Payout due: {region}",
        "PayoutTaken": f"Payout taken: {region}",
        "PayoutShort": f"Cover too short: {region}",
    }
    return texts.get(name, name), "/cover"
