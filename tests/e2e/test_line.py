"""The whole line as its user meets it: devices, commands, trails, altered bytes, exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from opendepin.network.home import Home
from opendepin.verify.steps import STEPS
from tests.e2e.networks import Network, depin, until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def message(network: Network) -> str:
    """Register a device, send a reading, and wait until its trail is complete."""
    made = network.json("device", "new", "tester")
    assert made["index"] == 70
    sent = network.json("device", "send", "tester", "--value", "51000")
    identifier = sent["message_id"]

    def complete() -> bool:
        done = network.depin("verify", identifier, "--json")
        return done.returncode == 0 and json.loads(done.stdout)["complete"]

    until(complete, 180, "the reading to be settled")
    return identifier


def test_a_trail_verifies_down_to_layer_1(network: Network, message: str) -> None:
    found = network.json("verify", message)
    assert found["ok"]
    assert found["complete"]
    assert {step["outcome"] for step in found["steps"]} == {"holds"}
    assert len(found["steps"]) == len(STEPS)
    said = network.depin("verify", message).stdout
    assert "every step holds" in said
    assert "development" in said


def test_the_device_and_the_task_verify_too(network: Network, message: str) -> None:
    device = network.json("device", "show", "tester")["device"]
    assert network.json("verify", device)["subject"]["id"] == message
    task = network.json("task", "list", "--state", "settled")["items"][0]["task"]
    assert network.json("verify", task)["ok"]
    assert network.json("task", "show", task)["state"] == "settled"
    again = network.depin("task", "retry", task)
    assert (again.returncode, "callback-done" in again.stderr) == (2, True), again.stderr


def test_a_bundle_verifies_offline_and_altered_ones_fail(
    network: Network, message: str, tmp_path: Path
) -> None:
    file = tmp_path / "bundle.json"
    said = network.depin("export", message, "--file", str(file))
    assert said.returncode == 0, said.stderr
    trusted = said.stdout.split("--block-hash ")[1].split()[0]
    elsewhere = str(tmp_path / "elsewhere")
    genesis = str(network.home.genesis_file)
    brought = ("--genesis", genesis, "--block-hash", trusted, "--home", elsewhere)
    done = depin("verify", "--bundle", str(file), *brought, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout)["complete"]
    bundle = json.loads(file.read_text())
    for name, step in ALTERATIONS.items():
        altered = json.loads(json.dumps(bundle))
        alter(altered, name)
        file.write_text(json.dumps(altered))
        done = depin("verify", "--bundle", str(file), *brought, "--json")
        failed = [s["name"] for s in json.loads(done.stdout)["steps"] if s["outcome"] == "fails"]
        assert done.returncode == 4, (name, done.stderr)
        assert step in failed, (name, failed)
    other = "0x" + "11" * 32
    wrong = ("--genesis", genesis, "--block-hash", other, "--home", elsewhere)
    file.write_text(json.dumps(bundle))
    done = depin("verify", "--bundle", str(file), *wrong, "--json")
    assert done.returncode == 4


ALTERATIONS = {
    "receipt.signature": "receipt-signature",
    "batch.body": "data-root",
    "task.outputs.0": "outputs",
    "task.proof": "proof",
    "l1.block.header": "l1-block",
    "batch.attestations.0.signature": "attesters",
}
"""Place in the bundle → a step that must fail when it is altered."""


def alter(bundle: dict[str, Any], name: str) -> None:
    """Change one byte (or one figure) at a place."""
    value: Any = bundle
    *path, last = name.split(".")
    for key in path:
        value = value[int(key)] if key.isdigit() else value[key]
    key = int(last) if last.isdigit() else last
    before = value[key]
    middle = len(before) // 2
    if before.startswith("0x"):
        flipped = "0" if before[middle] != "0" else "1"
        value[key] = before[:middle] + flipped + before[middle + 1 :]
    else:
        value[key] = str(int(before) + 1)


def test_a_suspended_device_is_refused_and_a_rotated_key_takes_over(network: Network) -> None:
    network.json("device", "new", "mover")
    assert network.json("device", "send", "mover", "--value", "1")["position"]
    network.json("device", "suspend", "mover")
    refused = network.depin("device", "send", "mover", "--value", "2")
    assert refused.returncode == 2
    assert "suspended" in refused.stderr
    network.json("device", "resume", "mover")
    network.json("device", "rotate-key", "mover")

    def sent() -> bool:
        return network.depin("device", "send", "mover", "--value", "3").returncode == 0

    until(sent, 60, "the rotated key to be taken")
    network.json("device", "revoke", "mover", "--yes")
    gone = network.depin("device", "send", "mover", "--value", "4")
    assert gone.returncode == 2
    assert "revoked" in gone.stderr


def test_read_commands_speak_json_and_tables(network: Network, message: str) -> None:
    assert set(network.json("status")["services"]) >= {"l1", "gateway", "sequencer", "explorer"}
    assert network.json("device", "list")["items"]
    batches = network.json("batch", "list")["items"]
    assert network.json("batch", "show", str(batches[0]["number"]))["number"]
    doctor = network.depin("doctor", "--json")
    assert doctor.returncode == 0, doctor.stdout
    for command in (("status",), ("device", "list"), ("task", "list"), ("batch", "list")):
        table = network.depin(*command)
        assert table.returncode == 0, table.stderr
        assert table.stdout.strip()
    lines = network.depin("logs", "sequencer", "-n", "5").stdout.splitlines()
    assert all(json.loads(line)["service"] == "sequencer" for line in lines)


def test_one_id_traces_a_message_from_batch_to_layer_1(network: Network, message: str) -> None:
    lines = network.depin("logs", "--trace", message, "-n", "500").stdout.splitlines()
    rows = [json.loads(line) for line in lines]
    assert {row["service"].partition("-")[0] for row in rows} >= {"sequencer", "store", "operator"}
    assert {row["event"] for row in rows} >= {"sealed", "attested", "proven", "intent-ended"}
    assert network.depin("logs", "--trace", "0x" + "5a" * 32).stdout == ""


def test_errors_say_what_and_end_with_their_code(network: Network, tmp_path: Path) -> None:
    nowhere = Home(tmp_path / "nowhere")
    assert network.depin("status", home=nowhere).returncode == 3
    assert network.depin("device", "list", home=nowhere).returncode == 3
    for arguments in (
        ("verify", "0x12"),
        ("verify", "0x" + "00" * 32),
        ("verify",),
        ("task", "show", "hello"),
        ("task", "retry", "hello"),
        ("task", "retry", "0x" + "00" * 32),
        ("device", "new", "../evil"),
        ("device", "new", "x", "--project", "99"),
        ("device", "send", "nobody", "--value", "1"),
        ("device", "send", "tester", "--value", "-1"),
        ("logs", "nobody"),
    ):
        done = network.depin(*arguments)
        assert done.returncode == 2, (arguments, done.returncode, done.stderr)
        assert "error" in done.stderr.lower()
        assert "Traceback" not in done.stderr
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    done = network.depin("verify", "--bundle", str(broken))
    assert done.returncode == 4
    assert "not a bundle" in done.stderr


def test_a_broken_setting_is_named(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    home.root.mkdir()
    home.settings.write_text("[availability]\nthreshold = 'many'\n")
    done = depin("up", "--home", str(home.root))
    assert done.returncode == 2
    assert "availability.threshold" in done.stderr
    assert "many" in done.stderr
