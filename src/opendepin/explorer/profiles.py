"""A project as its page and its card show it: what its devices report, what is proven, what it
came to.
"""

from __future__ import annotations

from typing import Any

from opendepin.core.encodings import to_hex
from opendepin.core.schema import OBSERVED, Field
from opendepin.explorer import views, words
from opendepin.explorer.figures import Moment, money, scaled
from opendepin.explorer.sheets import ProjectSheet
from opendepin.explorer.site import Site
from opendepin.explorer.store import Row


def profile(site: Site, row: Row) -> dict[str, Any]:
    """Return a project's figures and description; what its sheet says is empty without one."""
    sheet, now = site.sheet(row["project"]), site.now()
    url = f"{views.API}/tasks?state=settled"
    return {
        "project": row["project"],
        "name": row["name"],
        "title": sheet.title if sheet else row["name"],
        "text": sheet.text if sheet else "",
        "owner": to_hex(row["owner"]),
        "registered_block": row["height"],
        "devices": views.count(site, row["devices"], "devices", "Devices.KeyChanged", None),
        "tasks": views.count(site, row["tasks"], "tasks", "Settlement.TaskOpened", None),
        "settled": views.count(site, row["settled"], "tasks", "Settlement.TaskSettled", url),
        "proven": views.count(site, row["proven"], "readings", "Settlement.TaskSettled", url),
        "paid": money(row["paid_wei"], now, "Settlement.DevicePaid", None).to_json(),
        "unit_rate": _unit_rate(sheet, now) if sheet else None,
        "fields": [_field(each) for each in sheet.manifest.schema.fields] if sheet else [],
        "outputs": outputs_of(sheet) if sheet else [],
    }


def _unit_rate(sheet: ProjectSheet, now: Moment) -> dict[str, Any]:
    return money(sheet.unit_rate, now, "Programs.ProgramRegistered", None).to_json()


def _field(field: Field) -> dict[str, Any]:
    kind = "time, Unix seconds" if field.key == OBSERVED else field.kind
    return {
        "name": field.name,
        "kind": f"{field.length} × {kind}" if field.length > 1 else kind,
        "minimum": scaled(field.minimum, field.scale),
        "maximum": scaled(field.maximum, field.scale),
        "unit": field.unit,
    }


def outputs_of(sheet: ProjectSheet) -> list[dict[str, Any]]:
    """Return one row per figure of the program, in the outputs' order."""
    found: dict[tuple[str, str, str], int] = {}
    for output in sheet.outputs:
        own = output.device_index is not None
        per = "device" if own else "group" if output.group else "segment"
        figure = words.FIGURES.get(output.figure, output.figure)
        key = (figure, per, output.unit)
        found[key] = found.get(key, 0) + 1
    return [
        {"figure": figure, "per": per, "outputs": count, "unit": unit}
        for (figure, per, unit), count in found.items()
    ]
