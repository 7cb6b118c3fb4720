"""A device in JavaScript, written from the specification alone, is accepted byte for byte."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from opendepin.core import message
from opendepin.core.encodings import from_hex, to_hex
from opendepin.core.keys import Key

ROOT = Path(__file__).parents[2]
PROGRAM = Path(__file__).parent / "other_language" / "device.mjs"
VECTORS: dict[str, Any] = json.loads((ROOT / "tests/core/vectors/message.json").read_text())


def run_device(task: dict[str, Any]) -> list[dict[str, Any]]:
    """Have the JavaScript device sign, and send when the task has a URL."""
    places = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    node = shutil.which("node", path=places)
    assert node is not None, "`make setup` brings Node.js"
    given = json.dumps(task).encode()
    done = subprocess.run(
        [node, str(PROGRAM)], input=given, capture_output=True, timeout=60, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)["messages"]


def task_of_vectors() -> dict[str, Any]:
    head = {name: VECTORS[name] for name in ("network_id", "project", "device")}
    rows = [{n: row[n] for n in ("seq", "time_ms", "data")} for row in VECTORS["good"]]
    return {**head, "secret": VECTORS["device_secret"], "messages": rows}


def test_it_makes_the_vectors() -> None:
    made = run_device(task_of_vectors())
    assert made == [
        {"message": row["message"], "message_id": row["message_id"]} for row in VECTORS["good"]
    ]


def test_what_it_makes_is_parsed_and_verified() -> None:
    key = Key.from_seed(b"a device in another language")
    rows = [
        {"seq": 5, "time_ms": 1_790_000_000_123, "data": {"1": 1_790_000_000, "2": 23, "24": -25}},
        {"seq": 2**32, "time_ms": 65_536, "data": {"1": 0, "300": -(2**31)}},
    ]
    task = task_of_vectors() | {"secret": to_hex(key.secret), "device": to_hex(key.address)}
    aad = message.external_aad(from_hex(VECTORS["network_id"], 32), VECTORS["project"])
    for row, made in zip(rows, run_device(task | {"messages": rows}), strict=True):
        signed = message.parse(from_hex(made["message"]))
        assert (signed.device, signed.seq, signed.time_ms) == (
            key.address,
            row["seq"],
            row["time_ms"],
        )
        assert {str(k): v for k, v in signed.data.items()} == row["data"]
        identifier = message.message_id(signed, aad)
        assert made["message_id"] == to_hex(identifier)
        message.verify(signed, identifier, key.public)
        data = {int(k): v for k, v in row["data"].items()}
        ours = message.build(key, key.address, row["seq"], row["time_ms"], data, aad)
        assert signed.raw == ours


@pytest.mark.parametrize("change", [{"project": 8}, {"network_id": "0x" + "00" * 32}])
def test_what_it_signs_for_elsewhere_is_not_ours(change: dict[str, Any]) -> None:
    (made, *_) = run_device(task_of_vectors() | change)
    assert made["message_id"] != VECTORS["good"][0]["message_id"]
    signed = message.parse(from_hex(made["message"]))
    aad = message.external_aad(from_hex(VECTORS["network_id"], 32), VECTORS["project"])
    with pytest.raises(message.keys.SignatureRejected):
        message.verify(
            signed, message.message_id(signed, aad), from_hex(VECTORS["device_public"], 64)
        )
