"""Builds bundles (`docs/spec/bundle.md`) out of the index: everything from which a trail is
recomputed.

In: rows of the index, the network's and the project's sheets. Out: plain JSON values. Nothing
is checked here: a bundle is claims, and whoever reads it recomputes them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from opendepin.core import keys
from opendepin.core.batch import BatchHeader, SegmentBody, encode_body
from opendepin.core.batch_form import header_to_json
from opendepin.core.encodings import to_hex
from opendepin.core.errors import Rejected
from opendepin.core.group import Group, GroupHeader, leaf, receipt_from_leaves
from opendepin.core.manifest_form import ManifestForm
from opendepin.core.statement import Statement, evaluation, task_id
from opendepin.core.statement import outputs_hash as hash_of_outputs
from opendepin.explorer.errors import NotThere
from opendepin.explorer.sheets import NetworkSheet, ProjectSheet
from opendepin.explorer.store import Reader, Row

FORM = "opendepin/bundle/1"


@dataclass(frozen=True)
class Bundles:
    """Builds the bundle of a message or a task."""

    store: Reader
    network: NetworkSheet
    projects: Mapping[int, ProjectSheet]

    def of_message(self, message_id: bytes) -> dict[str, Any]:
        """Return a message's bundle without `l1` and its task's `draw`.

        Raises:
            NotThere: no such message is indexed.
        """
        row = self.store.message(message_id)
        if row is None:
            raise NotThere("no message with this id is known here")
        message = {
            "raw": to_hex(row["raw"]),
            "message_id": to_hex(message_id),
            "project": row["project"],
            "device": to_hex(row["device"]),
        }
        batch = None if row["batch"] is None else self._batch(row["batch"], row["segment"])
        devices = {row["device"]}
        if batch is not None:
            devices = self._devices(batch["header"]["number"], batch["segment_index"])
        task = self.store.task(row["task"]) if row["task"] else None
        return {
            **self._head("message", message_id),
            "message": message,
            "receipt": self._receipt(row),
            "histories": [self._history(device) for device in sorted(devices)],
            "batch": batch,
            "task": self._task(task, batch) if task and task["settled"] and batch else None,
            "l1": None,
        }

    def of_task(self, task_id: bytes) -> dict[str, Any]:
        """Return a task's bundle without `l1` and its task's `draw`.

        Raises:
            NotThere: no such task is indexed.
        """
        row = self.store.task(task_id)
        if row is None:
            raise NotThere("no task with this id is known here")
        batch = self._batch(row["batch"], row["segment"])
        devices = self._devices(row["batch"], row["segment"])
        return {
            **self._head("task", task_id),
            "message": None,
            "receipt": None,
            "histories": [self._history(device) for device in sorted(devices)],
            "batch": batch,
            "task": self._task(row, batch) if row["settled"] and batch else None,
            "l1": None,
        }

    def proven_storage(self, bundle: Mapping[str, Any]) -> list[tuple[str, str]]:
        """Return what of a bundle stands in the L1's storage, as (contract, what)."""
        wanted = [("Devices", f"history({h['device']})") for h in bundle["histories"]]
        if bundle["batch"]:
            number, index = bundle["batch"]["header"]["number"], bundle["batch"]["segment_index"]
            wanted.append(("BatchInbox", f"header_hash({number})"))
            wanted.append(("BatchInbox", f"inbox_block({number})"))
            wanted.append(("BatchInbox", f"segment_hash({number},{index})"))
        if bundle["task"]:
            task = bundle["task"]["task_id"]
            members = ("outputs_hash", "pay_root", "producer")
            if draw := bundle["task"]["draw"]:
                members += ("origin", "seed")
                wanted.append(("Operators", f"snapshots({draw['version']})"))
            wanted += [("Settlement", f"result({task}).{member}") for member in members]
        return wanted

    def _head(self, kind: str, identifier: bytes) -> dict[str, Any]:
        n = self.network
        return {
            "form": FORM,
            "subject": {"kind": kind, "id": to_hex(identifier)},
            "labels": list(n.labels),
            "network": {
                "network_id": to_hex(n.network_id),
                "chain_id": n.chain_id,
                "genesis_hash": to_hex(n.genesis_hash),
                "contracts": {name: to_hex(address) for name, address in n.contracts.items()},
                "sequencer": to_hex(n.sequencer),
                "attesters": [to_hex(a) for a in n.attesters],
                "threshold": n.threshold,
                "gateways": [to_hex(g) for g in n.gateways],
            },
        }

    def _receipt(self, row: Row) -> dict[str, Any]:
        group = self._group(row["gateway"], row["project"], row["group_first"])
        header = group.header
        rows = self.store.group_messages(row["gateway"], row["project"], row["group_first"])
        leaves = [leaf(m["position"], header.identity_block, m["message_id"]) for m in rows]
        index = row["position"] - header.first
        cut = receipt_from_leaves(header, group.signature, leaves, index, row["message_id"])
        return cut.to_json()

    def _group(self, gateway: bytes, project: int, first: int) -> Group:
        row = self.store.group(gateway, project, first)
        if row is None:
            raise NotThere("the commit group is not indexed")
        return self._group_of(row)

    def _group_of(self, row: Row) -> Group:
        header = GroupHeader(
            self.network.network_id,
            *(row["project"], row["gateway"], row["first"], row["count"]),
            *(row["identity_block"], row["include_by"], row["root"]),
        )
        messages = self.store.group_messages(row["gateway"], row["project"], row["first"])
        return Group(header, row["signature"], tuple(m["raw"] for m in messages))

    def _devices(self, batch: int, segment: int) -> set[bytes]:
        found: set[bytes] = set()
        for g in self.store.segment_groups(batch, segment):
            rows = self.store.group_messages(g["gateway"], g["project"], g["first"])
            found |= {row["device"] for row in rows}
        return found

    def _history(self, device: bytes) -> dict[str, Any]:
        changes = self.store.history(device)
        return {
            "device": to_hex(device),
            "accumulator": to_hex(changes[-1]["history"] if changes else bytes(32)),
            "changes": [
                {
                    "status": row["status"],
                    "project": row["project"],
                    "index": row["device_index"],
                    "public": to_hex(row["public"]),
                    "from_block": row["height"],
                }
                for row in changes
            ],
        }

    def _batch(self, number: int, segment: int) -> dict[str, Any] | None:
        row = self.store.batch(number)
        if row is None or row["signature"] is None:
            return None
        segments = self.store.segments(number)
        body = encode_body([self._segment_body(number, s) for s in segments])
        roots = (row["parent"], row["segments_root"], row["data_root"])
        header = BatchHeader(
            self.network.network_id, number, *roots, row["data_bytes"], row["time"]
        )
        return {
            "header": header_to_json(header),
            "hash": to_hex(row["header_hash"]),
            "sequencer_signature": to_hex(row["signature"]),
            "attestations": _attestations(header, row["attestations"]),
            "inbox_block": row["height"],
            "code": {"k": row["code_k"], "n": row["code_n"]},
            "segments": [_segment_json(s) for s in segments],
            "segment_index": segment,
            "body": to_hex(body),
        }

    def _segment_body(self, number: int, segment: Row) -> SegmentBody:
        rows = self.store.segment_groups(number, segment["segment"])
        return SegmentBody(segment["project"], tuple(self._group_of(row) for row in rows))

    def _task(self, row: Row, batch: Mapping[str, Any]) -> dict[str, Any] | None:
        sheet = self.projects.get(row["project"])
        if sheet is None or row["outputs"] is None:
            return None
        outputs = [int(text) for text in json.loads(row["outputs"])]
        segment = batch["segments"][row["segment"]]
        statement = self._statement(row, segment, outputs).number()
        circuit, vk = sheet.hashes.get("circuit", b""), sheet.hashes.get("verification_key", b"")
        return {
            "task_id": to_hex(row["task"]),
            **{name: row[name] for name in ("project", "batch")},
            "segment_index": row["segment"],
            "kind": "zk",
            "manifest": msgspec.to_builtins(ManifestForm.of(sheet.manifest)),
            "manifest_hash": to_hex(sheet.manifest.hash()),
            "circuit_hash": to_hex(circuit),
            "vk_hash": to_hex(vk),
            "program_id": to_hex(row["program"]),
            "producer": to_hex(row["producer"]),
            "outputs": [str(output) for output in outputs],
            "outputs_hash": to_hex(row["outputs_hash"]),
            "statement": str(statement),
            "evaluation": str(evaluation(outputs, statement)),
            "proof": to_hex(row["proof"]),
            "verification_key": sheet.verification_key,
            "result": {
                "outputs_hash": to_hex(row["outputs_hash"]),
                "pay_root": to_hex(row["pay_root"]),
                "producer": to_hex(row["producer"]),
                "settled_block": row["settled"],
                "callback_ok": bool(row["callback_ok"]),
            },
            "draw": None,
            "transaction": to_hex(row["settled_tx"]),
            "gas_used": row["gas"],
        }

    def _statement(self, row: Row, segment: Mapping[str, Any], outputs: Sequence[int]) -> Statement:
        contracts = self.network.contracts
        task = task_id(
            self.network.network_id,
            *(contracts["BatchInbox"], row["batch"], row["segment"], row["project"]),
            row["program"],
        )
        return Statement(
            *(self.network.network_id, contracts["Settlement"], task, row["program"]),
            *(bytes.fromhex(segment["root"][2:]), int(segment["field_root"]), segment["count"]),
            *(hash_of_outputs(outputs), row["producer"]),
        )


def _attestations(header: BatchHeader, joined: bytes) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    for at in range(0, len(joined), 65):
        signature = joined[at : at + 65]
        try:
            attester = keys.recover(header.attest_digest(), signature)
        except Rejected:
            attester = bytes(20)
        found.append({"attester": to_hex(attester), "signature": to_hex(signature)})
    return found


def _segment_json(row: Row) -> dict[str, Any]:
    names = ("gateway", "first", "last", "identity_first", "identity_last")
    return {
        "project": row["project"],
        "root": to_hex(row["root"]),
        "field_root": row["field_root"],
        "count": row["count"],
        "ranges": [dict(zip(names, r, strict=True)) for r in json.loads(row["ranges"])],
    }
