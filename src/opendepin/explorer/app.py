"""The web application: API, pages, assets and tiles under one ASGI app.

`build_app` is what a composition root calls; nothing here reads settings or opens sockets.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, cast

from jinja2 import Environment, PackageLoader, select_autoescape
from litestar import Litestar, Request, Response, get
from litestar.config.response_cache import ResponseCacheConfig
from litestar.datastructures import State
from litestar.di import NamedDependency, Provide
from litestar.exceptions import NotFoundException
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.params import FromPath
from litestar.plugins.jinja import JinjaTemplateEngine
from litestar.template import TemplateConfig

from opendepin import __version__
from opendepin.core.encodings import to_hex
from opendepin.explorer import views
from opendepin.explorer.api import Api
from opendepin.explorer.assets.serving import Assets
from opendepin.explorer.config import POLICY
from opendepin.explorer.pages import Pages
from opendepin.explorer.problems import respond
from opendepin.explorer.site import Site, short
from opendepin.runtime import telemetry

FromAssets = NamedDependency[Assets]
"""The assets, given by `build_app`."""

FOREVER = "public, max-age=31536000, immutable"
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


@get("/assets/{version:str}/{name:path}", include_in_schema=False)
async def asset(
    request: Request[Any, Any, State], name: FromPath[str], assets: FromAssets
) -> Response[bytes]:
    """Serve one asset in the smallest form the browser takes."""
    found = assets.get(name.removeprefix("/"))
    if found is None:
        raise NotFoundException
    content, coding = found.choose(request.headers.get("accept-encoding", ""))
    headers = {"Cache-Control": FOREVER, "Vary": "Accept-Encoding"}
    if coding:
        headers["Content-Encoding"] = coding
    return Response(content, media_type=found.media_type, headers=headers)


@get("/tiles/{version:str}/{z:int}/{x:int}/{y:int}", include_in_schema=False)
async def tile(
    z: FromPath[int], x: FromPath[int], y: FromPath[int], assets: FromAssets
) -> Response[bytes]:
    """Serve one tile of the basemap."""
    content = assets.tile(z, x, y)
    headers = {"Cache-Control": FOREVER}
    if content is None:
        return Response(b"", status_code=204, headers=headers)
    headers["Content-Encoding"] = "gzip"
    return Response(content, media_type="application/vnd.mapbox-vector-tile", headers=headers)


@get("/healthz", include_in_schema=False)
async def healthz() -> dict[str, bool]:
    """Say that the process answers."""
    return {"ok": True}


def build_app(site: Site, assets: FromAssets, log: Any = None) -> Litestar:
    """Return the ASGI application over a site and its assets; what it fails to answer is logged."""
    site.assets_version = assets.version

    def give_site() -> Site:
        return site

    def give_assets() -> Assets:
        return assets

    return Litestar(
        route_handlers=[Api, Pages, asset, tile, healthz],
        dependencies={
            "site": Provide(give_site, sync_to_thread=False),
            "assets": Provide(give_assets, sync_to_thread=False),
        },
        state=State({"site": site, "log": log or telemetry.log("explorer")}),
        template_config=TemplateConfig(instance=_engine(site)),
        exception_handlers={Exception: respond},
        response_headers=HEADERS,
        response_cache_config=ResponseCacheConfig(),
        openapi_config=OpenAPIConfig(
            title="OpenDePIN explorer",
            version=__version__,
            path="/schema",
            render_plugins=[JsonRenderPlugin()],
        ),
        logging_config=None,
    )


def _engine(site: Site) -> JinjaTemplateEngine:
    environment = Environment(
        loader=PackageLoader("opendepin.explorer"),
        autoescape=select_autoescape(),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # The library leaves its tables untyped.
    untyped = cast(Any, environment)
    filters = cast(dict[str, Callable[..., Any]], untyped.filters)
    filters.update(
        short=short,
        utc=_utc,
        day=_day,
        clock=_clock,
        digits=_digits,
        hex=to_hex,
        odp=views.tokens_text,
    )

    def asset_url(name: str) -> str:
        return f"/assets/{site.assets_version}/{name}"

    shared = cast(dict[str, Any], untyped.globals)
    shared["asset"] = asset_url
    return JinjaTemplateEngine.from_environment(environment)


def _utc(seconds: int | None) -> str:
    """Write Unix seconds as a UTC time for reading."""
    if seconds is None:
        return "–"
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _clock(seconds: int | None) -> str:
    """Write the time of day of Unix seconds, UTC."""
    return "" if seconds is None else _utc(seconds)[11:]


def _day(seconds: int | None) -> str:
    """Write Unix seconds as a UTC date for reading."""
    return "–" if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")


def _digits(value: int | float | str | None) -> str:
    """Write a number with thin grouping of its digits."""
    if value is None:
        return "–"
    if isinstance(value, str):
        whole, dot, rest = value.partition(".")
        return f"{int(whole):,}{dot}{rest}" if whole.lstrip("-").isdigit() else value
    return f"{value:,}"
