"""The adapters of an ordinary computer: files that survive kill -9, HTTP that answers anything."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from opendepin.core.encodings import cbor_decode
from opendepin.sdk import GatewayAway, StoreInUse
from opendepin.sdk.adapters.http import MAX_WAIT_S, HttpNet
from opendepin.sdk.adapters.system import FileStore, SystemClock
from opendepin.sdk.sender import MAX_ANSWER_BYTES

ROOT = Path(__file__).parents[2]
KILLS = 6


def test_kill_9_turns_no_sequence_number_back_and_loses_no_reading(tmp_path: Path) -> None:
    chance = random.Random(9)
    said: list[str] = []
    for _ in range(KILLS):
        child = subprocess.Popen(
            [sys.executable, "-m", "tests.sdk.endless_device", str(tmp_path)],
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
            text=True,
        )
        assert child.stdout is not None
        with child.stdout:
            assert child.stdout.readline() == "READY\n"
            said += [child.stdout.readline() for _ in range(chance.randrange(150))]
            child.kill()
            said += child.stdout.readlines()
        child.wait()
    whole = [line.split() for line in said if line.endswith("\n")]
    seqs = [int(number) for word, number in whole if word == "seq"]
    kept = [int(number) for word, number in whole if word == "kept"]
    assert len(seqs) > KILLS
    assert all(before < after for before, after in itertools.pairwise(seqs))
    store = FileStore(tmp_path)
    queue = [name for name in store.names() if name.startswith("queue-")]
    values = [cbor_decode((store.read(name) or b"")[1:])[2] for name in queue]
    assert set(kept) <= set(values)
    assert values == sorted(set(values))


def test_a_folder_serves_one_store_at_a_time(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    with pytest.raises(StoreInUse, match="one process at a time"):
        FileStore(tmp_path)
    store.close()
    store.close()
    FileStore(tmp_path).close()


def test_files_are_whole_or_not_there(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    assert store.names() == []
    assert store.read("seq") is None
    store.write("seq", b"64")
    store.write("seq", b"128")
    store.remove("nothing")
    store.close()
    (tmp_path / "seq.part").write_bytes(b"19")
    again = FileStore(tmp_path)
    assert again.names() == ["seq"]
    assert again.read("seq") == b"128"
    assert (tmp_path / "seq").stat().st_mode & 0o777 == 0o600
    again.remove("seq")
    assert again.names() == []
    again.close()


def test_the_clock_goes() -> None:
    clock = SystemClock()
    before = clock.now_ms()
    assert 1_600_000_000_000 < before <= clock.now_ms()


@asynccontextmanager
async def answering(raw: bytes) -> AsyncIterator[str]:
    """Serve one raw HTTP answer on loopback; give its URL."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(raw)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def post(url: str) -> tuple[int, bytes, float]:
    async with httpx.AsyncClient(timeout=5, trust_env=False) as client:
        found = await HttpNet(client).post(url, "application/cose", b"")
    return found.status, found.body, found.retry_after_s


@pytest.mark.parametrize(
    ("wait", "seconds"),
    [
        (b"2", 2.0),
        (b"0.5", 0.5),
        (b"999999999", MAX_WAIT_S),
        (b"1e999", 0.0),
        (b"-1", 0.0),
        (b"\xb2", 0.0),
        (b"Wed, 21 Oct 2026 07:28:00 GMT", 0.0),
    ],
)
async def test_the_wait_is_a_plain_bounded_number(wait: bytes, seconds: float) -> None:
    head = b"HTTP/1.1 429 Slow\r\nRetry-After: " + wait
    async with answering(head + b"\r\nContent-Length: 2\r\n\r\nno") as url:
        assert await post(url) == (429, b"no", seconds)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"garbage\r\n\r\n",
        b"HTTP/1.1 202 Ok\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 202 Ok\r\n\r\n" + b"x" * (MAX_ANSWER_BYTES + 1),
        b"HTTP/1.1 202 Ok\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc",
    ],
    ids=["nothing", "garbage", "short", "endless", "bad gzip"],
)
async def test_an_answer_that_is_none_is_an_absent_gateway(raw: bytes) -> None:
    async with answering(raw) as url:
        with pytest.raises(GatewayAway):
            await post(url)


async def test_a_closed_port_is_an_absent_gateway() -> None:
    async with answering(b"") as url:
        pass
    with pytest.raises(GatewayAway):
        await post(url)
