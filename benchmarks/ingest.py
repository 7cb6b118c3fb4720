"""The gateway against the raw signature rate: durable, ordered, receipted messages per server
CPU-second.

Peer: `coincurve`, verifying the same messages' signatures in one loop, in the same run. Server and
load are processes of their own; the server's CPU time is read from /proc. Promises: ≥ 35 % at one
message a request, ≥ 70 % in frames of 16 and more; p99 ≤ 50 ms at half load; memory bounded under
ten times the load.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import coincurve
import uvloop
from coincurve.ecdsa import cdata_to_der, deserialize_compact

from opendepin.core import keys, message
from opendepin.core.identity import KeyChange, Status
from opendepin.core.schema import Field, Schema
from tests.dims.gateway.node import Node

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / ".build" / "bench" / "ingest.json"
NETWORK = bytes(range(32))
PROJECT = 1
DEVICES = 4_096
SCHEMA = Schema(
    (
        Field(1, "observed_s", 0, (1 << 40) - 1),
        *(Field(key, f"reading_{key}", -(10**9), 2 * 10**9) for key in range(2, 15)),
    )
)
OPEN = {
    "device_rate_per_s": 1e6,
    "device_burst": 10**9,
    "project_rate_per_s": 1e7,
    "project_burst": 10**9,
}
"""Quotas out of the way: this measures the path behind them."""


class Load:
    """Signed messages of about 200 bytes, in an order every device's seq allows."""

    def __init__(self) -> None:
        self.keys = [keys.Key.from_seed(b"bench %d" % i) for i in range(DEVICES)]
        self.aad = message.external_aad(NETWORK, PROJECT)
        self.seq = 0

    def make(self, count: int) -> list[bytes]:
        """Sign the next messages, devices in turn."""
        found: list[bytes] = []
        now = time.time_ns() // 1_000_000
        private = [coincurve.PrivateKey(key.secret) for key in self.keys]
        addresses = [key.address for key in self.keys]
        for i in range(count):
            at = i % DEVICES
            if at == 0:
                self.seq += 1
            data = {1: now // 1000, **{key: 10**6 + i + key for key in range(2, 15)}}
            protected = message.cbor_encode({1: -47, 4: addresses[at]})
            payload = message.cbor_encode({1: self.seq, 2: now, 3: data})
            digest = message.sha256(message.sig_structure(protected, payload, self.aad))
            signature = private[at].sign_recoverable(digest, hasher=None)[:64]
            found.append(b"\xd2" + message.cbor_encode([protected, {}, payload, signature]))
        return found

    def changes(self) -> list[KeyChange]:
        """Return the registry's rows for the devices."""
        return [
            KeyChange(key.address, Status.ACTIVE, PROJECT, i, key.public, 1)
            for i, key in enumerate(self.keys)
        ]


def raw_rate(messages: Sequence[bytes], load: Load) -> float:
    """Return signatures verified per CPU-second by coincurve alone: keys parsed, digests and DER
    made before.
    """
    public = {key.address: coincurve.PublicKey(b"\x04" + key.public) for key in load.keys}
    rows = []
    for raw in messages:
        parsed = message.parse(raw)
        der = cdata_to_der(deserialize_compact(parsed.signature))
        rows.append((public[parsed.device], der, message.message_id(parsed, load.aad)))
    begun = time.process_time()
    held = sum(key.verify(der, digest, hasher=None) for key, der, digest in rows)
    spent = time.process_time() - begun
    if held != len(rows):
        raise SystemExit("the peer refused what it signed")
    return len(rows) / spent


class Server:
    """One gateway process on a disk of its own."""

    def __init__(self, load: Load, folder: Path, **limits: object) -> None:
        key = keys.Key.from_seed(b"bench gateway").secret
        schemas = {PROJECT: SCHEMA}
        node = Node(folder, NETWORK, key, schemas, load.changes(), config=OPEN, limits=dict(limits))
        argv = [
            sys.executable,
            "-m",
            "tests.dims.gateway.node",
            str(node.write(folder / "node.json")),
        ]
        env = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
        self.process = subprocess.Popen(argv, stdout=subprocess.PIPE, cwd=ROOT, env=env)
        line = self.process.stdout.readline().decode().split() if self.process.stdout else []
        if line[:1] != ["READY"]:
            raise SystemExit("the gateway did not start")
        self.port = int(line[1])

    def cpu_s(self) -> float:
        """Return user and system seconds spent so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def rss_mib(self) -> float:
        """Return resident memory."""
        fields = Path(f"/proc/{self.process.pid}/statm").read_text().split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)

    def stop(self) -> None:
        """End the process."""
        self.process.terminate()
        self.process.wait()


class Connection(asyncio.Protocol):
    """A client that costs little: fixed heads, answers cut by content-length."""

    def __init__(self) -> None:
        self.buffer = b""
        self.refused = 0
        self.lost = False
        self.answer: asyncio.Future[tuple[int, bytes]] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way out."""
        self.transport: Any = transport

    def data_received(self, data: bytes) -> None:
        """Collect one answer."""
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        at = self.buffer.find(b"content-length: ") + 16
        length = int(self.buffer[at : self.buffer.find(b"\r", at)])
        if len(self.buffer) < end + 4 + length:
            return
        status, body, self.buffer = int(self.buffer[9:12]), self.buffer[end + 4 :], b""
        if self.answer is not None and not self.answer.done():
            self.answer.set_result((status, body))
        else:
            self.refused = status

    def connection_lost(self, exc: Exception | None) -> None:
        """Answer status 0 to who waits."""
        self.lost = True
        if self.answer is not None and not self.answer.done():
            self.answer.set_result((0, b""))

    async def post(self, body: bytes, kind: bytes) -> tuple[int, bytes]:
        """Send one request; return status and body, 0 when the peer went away."""
        if self.lost:
            return self.refused, b""
        self.answer = asyncio.get_running_loop().create_future()
        head = b"POST /v1/projects/%d/messages HTTP/1.1\r\nhost: x\r\n" % PROJECT
        head += b"content-type: %s\r\ncontent-length: %d\r\n\r\n" % (kind, len(body))
        self.transport.write(head + body)
        return await self.answer


async def drive(
    port: int, bodies: Sequence[bytes], many: bool, connections: int, rate: float | None = None
) -> tuple[list[float], dict[int, int], float]:
    """Send all bodies; closed loop, or at `rate` a second over the connections. Latencies (s),
    statuses, seconds.
    """
    loop = asyncio.get_running_loop()
    kind = b"application/cose-seq" if many else b"application/cose"
    latencies: list[float] = []
    statuses: dict[int, int] = {}
    rows = iter(bodies)
    begun = loop.time()
    sent = 0

    async def worker() -> None:
        nonlocal sent
        _, peer = await loop.create_connection(Connection, "127.0.0.1", port)
        for body in rows:
            if peer.lost:
                _, peer = await loop.create_connection(Connection, "127.0.0.1", port)
            due = loop.time()
            if rate is not None:
                due = begun + sent / rate
                sent += 1
                if due > loop.time():
                    await asyncio.sleep(due - loop.time())
            status, _ = await peer.post(body, kind)
            latencies.append(loop.time() - due)
            statuses[status] = statuses.get(status, 0) + 1
        peer.transport.close()

    await asyncio.gather(*(worker() for _ in range(connections)))
    return latencies, statuses, loop.time() - begun


def frames(messages: Sequence[bytes], size: int) -> list[bytes]:
    """Join messages to bodies of `size`."""
    return [b"".join(messages[i : i + size]) for i in range(0, len(messages), size)]


def quantile(rows: Sequence[float], share: float) -> float:
    """Return a quantile in milliseconds."""
    return 1000 * sorted(rows)[min(len(rows) - 1, int(share * len(rows)))]


CASES = ((1, 128, 16_000), (16, 64, 32_000), (64, 16, 32_000), (256, 8, 32_000))
"""Messages a request, connections, messages sent."""
ROUNDS = 3


def measure(load: Load, size: int, connections: int, count: int) -> tuple[float, float, float]:
    """Return our rate and the peer's per CPU-second, and ours per second of wall, of one case."""
    messages = load.make(count)
    sample = messages[:: max(1, count // 4_000)]
    with tempfile.TemporaryDirectory(dir=ROOT / ".build") as folder:
        server = Server(load, Path(folder))
        try:
            warm, rest = messages[: count // 8], messages[count // 8 :]
            uvloop.run(drive(server.port, frames(warm, size), size > 1, connections))
            before = raw_rate(sample, load)
            cpu = server.cpu_s()
            _, statuses, wall = uvloop.run(
                drive(server.port, frames(rest, size), size > 1, connections)
            )
            cpu = server.cpu_s() - cpu
            after = raw_rate(sample, load)
        finally:
            server.stop()
    if set(statuses) != {200 if size > 1 else 202}:
        raise SystemExit(f"answers were {statuses}")
    return len(rest) / cpu, max(before, after), len(rest) / wall


def half_load(load: Load, rate: float) -> tuple[float, float]:
    """Return p50 and p99 (ms) at half of a rate of single messages, open loop."""
    messages = load.make(int(rate / 2 * 6))
    with tempfile.TemporaryDirectory(dir=ROOT / ".build") as folder:
        server = Server(load, Path(folder))
        try:
            warm = messages[: len(messages) // 6]
            uvloop.run(drive(server.port, warm, False, 64, rate / 2))
            rest = messages[len(warm) :]
            latencies, _, _ = uvloop.run(drive(server.port, rest, False, 64, rate / 2))
        finally:
            server.stop()
    return quantile(latencies, 0.5), quantile(latencies, 0.99)


def overload(load: Load) -> tuple[float, float, dict[int, int]]:
    """Return resident MiB before and at most under ten times the connections that saturate it."""
    messages = load.make(40_000)
    with tempfile.TemporaryDirectory(dir=ROOT / ".build") as folder:
        server = Server(load, Path(folder), max_connections=640)
        try:
            before = server.rss_mib()
            most = before

            async def watch() -> None:
                nonlocal most
                while True:
                    most = max(most, server.rss_mib())
                    await asyncio.sleep(0.05)

            async def both() -> dict[int, int]:
                watching = asyncio.ensure_future(watch())
                _, statuses, _ = await drive(server.port, frames(messages, 16), True, 1_280)
                watching.cancel()
                return statuses

            statuses = uvloop.run(both())
        finally:
            server.stop()
    return before, most, statuses


def main() -> None:
    """Run all cases and write the figures."""
    load, wall = Load(), 0.0
    best: dict[int, list[tuple[float, float, float]]] = {case[0]: [] for case in CASES}
    for _ in range(ROUNDS):
        for size, connections, count in CASES:
            best[size].append(measure(load, size, connections, count))
    found: dict[str, Any] = {}
    for size, runs in best.items():
        ours, peer = max(run[0] for run in runs), max(run[1] for run in runs)
        wall = wall or max(run[2] for run in runs)
        found[str(size)] = {"rate": round(ours), "peer": round(peer), "ratio": ours / peer}
        print(f"{size:>3} a request: {ours:,.0f} a CPU-second, {ours / peer:.3f} of coincurve's")
    p50, p99 = half_load(load, wall)
    found["half"] = {"rate": round(wall / 2), "p50_ms": p50, "p99_ms": p99}
    print(f"half load ({wall / 2:,.0f}/s): p50 {p50:.1f} ms, p99 {p99:.1f} ms")
    before, most, statuses = overload(load)
    answers = {str(status): times for status, times in sorted(statuses.items())}
    found["overload"] = {"before_mib": before, "most_mib": most, "answers": answers}
    print(f"ten times the connections: {most:.0f} MiB at most, {answers}")
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
