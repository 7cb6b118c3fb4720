"""Gateway and explorer against their own OpenAPI documents: Schemathesis asks real servers, well
formed and hostile, and holds every answer to the documented statuses, media types and schemas.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from opendepin.core.encodings import to_hex
from opendepin.runtime.http import client
from opendepin.runtime.processes import spawn
from tests.dims.gateway.live import ROOT, Live, gateway_client
from tests.dims.gateway.world import DEVICES, PROJECT, message_id

pytestmark = pytest.mark.timeout(600)
"""On a machine with nothing else to do the short runs take half a minute together."""
ENV = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
SHORT = ["--phases", "coverage,fuzzing", "--max-examples", "4"]
LONG = ["--phases", "examples,coverage,fuzzing,stateful", "--max-examples", "400"]
NOT_ASKED = "positive_data_acceptance"
"""A schema cannot say which cursor a list gave, nor which bytes a device signed."""
STREAM = "/api/v1/events"
"""Never ends: held to its form in tests/explorer/test_live.py."""


@asynccontextmanager
async def gateway(home: Path) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    live = Live(home, device_burst=1_000_000, project_burst=1_000_000)
    await live.start()
    raw = DEVICES[1].sign(10, time_ms=int(time.time() * 1000))
    async with gateway_client(live.port) as known:
        assert (await known.send(PROJECT, raw)).status == 202
    yield (
        f"http://127.0.0.1:{live.port}",
        {"message_id": to_hex(message_id(raw)), "project": PROJECT},
    )
    await live.stop()


@asynccontextmanager
async def explorer(home: Path) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    argv = [sys.executable, "-m", "tests.explorer.serve_recorded", "0", str(home)]
    child = await spawn("explorer", argv, env=ENV, cwd=ROOT, pipes=True)
    word, port = (await asyncio.wait_for(child.read_line(), 60)).decode().split()
    assert word == "READY"
    base = f"http://127.0.0.1:{port}"
    async with client(base + "/api/v1") as http:
        task = (await items(http, "/tasks?state=settled"))[0]
        device = next(d for d in await items(http, "/devices") if d["last_message"])
    known = {
        "device": device["device"],
        "message": device["last_message"],
        "task": task["task"],
        "batch": str(task["batch"]),
    }
    yield base, known
    assert await child.stop() == 0, list(child.stderr_tail)


async def items(http: httpx.AsyncClient, path: str) -> list[Any]:
    return (await http.get(path)).json()["items"]


async def conform(scratch: Path, document: str, known: dict[str, Any], *more: str) -> None:
    argv = [sys.executable, "-m", "schemathesis.cli", "run", document, "--seed", "1", *more]
    argv += ["--checks", "all", "--exclude-checks", NOT_ASKED, "--no-color", "--warnings", "off"]
    argv += ["--generation-database", "none", "--request-timeout", "30"]
    env = {**ENV, "SCHEMATHESIS_HOOKS": "tests.openapi.hooks", "FUZZ_KNOWN": json.dumps(known)}
    run = await asyncio.create_subprocess_exec(
        *argv,
        env=env,
        cwd=scratch,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said = (await run.communicate())[0].decode()
    assert run.returncode == 0, said[-20_000:]
    assert "No issues found" in said


async def test_the_gateway_answers_as_it_says(tmp_path: Path) -> None:
    async with gateway(tmp_path) as (base, known):
        await conform(tmp_path, base + "/v1/openapi.json", known, *SHORT)


async def test_the_explorer_answers_as_it_says(tmp_path: Path) -> None:
    async with explorer(tmp_path) as (base, known):
        await conform(
            tmp_path, base + "/schema/openapi.json", known, "--exclude-path", STREAM, *SHORT
        )


@pytest.mark.soak
async def test_the_gateway_answers_as_it_says_for_long(tmp_path: Path) -> None:
    async with gateway(tmp_path) as (base, known):
        await conform(tmp_path, base + "/v1/openapi.json", known, *LONG)


@pytest.mark.soak
async def test_the_explorer_answers_as_it_says_for_long(tmp_path: Path) -> None:
    async with explorer(tmp_path) as (base, known):
        await conform(
            tmp_path, base + "/schema/openapi.json", known, "--exclude-path", STREAM, *LONG
        )
