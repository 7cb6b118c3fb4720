"""`depin demo` as README and tutorial give it: it ends by itself, reports, and leaves nothing
behind; while it runs, devices can be registered.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from opendepin.network import control
from opendepin.network.home import Home
from opendepin.runtime import settings
from tests.e2e.networks import depin, small_settings, until

pytestmark = [pytest.mark.e2e, pytest.mark.serial, pytest.mark.timeout(600)]


def test_the_demo_proves_settles_and_checks_itself(tmp_path: Path) -> None:
    home, report = Home(tmp_path / "demo"), tmp_path / "demo.json"
    settings.write_default(home.settings, small_settings())
    plan = ("--for", "20s", "--capacity", "16", "--day", "4", "--report", str(report))
    with ThreadPoolExecutor(1) as beside:
        running = beside.submit(depin, "demo", "--home", str(home.root), *plan)
        reporting = home.root / "stations"
        until(lambda: running.done() or list(reporting.glob("*")), 240, "stations to report")
        made = depin("device", "new", "balcony", "--home", str(home.root))
        done = running.result()
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert made.returncode == 0, made.stderr
    found = json.loads(report.read_text())
    assert found["ok"] is True
    assert found["messages"]["sent"] == found["messages"]["accepted"] > 0
    assert found["messages"]["settled"] > 0
    assert found["messages"]["refused"] == 0
    assert found["tasks"]["settled"] == len(found["proofs"]) >= 1
    assert found["tasks"]["assigned"] >= found["tasks"]["proven"] >= found["tasks"]["settled"]
    assert 0 < found["ready_s"] < found["first_settled_s"] < found["duration_s"] + 10
    assert found["latency_ms"]["receipt"]["p95"]
    assert found["latency_ms"]["settled"]["p95"]
    proof = found["proofs"][0]
    assert proof["kind"] == "zk"
    assert proof["constraints"] > 1_000
    assert proof["gas"] > 200_000
    assert int(found["rewards_wei"]) > 0
    assert int(found["burned_wei"]) > 0
    assert set(found["checks"]) >= {
        "settled",
        "nothing-lost",
        "ordered",
        "money",
        "verify",
        "in-time",
        "verify-altered",
    }
    assert control.holder(home) is None
    assert not home.addresses_file.exists()
