"""Index rows as the API shows them; pages show the same values.

Identifiers, heights and times stand as they are; everything measured, counted or paid is a figure.
"""

from __future__ import annotations

from typing import Any

from opendepin.core.encodings import to_hex
from opendepin.core.identity import Status
from opendepin.core.units import TOKEN, tokens
from opendepin.explorer.figures import Figure, Moment, money, scaled
from opendepin.explorer.site import Site
from opendepin.explorer.store import Row

STATUS_WORDS = {Status.ACTIVE: "active", Status.SUSPENDED: "suspended", Status.REVOKED: "revoked"}
API = "/api/v1"


def moment(site: Site, height: int | None) -> Moment:
    """Return a block as a moment."""
    return Moment(height, site.store.block_time(height) if height is not None else None)


def count(site: Site, value: int, unit: str, source: str, url: str | None = None) -> dict[str, Any]:
    """Return a count that holds at the newest block."""
    return Figure(value, unit, site.now(), source, url).to_json()


def stage_of(row: Row) -> str:
    """Return how far a message has come: `admitted`, `batched`, `assigned` or `settled`."""
    if row["settled_height"] is not None:
        return "settled"
    if row["task"] is not None:
        return "assigned"
    return "batched" if row["batch"] is not None else "admitted"


def reading_figure(site: Site, row: Row) -> dict[str, Any] | None:
    """Return a reading's value as a figure; None when the project's sheet is not known here."""
    sheet = site.sheet(row["project"])
    if sheet is None or row["value"] is None:
        return None
    url = f"{API}/messages/{to_hex(row['message_id'])}/trail"
    value = scaled(row["value"], sheet.value_scale)
    as_of = Moment(row.get("batch_height"), row["observed_s"])
    return Figure(value, sheet.value_unit, as_of, "signed by the device", url).to_json()


def message_view(site: Site, row: Row) -> dict[str, Any]:
    """Return a message."""
    sheet = site.sheet(row["project"])
    limit = sheet.limit if sheet else None
    value = row["value"]
    return {
        "message_id": to_hex(row["message_id"]),
        "device": to_hex(row["device"]),
        "project": row["project"],
        "seq": row["seq"],
        "signed_ms": row["time_ms"],
        "observed_s": row["observed_s"],
        "reading": reading_figure(site, row),
        "exceeds": bool(limit is not None and value is not None and value > limit),
        "gateway": to_hex(row["gateway"]),
        "position": row["position"],
        "stage": stage_of(row),
        "batch": row["batch"],
        "segment": row["segment"],
        "task": to_hex(row["task"]) if row["task"] else None,
        "settled_block": row["settled_height"],
        "trail": f"{API}/messages/{to_hex(row['message_id'])}/trail",
    }


def device_view(site: Site, row: Row) -> dict[str, Any]:
    """Return a device with its last reading."""
    place = site.place(row["project"], row["device_index"])
    identifier = to_hex(row["device"])
    source = "messages admitted by the gateways"
    sheet = site.sheet(row["project"])
    limit = sheet.limit if sheet else None
    last = row["message_id"] is not None
    reading = reading_figure(site, row) if last else None
    return {
        "device": identifier,
        "project": row["project"],
        "index": row["device_index"],
        "name": site.name(row),
        "status": STATUS_WORDS[Status(row["status"])],
        "owner": to_hex(row["owner"]) if row["owner"] else None,
        "registered_block": row["registered"],
        "key_since_block": row["since"],
        "place": None
        if place is None
        else {
            "longitude": place.longitude,
            "latitude": place.latitude,
            "region": place.region,
            "region_name": place.region_name,
        },
        "reporting": last,
        "reading": reading,
        "exceeds": bool(last and limit is not None and (row["value"] or 0) > limit),
        "observed_s": row["observed_s"] if last else None,
        "last_message": to_hex(row["message_id"]) if last else None,
        "messages": count(
            site, row["messages"], "messages", source, f"{API}/devices/{identifier}/readings"
        ),
    }


