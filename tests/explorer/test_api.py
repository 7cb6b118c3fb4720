"""The API: every list walks to its end, every figure is whole, every hostile input gets a typed
answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from opendepin.explorer.cursors import cursor_after
from tests.explorer import history
from tests.explorer.conftest import Recorded

Visitor = TestClient[Litestar]
API = "/api/v1"
FIGURE = {"value", "unit", "as_of", "source", "proof_url"}
DEVICE = "0x" + history.DEVICE_KEYS[1].address.hex()
HOSTILE_CURSORS = ["", "x", "%00", "a" * 201, "ZGV2aWNlcy4xLjI", "ü", "../..", "=", "💥"]


def get(client: Visitor, path: str) -> Any:
    answer = client.get(API + path)
    assert answer.status_code == 200, answer.text
    return answer.json()


def figures(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if "unit" in value and "value" in value and "figure" not in value:
            yield value
        for each in value.values():
            yield from figures(each)
    elif isinstance(value, list):
        for each in value:
            yield from figures(each)


def walk(client: Visitor, path: str, limit: int) -> list[Any]:
    found: list[Any] = []
    cursor = ""
    for _ in range(100):
        page = get(client, f"{path}{'&' if '?' in path else '?'}limit={limit}{cursor}")
        assert len(page["items"]) <= limit
        found += page["items"]
        if page["next_cursor"] is None:
            return found
        cursor = f"&cursor={page['next_cursor']}"
    raise AssertionError("the list never ends")


@pytest.mark.parametrize(
    ("path", "key", "total"),
    [
        ("/devices", "device", 70),
        (f"/devices/{DEVICE}/readings", "message_id", None),
        ("/batches", "number", 11),
        ("/tasks", "task", 11),
        ("/tasks?state=settled", "task", 10),
        ("/tasks?state=assigned", "task", 1),
        ("/tasks?state=recalled", "task", 0),
        ("/devices?region=DE-BE", "device", 3),
        ("/devices?status=suspended", "device", 0),
    ],
)
def test_a_list_gives_every_row_once(
    client: Visitor, path: str, key: str, total: int | None
) -> None:
    small = [row[key] for row in walk(client, path, 3)]
    assert small == [row[key] for row in walk(client, path, 500)]
    assert len(set(small)) == len(small)
    assert total is None or len(small) == total


def test_every_figure_says_unit_time_source_and_proof(client: Visitor) -> None:
    task = get(client, "/tasks?state=settled&limit=1")["items"][0]["task"]
    message = get(client, f"/devices/{DEVICE}/readings")["items"][-1]["message_id"]
    paths = ["/stats", "/devices", f"/devices/{DEVICE}", "/batches", "/batches/1", "/tasks"]
    paths += [f"/tasks/{task}", f"/messages/{message}", "/projects", "/regions", "/pipeline"]
    for path in paths:
        found = list(figures(get(client, path)))
        assert found, path
        for figure in found:
            assert set(figure) == FIGURE, (path, figure)
            assert figure["unit"], path
            assert figure["source"], path
            assert set(figure["as_of"]) == {"block", "time"}


def test_the_figures_are_those_of_the_world(client: Visitor, recorded: Recorded) -> None:
    found = get(client, "/stats")
    days = history.days()
    assert found["admitted"]["value"] == sum(map(len, days))
    assert found["batched"]["value"] == sum(map(len, days[:11]))
    assert found["proven"]["value"] == sum(map(len, days[:10]))
    assert found["devices"]["value"] == 70
    assert found["reporting"]["value"] == len({r.device_index for day in days for r in day})
    assert found["head"]["block"] == recorded.world.blocks[-1].height
    assert found["paid"]["value"] == "0.02"


def test_regions_add_up_the_proven_readings(client: Visitor) -> None:
    readings = [r for day in history.days()[:10] for r in day]
    found = get(client, "/regions")["items"]
    assert sum(r["readings"]["value"] for r in found) == len(readings)
    over = sum(r.value > history.LIMIT for r in readings)
    assert sum(r["exceedances"]["value"] for r in found) == over
    berlin = next(r for r in found if r["region"] == "DE-BE")
    values = [r.value for r in readings if history.STATIONS[r.device_index].land == "DE-BE"]
    assert berlin["maximum"]["value"] == f"{max(values) / 1000:.3f}"
    assert berlin["mean"]["value"] == f"{round(sum(values) / len(values)) / 1000:.3f}"


def test_a_reading_is_the_recorded_value(client: Visitor) -> None:
    day = history.days()[0]
    row = next(r for r in day if r.device_index == 1)
    first = walk(client, f"/devices/{DEVICE}/readings", 50)[-1]
    assert first["reading"]["value"] == f"{row.value / 1000:.3f}"
    assert first["observed_s"] == row.observed_s
    assert first["stage"] == "settled"


@pytest.mark.parametrize("limit", ["0", "501", "-1", "1e2", "", "abc", "99999999999", "1.5", "٣"])
def test_a_wrong_limit_is_refused(client: Visitor, limit: str) -> None:
    refused(client, f"{API}/devices", {"limit": limit}, 400, "limit")


@pytest.mark.parametrize("cursor", [*HOSTILE_CURSORS, cursor_after("tasks", (1, 2))])
def test_a_wrong_cursor_is_refused(client: Visitor, cursor: str) -> None:
    refused(client, f"{API}/batches", {"cursor": cursor}, 400, "cursor")


@pytest.mark.parametrize("key", [(1,), (1, 2, 3), (1 << 63, 1)])
def test_a_cursor_of_a_wrong_shape_is_refused(client: Visitor, key: tuple[int, ...]) -> None:
    refused(client, f"{API}/devices", {"cursor": cursor_after("devices", key)}, 400, "cursor")


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/devices/0x00", 400, "identifier"),
        ("/devices/" + "0x" + "AB" * 20, 400, "identifier"),
        ("/devices/0x" + "00" * 20, 404, "not-found"),
        ("/devices/'; drop table messages; --", 400, "identifier"),
        ("/messages/0x" + "00" * 32, 404, "not-found"),
        ("/messages/0x" + "00" * 20 + "/trail", 400, "identifier"),
        ("/tasks/0x" + "ff" * 32, 404, "not-found"),
        ("/tasks/%00", 400, "identifier"),
        ("/batches/0", 404, "not-found"),
        ("/batches/-1", 400, "identifier"),
        ("/batches/" + "9" * 40, 400, "identifier"),
        ("/batches/²", 400, "identifier"),
        ("/tasks?state=paid", 400, "parameter"),
        ("/devices?status=dead", 400, "parameter"),
        ("/devices?region=" + "x" * 17, 400, "parameter"),
        ("/devices?project=x", 400, "identifier"),
        ("/nothing", 404, "not-found"),
    ],
)
def test_a_hostile_request_gets_a_typed_answer(
    client: Visitor, path: str, status: int, code: str
) -> None:
    refused(client, API + path, None, status, code)


def test_another_method_is_refused(client: Visitor) -> None:
    answer = client.post(f"{API}/devices", json={})
    assert answer.status_code == 405
    assert answer.json()["code"] == "method"


def refused(
    client: Visitor, url: str, parameters: dict[str, str] | None, status: int, code: str
) -> None:
    answer = client.get(url, params=parameters)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    problem = answer.json()
    assert problem["code"] == code
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("path", ["/nothing", "/devices/0x00", "/batches/77", "/tasks?state=paid"])
def test_a_page_that_is_not_there_is_a_page_of_words(client: Visitor, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code in {400, 404}
    assert answer.headers["content-type"].startswith("text/html")
    assert "<h1>" in answer.text


@pytest.mark.parametrize(
    ("query", "target"),
    [
        ("DEBB053", f"/devices/{DEVICE}"),
        ("debb053", f"/devices/{DEVICE}"),
        ("Berlin", "/devices?region=DE-BE"),
        ("3", "/batches/3"),
        (DEVICE.upper().replace("0X", "0x"), f"/devices/{DEVICE}"),
    ],
)
def test_search_goes_to_what_the_text_names(client: Visitor, query: str, target: str) -> None:
    answer = client.get("/search", params={"q": query}, follow_redirects=False)
    assert answer.status_code in {302, 307}
    assert answer.headers["location"] == target


def test_search_says_when_nothing_is_found_and_shows_no_markup(client: Visitor) -> None:
    answer = client.get("/search", params={"q": "<script>alert(1)</script>"})
    assert answer.status_code == 200
    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;" in answer.text


def test_pages_forbid_foreign_code_and_frames(client: Visitor) -> None:
    policy = client.get("/").headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy


def test_the_card_alone_may_be_framed(client: Visitor) -> None:
    answer = client.get("/projects/1/card")
    assert "frame-ancestors *" in answer.headers["content-security-policy"]
    assert "<script" not in answer.text
    assert "frame-ancestors 'none'" in client.get("/projects/1").headers["content-security-policy"]


def test_a_project_is_described(client: Visitor) -> None:
    found = client.get("/api/v1/projects/1").json()
    assert found["fields"][0]["name"] == "observed_s"
    assert {row["per"] for row in found["outputs"]} == {"group", "device"}
    assert found["proven"]["value"] == client.get("/api/v1/stats").json()["proven"]["value"] > 0
    assert client.get("/api/v1/projects/2").status_code == 404
    assert client.get("/api/v1/projects/x").status_code == 400
    tasks = client.get("/api/v1/tasks?project=1").json()["items"]
    assert tasks == client.get("/api/v1/tasks").json()["items"]
    assert client.get("/api/v1/tasks?project=2").json()["items"] == []


def test_pages_fetch_nothing_from_elsewhere(client: Visitor) -> None:
    for path in (
        "/",
        "/devices",
        f"/devices/{DEVICE}",
        "/batches/1",
        "/tasks",
        "/cover",
        "/about",
        "/projects",
        "/projects/1",
        "/projects/1/card",
    ):
        text = client.get(path).text.replace("http://www.w3.org/2000/svg", "")
        text = text.replace(f"{str(client.base_url).rstrip('/')}/projects/1/card", "")  # to embed
        assert "http://" not in text, path
        assert "https://" not in text, path


def test_assets_come_compressed_and_for_ever(client: Visitor) -> None:
    home = client.get("/").text
    path = home.split('href="')[1:]
    url = next(p.split('"')[0] for p in path if "maplibre-gl.css" in p)
    for coding in ("br", "gzip"):
        answer = client.get(url, headers={"Accept-Encoding": coding})
        assert answer.headers["content-encoding"] == coding
        assert "immutable" in answer.headers["cache-control"]
    assert client.get(url.replace("maplibre-gl.css", "../../secret")).status_code == 404


def test_the_basemap_has_tiles_and_an_edge(client: Visitor) -> None:
    assert client.get("/tiles/x/4/8/5").status_code == 200
    assert client.get("/tiles/x/4/16/5").status_code == 204
    assert client.get("/tiles/x/99/0/0").status_code == 204


def test_openapi_lists_every_api_path(client: Visitor) -> None:
    schema = client.get("/schema/openapi.json").json()
    wanted = {"/stats", "/devices", "/devices/{device}/readings", "/messages/{message}/trail"}
    wanted |= {"/batches", "/tasks/{task}", "/projects", "/regions", "/events", "/head"}
    assert {API + path for path in wanted} <= set(schema["paths"])
    assert all(path.startswith(API) for path in schema["paths"]), "pages are not in the schema"
