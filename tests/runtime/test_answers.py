"""No peer can make us read without end: every client of the product against a hostile server."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from opendepin.chain.errors import NodeAway, NodeFault
from opendepin.chain.jsonrpc import Rpc
from opendepin.core.errors import DepinError, PeerFault
from opendepin.dims.availability.client import StoreClient
from opendepin.dims.gateway.client import GatewayClient
from opendepin.network import trails
from opendepin.network.control import _ask
from opendepin.network.errors import NotRunning
from opendepin.network.home import Home
from opendepin.network.serve import BUILDERS
from opendepin.network.sources.feeds import FeedSource
from opendepin.runtime import answers
from opendepin.runtime.clock import SystemClock
from opendepin.runtime.http import AnswerRefused, at_most, client, json_of, plain_client
from opendepin.sdk.adapters import http as sdk_http
from opendepin.sdk.errors import GatewayAway
from tests.runtime.hostile import ALL, HEAD, hostile, nests_deep

MOST, LONGEST_S = 1 << 20, 0.5
RECURSION = 1_000
"""Python's own limit: what makes JSON that nests without end an error and not a crash."""
MEMORY_BYTES = 24 << 20
"""A refused answer costs less than this, whatever was sent."""


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(answers, "LONGEST_ANSWER_S", LONGEST_S)
    monkeypatch.setattr(sdk_http, "MAX_ANSWER_S", LONGEST_S)
    before = sys.getrecursionlimit()  # libraries that only tests have raise it
    sys.setrecursionlimit(RECURSION)
    yield
    sys.setrecursionlimit(before)


@pytest.mark.parametrize("name", ALL)
async def test_an_answer_out_of_bounds_is_refused_and_costs_no_memory(name: str) -> None:
    behave, code = ALL[name]
    async with hostile(behave) as base, client(base, most_bytes=MOST) as http:
        tracemalloc.start()
        try:
            with pytest.raises(httpx.HTTPError) as refused:
                await asyncio.wait_for(http.get("/"), 10)
            assert tracemalloc.get_traced_memory()[1] < MEMORY_BYTES
        finally:
            tracemalloc.stop()
    found = refused.value.code if isinstance(refused.value, AnswerRefused) else None
    assert found == code


@pytest.mark.parametrize("name", [name for name in ALL if name != "no head"])
async def test_a_command_that_waits_is_bounded_too(name: str) -> None:
    behave, code = ALL[name]

    def ask(base: str) -> None:
        with plain_client(2.0) as http:
            http.get(base, extensions=at_most(MOST))

    async with hostile(behave) as base:
        with pytest.raises(httpx.HTTPError) as refused:
            await asyncio.wait_for(asyncio.to_thread(ask, base), 10)
    found = refused.value.code if isinstance(refused.value, AnswerRefused) else None
    assert found == code


@pytest.mark.parametrize(("size", "good"), [(100, True), (101, False)])
@pytest.mark.parametrize("declared", [True, False])
async def test_the_bound_is_exact(size: int, good: bool, declared: bool) -> None:
    async def behave(writer: asyncio.StreamWriter) -> None:
        length = b"content-length: %d\r\n\r\n" % size
        head = length if declared else b"transfer-encoding: chunked\r\n\r\n%x\r\n" % size
        writer.write(HEAD + head + b"x" * size + (b"" if declared else b"\r\n0\r\n\r\n"))

    async with hostile(behave) as base, client(base) as http:
        if good:
            answer = await http.get("/", extensions=at_most(100))
            assert answer.content == b"x" * size
        else:
            with pytest.raises(AnswerRefused):
                await http.get("/", extensions=at_most(100))


async def test_json_that_nests_without_end_is_no_json() -> None:
    async with hostile(nests_deep) as base, client(base) as http:
        with pytest.raises(ValueError, match="deep"):
            json_of(await http.get("/"))


def test_no_library_of_a_service_lifts_the_recursion_limit() -> None:
    rooms = ", ".join(f"opendepin.network.builders.{name}" for name in set(BUILDERS.values()))
    code = f"import sys, opendepin.cli.app, {rooms}; print(sys.getrecursionlimit())"
    source = str(Path(answers.__file__).resolve().parents[2])
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, env={"PYTHONPATH": source}
    )
    assert int(said.stdout) == RECURSION


@pytest.mark.parametrize("name", [*ALL, "deep"])
async def test_every_room_takes_it_for_a_fault_of_its_peer(name: str) -> None:
    behave = nests_deep if name == "deep" else ALL[name][0]
    clock = SystemClock()
    async with hostile(behave) as base, client(base, most_bytes=MOST) as http:
        store = StoreClient(bytes(20), http, None)  # pyright: ignore[reportArgumentType]
        asked = {
            "feed": FeedSource(http, base).after(0, 10),
            "gateway": GatewayClient(http, bytes(32)).receipt(bytes(32)),
            "status": GatewayClient(http, bytes(32)).status(),
            "groups": GatewayClient(http, bytes(32)).feed(0),
            "store": store.batch(1),
        }
        for question in asked.values():
            with pytest.raises(PeerFault):
                await asyncio.wait_for(question, 10)
        with pytest.raises((NodeAway, NodeFault)):
            await asyncio.wait_for(Rpc(base, http, clock, patience_s=0.0).call("eth_chainId"), 10)


@pytest.mark.parametrize("name", [name for name in ALL if name != "no head"])
async def test_a_device_takes_it_for_a_gateway_that_is_away(name: str) -> None:
    async with hostile(ALL[name][0]) as base, httpx.AsyncClient(trust_env=False) as http:
        with pytest.raises(GatewayAway):
            await asyncio.wait_for(sdk_http.HttpNet(http).post(base, "application/cose", b"x"), 10)


@pytest.mark.parametrize("name", ["too much", "no end", "a gzip bomb", "deep"])
async def test_the_command_line_says_that_nobody_answers(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "MAX_ANSWER_BYTES", MOST)
    behave = nests_deep if name == "deep" else ALL[name][0]
    home = Home(tmp_path)
    home.addresses_file.parent.mkdir(parents=True)

    def ask(base: str) -> None:
        home.addresses_file.write_text(json.dumps({"explorer": base, "l1": base}))
        with plain_client(2.0) as http:
            assert _ask(http, base) == {}
        with pytest.raises((NotRunning, DepinError)):
            trails.Api(home).get("/head")

    async with hostile(behave) as base:
        await asyncio.wait_for(asyncio.to_thread(ask, base), 20)
