"""Time, chance, figures, logs, and the life of a service process."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from opendepin.runtime.chance import SeededChance, SystemChance
from opendepin.runtime.clock import ManualClock, SystemClock
from opendepin.runtime.disk import older
from opendepin.runtime.telemetry import MAX_SAMPLES, Counters, log, open_log

SOURCE = str(Path(__file__).resolve().parents[2] / "src")


def test_the_system_s_clock_goes_on() -> None:
    clock = SystemClock()
    assert abs(clock.now_ms() / 1000 - clock.now_s()) < 2
    assert clock.monotonic() <= clock.monotonic()


async def test_the_manual_clock_wakes_who_is_due() -> None:
    clock, woken = ManualClock(), list[float]()

    async def sleeper(seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append(seconds)

    tasks = [asyncio.ensure_future(sleeper(s)) for s in (1.0, 2.0)]
    await asyncio.sleep(0)
    clock.advance(1.0)
    await asyncio.sleep(0.01)
    assert woken == [1.0]
    clock.advance(5)
    await asyncio.gather(*tasks)
    assert (woken, clock.monotonic()) == ([1.0, 2.0], 6.0)


def test_seeded_chance_repeats_and_the_system_s_does_not() -> None:
    assert SeededChance(5).token(16) == SeededChance(5).token(16)
    assert SystemChance().token(16) != SystemChance().token(16)
    assert {SystemChance().below(3) for _ in range(200)} == {0, 1, 2}


def test_status_has_counts_and_quantiles_over_the_newest_samples() -> None:
    counters = Counters("room", labels=["development keys"], clock=ManualClock(5000))
    counters.add("seen", 2)
    for value in range(3 * MAX_SAMPLES):
        counters.observe("commit", float(value))
    status = counters.status_json(extra=1)
    assert status["counts"] == {"seen": 2}
    assert status["started_ms"] == 5000
    assert (status["service"], status["extra"]) == ("room", 1)
    quantiles = counters.quantiles("commit")
    assert 2 * MAX_SAMPLES <= quantiles["p50"] <= quantiles["p95"] <= quantiles["p99"]
    assert counters.quantiles("nothing") == {}


def test_log_lines_are_json_with_trace(tmp_path: Path) -> None:
    stream = io.StringIO()
    log("gateway", stream).info("admitted", trace=b"\x01\xff", position=3)
    line = json.loads(stream.getvalue())
    assert line["trace"] == "0x01ff"
    assert (line["service"], line["event"], line["level"]) == ("gateway", "admitted", "info")
    open_log("room", tmp_path / "logs" / "room.jsonl", 1_000).error("bad")
    assert json.loads((tmp_path / "logs" / "room.jsonl").read_text())["event"] == "bad"


def test_a_log_is_begun_anew_at_its_most_bytes(tmp_path: Path) -> None:
    path, most = tmp_path / "room.jsonl", 2_000
    writers = [open_log("room", path, most), open_log("cli", path, most)]
    for number in range(60):
        writers[number % 2].info("line", number=number)
    sizes = [each.stat().st_size for each in (path, older(path))]
    assert sorted(tmp_path.iterdir()) == [path, older(path)]
    assert max(sizes) < most + 200
    kept = [json.loads(line)["number"] for each in (older(path), path)
            for line in each.read_text().splitlines()]  # fmt: skip
    assert kept == list(range(60))[-len(kept) :]
    assert len(kept) > 10


def start(body: str) -> subprocess.Popen[bytes]:
    code = f"""
import asyncio, sys
from opendepin.core.errors import Broken, Rejected
from opendepin.runtime import service
async def main(stop):
    service.ready("http://127.0.0.1:1")
{body}
sys.exit(service.run(main))
"""
    env = {**os.environ, "PYTHONPATH": SOURCE}
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_gracefully(number: signal.Signals) -> None:
    with start("    await stop.wait()\n    print('closed', flush=True)") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"READY http://127.0.0.1:1\n"
        process.send_signal(number)
        assert process.stdout.readline() == b"closed\n"
    assert process.returncode == 0


def test_a_second_signal_ends_at_once() -> None:
    with start(
        "    await stop.wait()\n    print('x', flush=True)\n    await asyncio.sleep(60)"
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.stdout.readline() == b"x\n"
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 130


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        ("    raise Rejected('wrong', code='bad-key')", 2, b"bad-key: wrong"),
        ("    raise Broken('rot', code='rot')", 1, b"rot: rot"),
        ("    raise KeyError('surprise')", 1, b"surprise"),
        ("    pass", 0, b""),
    ],
)
def test_exit_codes_tell_whose_fault_it_was(body: str, code: int, words: bytes) -> None:
    with start(body) as process:
        _, said = process.communicate(timeout=20)
    assert process.returncode == code
    assert words in said


def test_an_errors_log_line_keeps_the_values_it_worked_on_out() -> None:
    stream = io.StringIO()

    def fail() -> None:
        secret = "not for logs " * 3
        raise ValueError(len(secret))

    try:
        fail()
    except ValueError as error:
        log("gateway", stream).error("failed", exc_info=error)
    row = json.loads(stream.getvalue())
    (told,) = row["exception"]
    assert [frame["name"] for frame in told["frames"]][-1] == "fail"
    assert "not for logs" not in stream.getvalue()
