"""What a run's report counts: each proof once, and seconds from the process's own start."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from opendepin.demo.report import first_settled_s, proof_seconds
from opendepin.network.home import Home
from opendepin.runtime.disk import older


def task(time_s: int) -> dict[str, Any]:
    return {"task": "0x00", "settled_time": time_s}


def test_the_first_settled_task_since_the_start_counts() -> None:
    assert first_settled_s([task(130), task(117), task(90)], 100.5) == 16.5


def test_nothing_settled_since_the_start_is_no_figure() -> None:
    assert first_settled_s([task(90)], 100.5) is None
    assert first_settled_s([], 100.5) is None


def test_proofs_are_counted_through_logs_that_were_begun_anew(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    line = {"time": "1", "event": "proof", "seconds": 1.5}
    (logs / "operator-0.jsonl").write_text(json.dumps(line | {"trace": "0x01"}) + "\n")
    older(logs / "operator-0.jsonl").write_text(json.dumps(line | {"trace": "0x02"}) + "\n")
    (logs / "operator-1.jsonl").write_text(json.dumps(line | {"trace": "0x01"}) + "\n")
    assert proof_seconds(Home(tmp_path)) == {"0x01": 1.5, "0x02": 1.5}


def test_a_process_knows_when_it_began() -> None:
    code = "from opendepin.runtime.clock import began_s; print(began_s())"
    before = time.time()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert before - 0.1 <= float(done.stdout) <= before + 1.0
