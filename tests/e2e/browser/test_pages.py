"""Every page in three forms: accessible, silent console, nothing from elsewhere, no overflow;
and the journey.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from opendepin.verify.steps import STEPS
from tests.e2e.browser.conftest import Served

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

FORMS: dict[str, dict[str, Any]] = {
    "desktop dark": {"viewport": {"width": 1440, "height": 900}, "color_scheme": "dark"},
    "desktop light": {"viewport": {"width": 1440, "height": 900}, "color_scheme": "light"},
    "phone dark": {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"},
}
GROUNDS = {"dark": "rgb(10, 14, 20)", "light": "rgb(244, 247, 250)"}
"""Colour of the page behind everything, by scheme."""
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
MAP_MS, VERIFY_MS = 90_000, 90_000
FIRST_PAINT_BYTES = 90_000
"""HTML, style and font of a page without map."""


@dataclass
class Visit:
    """A page and what went wrong on it."""

    page: Page
    complaints: list[str] = field(default_factory=list[str])
    foreign: list[str] = field(default_factory=list[str])


@contextmanager
def visit(context: BrowserContext, served: Served, path: str) -> Iterator[Visit]:
    page = context.new_page()
    seen = Visit(page)
    page.on("console", lambda m: seen.complaints.append(f"{m.type}: {m.text}"))
    page.on("pageerror", lambda e: seen.complaints.append(f"error: {e}"))
    page.on(
        "request",
        lambda r: (
            None if r.url.startswith((served.url, "blob:", "data:")) else seen.foreign.append(r.url)
        ),
    )
    page.goto(served.url + path)
    if path == "/":
        _wait_for_map(page)
    yield seen
    page.close()


def _wait_for_map(page: Page) -> None:
    for _ in range(MAP_MS // 250):
        if page.evaluate("Boolean(window.perf && window.perf.idle)"):
            return
        page.wait_for_timeout(250)
    raise AssertionError("the map never came to rest")


def get(served: Served, path: str) -> Any:
    return httpx.get(served.url + "/api/v1" + path, trust_env=False).raise_for_status().json()


def paths(served: Served) -> list[str]:
    task = get(served, "/tasks?state=settled&limit=1")["items"][0]["task"]
    device = next(d for d in get(served, "/devices?limit=500")["items"] if d["exceeds"])
    silent = next(d for d in get(served, "/devices?limit=500")["items"] if not d["reporting"])
    message = get(served, f"/devices/{device['device']}/readings")["items"][-1]["message_id"]
    found = ["/", "/devices", f"/devices/{device['device']}", f"/devices/{silent['device']}"]
    found += [f"/messages/{message}", "/batches", "/batches/1", "/tasks", f"/tasks/{task}"]
    found += ["/projects", "/projects/1", "/projects/1/card"]
    return [*found, "/cover", "/about", "/status", "/search?q=nothing", "/batches/999"]


@pytest.mark.parametrize("form", FORMS)
def test_every_page_is_clean(served: Served, chromium: Browser, axe: str, form: str) -> None:
    context = chromium.new_context(**FORMS[form])
    faults: list[str] = []
    for path in paths(served):
        with visit(context, served, path) as seen:
            seen.page.evaluate(axe)
            options = {"runOnly": {"type": "tag", "values": RULES}, "resultTypes": ["violations"]}
            run = "(options) => window.axe.run(document, options)"
            for broken in seen.page.evaluate(run, options)["violations"]:
                places = [node["target"] for node in broken["nodes"]][:3]
                faults.append(f"{path}: {broken['id']} at {places}")
            wide = seen.page.evaluate("document.documentElement.scrollWidth - innerWidth")
            faults += [f"{path}: {wide} px too wide"] if wide > 0 else []
            complaints = [c for c in seen.complaints if path != "/batches/999" or "404" not in c]
            faults += [f"{path}: console {c}" for c in complaints]
            faults += [f"{path}: asks {url}" for url in seen.foreign]
    context.close()
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("form", ["desktop dark", "phone dark"])
def test_from_a_station_to_a_red_step(served: Served, chromium: Browser, form: str) -> None:
    context = chromium.new_context(**FORMS[form])
    with visit(context, served, "/") as seen:
        page = seen.page
        page.get_by_role("row", name="DEBB056").get_by_role("link", name="DEBB056").click()
        expect(page.get_by_role("heading", level=1)).to_contain_text("DEBB056")
        settled = page.locator("tr", has_text="proven, settled").first
        settled.get_by_role("link", name="Follow").click()
        expect(page.locator(".trail li.done")).to_have_count(7)
        page.get_by_role("button", name="Verify", exact=True).click()
        verdict = page.locator("#verifier .verdict")
        expect(verdict).to_have_attribute("data-verdict", "holds", timeout=VERIFY_MS)
        expect(page.locator('#verifier li[data-outcome="holds"]')).to_have_count(len(STEPS))
        for step, why in (
            ("device-signature", "does not match key and bytes"),
            ("proof", "not on its curve"),
            ("l1-storage", "another hash"),
        ):
            row = page.locator(f'#verifier li[data-step="{step}"]')
            if not row.get_by_role("button", name="Alter a byte here").is_visible():
                row.locator("summary").click()
            row.get_by_role("button", name="Alter a byte here").click()
            expect(verdict).to_have_attribute("data-verdict", "fails", timeout=VERIFY_MS)
            expect(row).to_have_attribute("data-outcome", "fails")
            expect(row.locator("small")).to_contain_text(why)
            expect(page.locator(".altered")).to_contain_text("You altered")
            page.get_by_role("button", name="Restore the true bytes").click()
            expect(verdict).to_have_attribute("data-verdict", "holds", timeout=VERIFY_MS)
        assert not seen.complaints
    context.close()


def test_the_map_shows_the_stations_and_opens_one(served: Served, chromium: Browser) -> None:
    context = chromium.new_context(**FORMS["desktop dark"])
    with visit(context, served, "/") as seen:
        page = seen.page
        drawn = (
            "[...new Set(map.queryRenderedFeatures({layers:['stations','silent']}).map(f=>f.id))]"
        )
        assert len(page.evaluate(drawn)) >= 60, "but for those under the panels"
        found = get(served, "/map")["features"]
        place = next(f for f in found if f["properties"]["name"] == "DENI063")
        at = page.evaluate(f"map.project({json.dumps(place['geometry']['coordinates'])})")
        box = page.locator("#map").bounding_box()
        assert box
        page.mouse.click(box["x"] + at["x"], box["y"] + at["y"])
        popup = page.locator(".maplibregl-popup")
        expect(popup).to_contain_text("DENI063")
        expect(popup).to_contain_text("µg/m³")
        popup.get_by_role("link", name="proof trail").click()
        expect(page.get_by_role("button", name="Verify", exact=True)).to_be_visible()
    context.close()


def test_a_page_can_be_used_by_keyboard(served: Served, chromium: Browser) -> None:
    context = chromium.new_context(**FORMS["desktop dark"])
    with visit(context, served, "/devices") as seen:
        page = seen.page
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
        page.keyboard.press("Enter")
        assert page.evaluate("location.hash") == "#content"
        page.keyboard.press("/")
        expect(page.get_by_role("searchbox")).to_be_focused()
        page.keyboard.type("DEBB053")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", level=1)).to_contain_text("DEBB053")
    context.close()


def test_colours_are_kept_by_choice(served: Served, chromium: Browser) -> None:
    context = chromium.new_context(**FORMS["desktop light"])
    with visit(context, served, "/about") as seen:
        page = seen.page
        shade = "document.documentElement.dataset.shade"
        assert page.evaluate(shade) == "light"
        page.locator("#theme").click()
        assert page.evaluate(shade) == "dark"
        page.reload()
        assert page.evaluate(shade) == "dark"
        expect(page.locator("#theme")).to_have_attribute("aria-label", "Colours: dark")
    context.close()


@pytest.mark.parametrize("system", ["dark", "light"])
@pytest.mark.parametrize("chosen", ["auto", "dark", "light"])
def test_colours_follow_the_choice_else_the_system(
    served: Served, chromium: Browser, system: str, chosen: str
) -> None:
    context = chromium.new_context(**FORMS[f"desktop {system}"])
    context.add_init_script(f"localStorage.setItem('theme', '{chosen}')")
    with visit(context, served, "/about") as seen:
        ground = seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert ground == GROUNDS[system if chosen == "auto" else chosen]
    context.close()


def test_a_page_reads_without_script(served: Served, chromium: Browser) -> None:
    context = chromium.new_context(java_script_enabled=False, **FORMS["desktop dark"])
    page = context.new_page()
    page.goto(served.url + "/")
    expect(page.get_by_role("row")).to_have_count(71)
    expect(page.locator("#feed li")).to_have_count(12)
    context.close()


def test_a_page_without_map_is_small(served: Served, chromium: Browser) -> None:
    context = chromium.new_context(**FORMS["phone dark"])
    sizes: list[int] = []
    page = context.new_page()
    page.on(
        "requestfinished",
        lambda r: (
            sizes.append(r.sizes()["responseBodySize"])
            if r.resource_type in {"document", "stylesheet", "font"}
            else None
        ),
    )
    page.goto(served.url + "/cover")
    assert 0 < sum(sizes) < FIRST_PAINT_BYTES, sizes
    context.close()


def test_the_first_page_moves_with_the_network(served: Served, chromium: Browser) -> None:
    context = chromium.new_context(**FORMS["desktop dark"])
    with visit(context, served, "/") as seen:
        page = seen.page
        expect(page.locator(".live")).to_have_attribute("data-state", "live")
        before = get(served, "/stats")
        served.grow()
        after = get(served, "/stats")
        assert after["proven"]["value"] > before["proven"]["value"]
        expect(page.locator("#feed")).to_contain_text("Proof verified, settled")
        expect(page.locator("#feed")).to_contain_text("Batch 12 accepted")
        expect(page.locator('.kpis [data-live="proven"]')).to_have_text(
            str(after["proven"]["value"]), timeout=10_000
        )
        page.get_by_role("button", name="Pause live updates").click()
        expect(page.locator(".live")).to_have_attribute("data-state", "paused")
        assert not seen.complaints
    context.close()
