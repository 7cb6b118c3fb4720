"""What a site keeps per state of its index, which day it says is replayed, what it logs."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from io import StringIO
from threading import Event

from litestar.testing import TestClient

from opendepin.explorer.app import build_app
from opendepin.explorer.assets.serving import Assets
from opendepin.explorer.site import Kept
from opendepin.explorer.stats import stats
from opendepin.runtime import telemetry
from tests.explorer import history
from tests.explorer.conftest import Recorded

STATION = history.DEVICE_KEYS[1].address
STRANGER = bytes(range(20))


def test_one_thread_computes_for_all_that_wait() -> None:
    kept, begun, go = Kept(), Event(), Event()
    computed: list[int] = []

    def slow() -> int:
        begun.set()
        assert go.wait(10)
        computed.append(1)
        return len(computed)

    with ThreadPoolExecutor(6) as pool:
        first = pool.submit(kept.get, "stats", lambda: 1, slow)
        assert begun.wait(10)
        others = [pool.submit(kept.get, "stats", lambda: 1, slow) for _ in range(5)]
        go.set()
        assert [each.result(10) for each in (first, *others)] == [1] * 6


def test_a_newer_index_is_computed_anew_and_no_other_answer_is_disturbed() -> None:
    kept, version = Kept(), [1]

    def get(name: str, answer: str) -> str:
        return kept.get(name, lambda: version[0], lambda: answer)

    assert get("stats", "a") == "a"
    assert get("stats", "b") == "a", "the same state, the same answer"
    assert get("map", "c") == "c"
    version[0] = 2
    assert get("stats", "d") == "d"
    assert get("map", "e") == "e"


def test_a_device_that_is_no_station_does_not_move_the_replayed_day(recorded: Recorded) -> None:
    before = stats(recorded.site)["observed_s"]
    assert before is not None
    now = before + 20 * 365 * 86_400
    with recorded.store.connection() as write:
        write.execute(
            "INSERT INTO key_changes SELECT height, 999, ?1, project, 9999, status, public,"
            " history, tx FROM key_changes ORDER BY height DESC LIMIT 1",
            (STRANGER,),
        )
        write.execute(
            "INSERT INTO messages SELECT ?1, gateway, project, 900000, 900000, ?2, 1, time_ms, ?3,"
            " value, raw FROM messages LIMIT 1",
            (bytes(32), STRANGER, now),
        )
    recorded.store.rewind(1 << 40)  # a new state of the index, from which nothing was taken
    assert stats(recorded.site)["observed_s"] == before
    with recorded.store.connection() as write:
        write.execute("UPDATE messages SET device = ?1 WHERE message_id = ?2", (STATION, bytes(32)))
        write.execute("UPDATE messages SET seq = 1 << 40 WHERE message_id = ?", (bytes(32),))
    recorded.store.rewind(1 << 40)
    assert stats(recorded.site)["observed_s"] == now, "a station's newer reading does"


def test_what_cannot_be_answered_is_logged_with_its_reason(
    recorded: Recorded, assets: Assets
) -> None:
    told = StringIO()
    app = build_app(recorded.site, assets, telemetry.log("explorer", told))
    with TestClient(app, raise_server_exceptions=False) as visitor:
        assert visitor.get("/api/v1/tasks?state=wrong").status_code == 400
        assert not told.getvalue(), "a wrong request is no trouble of ours"
        with recorded.store.connection() as write:
            write.execute("DROP VIEW task_states")
        answer = visitor.get("/api/v1/tasks")
    assert answer.status_code == 500
    assert "task_states" not in answer.text
    (line,) = told.getvalue().splitlines()
    assert json.loads(line)["path"] == "/api/v1/tasks"
    assert "no such table" in line
