"""One real gateway process for tests and benchmarks: `python -m tests.dims.gateway.node FILE`.

FILE is JSON: home, network_id, key, projects (id → fields), devices (id, project, index, public,
status), block, height, config. The registry is what FILE says; everything else is the product's.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opendepin.core.identity import KeyChange, Status
from opendepin.core.keys import Key
from opendepin.core.schema import Field, Schema
from opendepin.dims.gateway.config import GatewayConfig
from opendepin.dims.gateway.dues import Seen
from opendepin.dims.gateway.http import DirectIngest, GatewayApp
from opendepin.dims.gateway.index import Index
from opendepin.dims.gateway.service import Doors, Gateway
from opendepin.runtime import service, telemetry
from opendepin.runtime.clock import SystemClock
from opendepin.runtime.http import Limits, serve
from opendepin.runtime.service import Stop
from opendepin.runtime.stagelog import SegmentLog


class Registry:
    """Devices, heights, schemas and the inbox's positions, held in memory."""

    def __init__(
        self,
        changes: Iterable[KeyChange] = (),
        schemas: dict[int, Schema] | None = None,
        block: int = 10,
        height: int = 12,
    ) -> None:
        self.states = {change.device: change for change in changes}
        self.schemas = schemas or {}
        self.in_change: set[bytes] = set()
        self.block, self.at = block, height
        self.in_batches: dict[int, int] = {}
        """Project → position up to which the inbox holds the lane."""

    def current(self, device: bytes) -> KeyChange | None:
        return self.states.get(device)

    def changing(self, device: bytes) -> bool:
        return device in self.in_change

    def identity_block(self) -> int:
        return self.block

    def height(self) -> int:
        return self.at

    async def covered(self, projects: Sequence[int]) -> Seen:
        return Seen(self.at, {project: self.in_batches.get(project, 0) for project in projects})

    def schema(self, project: int) -> Schema | None:
        return self.schemas.get(project)

    def capacity(self, project: int) -> int:
        return 256


@dataclass
class Node:
    """What FILE says."""

    home: Path
    network_id: bytes
    key: bytes
    schemas: dict[int, Schema]
    changes: list[KeyChange]
    block: int = 10
    height: int = 12
    port: int = 0
    config: dict[str, Any] | None = None
    limits: dict[str, Any] | None = None

    def write(self, path: Path) -> Path:
        rows = [
            [c.device.hex(), int(c.status), c.project, c.index, c.public.hex(), c.from_block]
            for c in self.changes
        ]
        fields = {
            project: [[f.key, f.name, f.minimum, f.maximum] for f in schema.fields]
            for project, schema in self.schemas.items()
        }
        head = {"home": str(self.home), "network_id": self.network_id.hex(), "key": self.key.hex()}
        rest = {"block": self.block, "height": self.height, "port": self.port}
        more = {"config": self.config or {}, "limits": self.limits or {}}
        path.write_text(json.dumps({**head, **rest, **more, "projects": fields, "devices": rows}))
        return path


def read(path: Path) -> Node:
    value = json.loads(path.read_text())
    schemas = {
        int(project): Schema(tuple(Field(*row) for row in rows))
        for project, rows in value["projects"].items()
    }
    changes = [
        KeyChange(bytes.fromhex(d), Status(s), p, i, bytes.fromhex(k), b)
        for d, s, p, i, k, b in value["devices"]
    ]
    secrets = bytes.fromhex(value["network_id"]), bytes.fromhex(value["key"])
    rest = value["block"], value["height"], value["port"], value["config"], value["limits"]
    return Node(Path(value["home"]), *secrets, schemas, changes, *rest)


def build(node: Node) -> Gateway:
    registry = Registry(node.changes, node.schemas, node.block, node.height)
    key = Key(node.key)
    config = GatewayConfig(node.network_id, **(node.config or {}))
    log = SegmentLog(node.home / "log")
    index = Index(node.home / "index", node.network_id, key.address)
    counters = telemetry.Counters("gateway")
    logger = telemetry.log("gateway")
    told = (SystemClock(), counters, logger)
    doors = Doors(log, index, registry, registry, registry, registry, *told)
    gateway = Gateway(config, key, doors)
    gateway.restore()
    return gateway


async def main(path: Path, stop: Stop) -> None:
    node = read(path)
    gateway = build(node)
    limits = Limits(**(node.limits or {}))
    app = GatewayApp(gateway)
    await gateway.serve(
        lambda inner: serve(
            app,
            direct=DirectIngest(app, gateway),
            port=node.port,
            stop=inner,
            limits=limits,
            on_ready=lambda port: service.ready(str(port)),
        ),
        stop,
    )


if __name__ == "__main__":
    sys.exit(service.run(lambda stop: main(Path(sys.argv[1]), stop)))
