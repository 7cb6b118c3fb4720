"""L1 logs to index rows: one pure function over the events of `docs/spec/contracts.md`.

An event this table doesn't know is skipped: a newer contract may tell more than this index keeps.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from opendepin.core.encodings import to_hex
from opendepin.explorer.ports import L1Event, SettleCall
from opendepin.explorer.store import EventRow

Args = Mapping[str, Any]


def octets(value: Any, size: int) -> bytes:
    """Return bytes of a size from bytes, 0x-hex or an integer (a token id that is an address)."""
    if isinstance(value, int):
        return value.to_bytes(size, "big")
    if isinstance(value, str):
        return bytes.fromhex(value.removeprefix("0x")).rjust(size, b"\0")
    return bytes(value)[-size:].rjust(size, b"\0")


def _address(value: Any) -> bytes:
    return octets(value, 20)


def _word(value: Any) -> bytes:
    return octets(value, 32)


def _project(a: Args) -> dict[str, Any]:
    return {
        "project": int(a["project"]),
        "owner": _address(a["owner"]),
        "name": str(a["name"]),
        "metadata_hash": _word(a["metadata_hash"]),
    }


def _key_change(a: Args) -> dict[str, Any]:
    return {
        "device": _address(a["device"]),
        "project": int(a["project"]),
        "device_index": int(a["index"]),
        "status": int(a["status"]),
        "public": _word(a["key_x"]) + _word(a["key_y"]),
        "history": _word(a["history"]),
    }


def _owner(a: Args) -> dict[str, Any]:
    token = a.get("tokenId", a.get("token_id", a.get("id")))
    to = a.get("to", a.get("receiver", a.get("owner")))
    return {"device": _address(token), "owner": _address(to)}


def _program(a: Args) -> dict[str, Any]:
    program = a.get("program", a.get("program_id", a.get("id")))
    return {"program": _word(program), "project": int(a["project"]), "fields": _fields(a)}


def _batch(a: Args) -> dict[str, Any]:
    return {
        "number": int(a["number"]),
        "header_hash": _word(a["header_hash"]),
        "data_root": _word(a["data_root"]),
        "segments": int(a["segments"]),
    }


def _task(a: Args) -> dict[str, Any]:
    return {
        "task": _word(a["task"]),
        "project": int(a["project"]),
        "batch": int(a["batch"]),
        "segment": int(a["segment_index"]),
        "program": _word(a["program"]),
        "count": int(a["count"]),
    }


def _assignment(a: Args) -> dict[str, Any]:
    head = {"task": _word(a["task"]), "operator": _address(a["operator"])}
    return {**head, "attempt": int(a["attempt"]), "deadline": int(a["deadline"])}


def _settlement(a: Args) -> dict[str, Any]:
    return {
        "task": _word(a["task"]),
        "project": int(a["project"]),
        "producer": _address(a["producer"]),
        "outputs_hash": _word(a["outputs_hash"]),
        "pay_root": _word(a["pay_root"]),
        **{
            name: str(int(a[name]))
            for name in ("operator_paid", "devices_held", "burned", "refunded")
        },
    }


def _payout(a: Args) -> dict[str, Any]:
    return {
        "task": _word(a["task"]),
        "device_index": int(a["device_index"]),
        "device": _address(a["device"]),
        "owner": _address(a["owner"]),
        "amount": str(int(a["amount"])),
    }


def _burn(a: Args) -> dict[str, Any]:
    reason = a.get("reason", "")
    text = (
        bytes(reason).rstrip(b"\0").decode("utf-8", "replace")
        if isinstance(reason, bytes)
        else str(reason)
    )
    return {"reason": text, "amount": str(int(a["amount"]))}


def _fields(a: Args) -> str:
    plain = {
        name: to_hex(bytes(v)) if isinstance(v, (bytes, bytearray)) else _text(v)
        for name, v in a.items()
    }
    return json.dumps(plain, sort_keys=True)


def _text(value: Any) -> Any:
    """Keep what JSON numbers hold exactly; larger integers as decimal strings."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 1 << 53:
        return str(value)
    return value


TABLES: dict[tuple[str, str], tuple[str, Callable[[Args], dict[str, Any]]]] = {
    ("Projects", "ProjectRegistered"): ("projects", _project),
    ("Devices", "KeyChanged"): ("key_changes", _key_change),
    ("Devices", "Transfer"): ("owners", _owner),
    ("Programs", "ProgramRegistered"): ("programs", _program),
    ("BatchInbox", "BatchAccepted"): ("batches", _batch),
    ("Settlement", "TaskOpened"): ("tasks", _task),
    ("Settlement", "TaskAssigned"): ("assignments", _assignment),
    ("Settlement", "TaskSettled"): ("settlements", _settlement),
    ("Settlement", "TaskRecalled"): ("recalls", lambda a: {"task": _word(a["task"])}),
    ("Settlement", "DevicePaid"): ("payouts", _payout),
    ("Burner", "Burned"): ("burns", _burn),
    ("Settlement", "CallbackFailed"): (
        "callbacks",
        lambda a: {"task": _word(a["task"]), "ok": 0, "reason": _reason(a.get("reason", ""))},
    ),
    ("Settlement", "CallbackDone"): (
        "callbacks",
        lambda a: {"task": _word(a["task"]), "ok": 1, "reason": ""},
    ),
}

COVER = "CleanAirCover"
"""Contract of the demo project; all its events are kept as they are."""


def _reason(value: Any) -> str:
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).decode("utf-8", "replace")
    return str(value)


def row_of(event: L1Event, settled: SettleCall | None = None) -> EventRow | None:
    """Return the index row of a log, None for one the index doesn't keep.

    A `TaskSettled` row takes outputs, proof and gas from the decoded call, where there is one.
    """
    if event.contract == COVER:
        columns: dict[str, Any] = {"name": event.name, "fields": _fields(event.args)}
        return EventRow("covers", event.height, event.log_index, event.transaction, columns)
    known = TABLES.get((event.contract, event.name))
    if known is None:
        return None
    table, read = known
    columns = read(event.args)
    if table == "settlements":
        columns["outputs"] = json.dumps([str(o) for o in settled.outputs]) if settled else None
        columns["proof"] = settled.proof if settled else None
        columns["gas"] = settled.gas_used if settled else None
    return EventRow(table, event.height, event.log_index, event.transaction, columns)