def batch_view(site: Site, row: Row) -> dict[str, Any]:
    """Return a batch."""
    as_of = moment(site, row["height"])
    source = f"BatchInbox.BatchAccepted, block {row['height']}"
    url = f"{API}/batches/{row['number']}"
    known = row["messages"] is not None
    return {
        "number": row["number"],
        "header_hash": to_hex(row["header_hash"]),
        "data_root": to_hex(row["data_root"]),
        "inbox_block": row["height"],
        "inbox_time": as_of.time,
        "transaction": to_hex(row["tx"]),
        "sealed_s": row["time"],
        "messages": Figure(row["messages"], "messages", as_of, "the batch body", url).to_json()
        if known
        else None,
        "size": Figure(row["data_bytes"], "B", as_of, "the batch header", url).to_json()
        if known
        else None,
        "segments": Figure(row["segments"], "segments", as_of, source, url).to_json(),
    }


def task_state(row: Row) -> str:
    """Return `open`, `assigned`, `settled` or `recalled`."""
    if row["settled"] is not None:
        return "settled"
    if row["recalled"] is not None:
        return "recalled"
    return "assigned" if row["assigned"] is not None else "open"


def task_view(site: Site, row: Row) -> dict[str, Any]:
    """Return a task."""
    identifier = to_hex(row["task"])
    as_of = moment(site, row["settled"] or row["assigned"] or row["opened"])
    source = f"Settlement, block {as_of.block}"
    settled = row["settled"] is not None
    paid = {
        name: money(
            row[name], as_of, "Settlement.TaskSettled", f"{API}/tasks/{identifier}"
        ).to_json()
        for name in ("operator_paid", "devices_held", "burned", "refunded")
        if settled
    }
    gas = Figure(row["gas"], "gas", as_of, "transaction receipt", None).to_json()
    return {
        "task": identifier,
        "state": task_state(row),
        "project": row["project"],
        "batch": row["batch"],
        "segment": row["segment"],
        "program": to_hex(row["program"]),
        "readings": Figure(
            row["count"], "readings", as_of, source, f"{API}/batches/{row['batch']}"
        ).to_json(),
        "opened_block": row["opened"],
        "assigned_block": row["assigned"],
        "operator": to_hex(row["operator"]) if row["operator"] else None,
        "attempt": row["attempt"],
        "deadline_s": row["deadline"],
        "settled_block": row["settled"],
        "settled_time": as_of.time if settled else None,
        "producer": to_hex(row["producer"]) if row["producer"] else None,
        "outputs_hash": to_hex(row["outputs_hash"]) if row["outputs_hash"] else None,
        "pay_root": to_hex(row["pay_root"]) if row["pay_root"] else None,
        "transaction": to_hex(row["settled_tx"]) if row["settled_tx"] else None,
        "gas": gas if row["gas"] is not None else None,
        "callback_ok": None if row["callback_ok"] is None else bool(row["callback_ok"]),
        "callback_reason": row["callback_reason"] or None,
        "paid": paid or None,
        "trail": f"{API}/tasks/{identifier}/trail" if settled else None,
    }


def payout_view(site: Site, row: Row) -> dict[str, Any]:
    """Return one payment to a device's owner."""
    as_of = moment(site, row["height"])
    url = f"{API}/tasks/{to_hex(row['task'])}"
    return {
        "task": to_hex(row["task"]),
        "device": to_hex(row["device"]),
        "index": row["device_index"],
        "owner": to_hex(row["owner"]),
        "block": row["height"],
        "time": as_of.time,
        "amount": money(row["amount"], as_of, "Settlement.DevicePaid", url).to_json(),
    }


def tokens_text(amount: int | str | None) -> str:
    """Write wei as an amount of tokens with its symbol."""
    return f"{tokens(int(amount or 0))} {TOKEN}"
