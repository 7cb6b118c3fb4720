"""A message's way as stages to read: what happened, when, and where it is recorded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from opendepin.core.encodings import to_hex
from opendepin.core.units import TOKEN, tokens
from opendepin.explorer.site import Site
from opendepin.explorer.store import Row


@dataclass(frozen=True)
class Stage:
    """One station on a message's way."""

    name: str
    title: str
    text: str
    done: bool
    time: int | None = None
    """Unix seconds."""
    digest: str = ""
    """The hash that stands for this stage."""
    href: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the API's form."""
        return {
            name: getattr(self, name)
            for name in ("name", "title", "text", "done", "time", "digest", "href")
        }


def stages(site: Site, message: Row) -> list[Stage]:
    """Return all stages of a message's way, reached or not."""
    batch = site.store.batch(message["batch"]) if message["batch"] is not None else None
    task = site.store.task(message["task"]) if message["task"] else None
    group = site.store.group(message["gateway"], message["project"], message["group_first"])
    return [
        _signed(message),
        _admitted(message, group),
        _ordered(batch),
        _attested(site, batch),
        _assigned(site, task),
        _settled(site, task),
        _paid(site, message, task),
    ]


def _signed(message: Row) -> Stage:
    text = f"secp256k1 signature by the device, sequence number {message['seq']}"
    identifier = to_hex(message["message_id"])
    return Stage(
        "signed", "Signed by the device", text, True, message["time_ms"] // 1000, identifier
    )


def _admitted(message: Row, group: Row | None) -> Stage:
    root = to_hex(group["root"]) if group else ""
    block = f", judged by the keys of block {group['identity_block']}" if group else ""
    text = f"position {message['position']} at the gateway{block}; receipt signed"
    return Stage("admitted", "Admitted by the gateway", text, True, None, root)


def _ordered(batch: Row | None) -> Stage:
    if batch is None:
        return Stage("ordered", "Ordered in a batch", "waits for the next batch", False)
    href = f"/batches/{batch['number']}"
    text = f"batch {batch['number']}, sealed and signed by the sequencer"
    return Stage(
        "ordered",
        "Ordered in a batch",
        text,
        True,
        batch["time"],
        to_hex(batch["header_hash"]),
        href,
    )


def _attested(site: Site, batch: Row | None) -> Stage:
    title = "Attested and accepted by the L1"
    if batch is None:
        return Stage("attested", title, "waits for the batch", False)
    signatures = len(batch["attestations"]) // 65 if batch["attestations"] else 0
    members = len(site.network.attesters)
    held = f"{signatures} of {members} attesters recomputed and keep it; " if signatures else ""
    text = f"{held}block {batch['height']}"
    time = site.store.block_time(batch["height"])
    return Stage(
        "attested", title, text, True, time, to_hex(batch["tx"]), f"/batches/{batch['number']}"
    )


def _assigned(site: Site, task: Row | None) -> Stage:
    title = "Task drawn for an operator"
    if task is None or task["assigned"] is None:
        return Stage("assigned", title, "waits for the draw", False)
    operator, attempt = to_hex(task["operator"])[:10], task["attempt"] + 1
    text = f"operator {operator}…, attempt {attempt}, block {task['assigned']}"
    time = site.store.block_time(task["assigned"])
    return Stage(
        "assigned", title, text, True, time, to_hex(task["task"]), f"/tasks/{to_hex(task['task'])}"
    )


def _settled(site: Site, task: Row | None) -> Stage:
    title = "Proven and settled"
    if task is None or task["settled"] is None:
        return Stage("settled", title, "waits for the proof", False)
    gas = f", {task['gas']:,} gas" if task["gas"] else ""
    what = f"Groth16 proof over {task['count']} readings checked by the contract"
    text = f"{what}, block {task['settled']}{gas}"
    time = site.store.block_time(task["settled"])
    return Stage(
        "settled",
        title,
        text,
        True,
        time,
        to_hex(task["settled_tx"]),
        f"/tasks/{to_hex(task['task'])}",
    )


def _paid(site: Site, message: Row, task: Row | None) -> Stage:
    title = "Owner paid"
    paid = None
    if task is not None:
        rows = site.store.task_payouts(task["task"])
        paid = next((row for row in rows if row["device"] == message["device"]), None)
    if paid is None:
        held = task is not None and task["settled"] is not None
        text = "held in the escrow until it is claimed" if held else "waits for the settlement"
        return Stage("paid", title, text, False)
    amount, owner = tokens(int(paid["amount"])), to_hex(paid["owner"])[:10]
    text = f"{amount} {TOKEN} to {owner}…, block {paid['height']}"
    return Stage(
        "paid", title, text, True, site.store.block_time(paid["height"]), to_hex(paid["tx"])
    )
