"""What an identifier or a word of a visitor names."""

from __future__ import annotations

from opendepin.core.encodings import from_hex, to_hex
from opendepin.core.errors import EncodingRejected
from opendepin.explorer.cursors import identifier, number
from opendepin.explorer.errors import NotThere
from opendepin.explorer.site import Site
from opendepin.explorer.store import Page, Row


def find_project(site: Site, text: str) -> Row:
    """Return a project by its number."""
    row = site.store.project(number(text, "project number"))
    if row is None:
        raise NotThere("no project with this number is registered")
    return row


def find_device(site: Site, text: str) -> Row:
    """Return a device by its id."""
    row = site.store.device(identifier(text, 20, "device id"))
    if row is None:
        raise NotThere("no device with this id is registered")
    return row


def find_message(site: Site, text: str) -> Row:
    """Return a message by its id."""
    row = site.store.message(identifier(text, 32, "message id"))
    if row is None:
        raise NotThere("no message with this id is known here")
    return row


def find_batch(site: Site, text: str) -> Row:
    """Return a batch by its number."""
    row = site.store.batch(number(text, "batch number"))
    if row is None:
        raise NotThere("no batch with this number was accepted")
    return row


def find_task(site: Site, text: str) -> Row:
    """Return a task by its id."""
    row = site.store.task(identifier(text, 32, "task id"))
    if row is None:
        raise NotThere("no task with this id was opened")
    return row


def page_named(site: Site, text: str) -> str | None:
    """Return the path of the page that a text names; None when nothing is known by it."""
    if text.isascii() and text.isdigit() and len(text) <= 18:
        return f"/batches/{int(text)}" if site.store.batch(int(text)) else None
    try:
        data = from_hex(text.lower())
    except EncodingRejected:
        return _named(site, text.lower())
    if len(data) == 20 and site.store.device(data):
        return f"/devices/{to_hex(data)}"
    if len(data) == 32 and site.store.message(data):
        return f"/messages/{to_hex(data)}"
    if len(data) == 32 and site.store.task(data):
        return f"/tasks/{to_hex(data)}"
    return None


def _named(site: Site, text: str) -> str | None:
    for row in site.store.devices(Page(500)):
        if site.name(row).lower() == text:
            return f"/devices/{to_hex(row['device'])}"
    for sheet in site.projects.values():
        for place in sheet.places.values():
            if text in {place.region.lower(), place.region_name.lower()}:
                return f"/devices?region={place.region}"
    return None
