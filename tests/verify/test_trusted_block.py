"""Which block hash the home's own L1 gives for a bundle: one that it does not have is trusted by
nobody.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from opendepin.network import trails
from opendepin.network.home import Home, write_json
from opendepin.verify import Anchor, Outcome, anchor_of_genesis
from opendepin.verify.steps import named
from tests.verify import network as small
from tests.verify.conftest import Verifier

HELD_AGAINST_L1 = ("key-history", "l1-block", "l1-storage")


@pytest.fixture
def layer1(tmp_path: Path) -> Iterator[tuple[Home, dict[str, Any]]]:
    """Give a home whose L1 answers every block by what stands under its height."""
    blocks: dict[str, Any] = {}

    class Node(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            answer = {"jsonrpc": "2.0", "id": 1, "result": blocks.get(asked["params"][0])}
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            pass

    server = HTTPServer(("127.0.0.1", 0), Node)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    home = Home(tmp_path)
    write_json(home.addresses_file, {"l1": f"http://127.0.0.1:{server.server_port}"})
    yield home, blocks
    server.shutdown()
    server.server_close()


def report(network: small.Network, verifier: Verifier, bundle: Any, trusted: bytes | None) -> Any:
    return verifier.report(bundle, anchor_of_genesis(network.genesis(), network.layouts, trusted))


def test_the_block_that_our_l1_has_is_trusted(
    layer1: tuple[Home, dict[str, Any]], network: small.Network, verifier: Verifier
) -> None:
    (home, blocks), bundle = layer1, network.bundle()
    block = bundle["l1"]["block"]
    blocks[hex(block["number"])] = {"hash": block["hash"]}
    trusted = trails.trusted_block_hash(home, json.dumps(bundle).encode())
    assert report(network, verifier, bundle, trusted).settled


def test_a_bundle_under_a_block_that_our_l1_lacks_fails(
    layer1: tuple[Home, dict[str, Any]], network: small.Network, verifier: Verifier, anchor: Anchor
) -> None:
    (home, _), bundle = layer1, network.bundle()
    trusted = trails.trusted_block_hash(home, json.dumps(bundle).encode())
    found = report(network, verifier, bundle, trusted)
    assert not found.ok
    for name in HELD_AGAINST_L1:
        assert named(found.steps, name).outcome is Outcome.FAILS
    assert verifier.report(bundle, anchor).ok


def test_a_bundle_that_is_proven_under_no_block_has_none_to_trust(
    layer1: tuple[Home, dict[str, Any]], network: small.Network
) -> None:
    bundle = network.bundle() | {"l1": None}
    assert trails.trusted_block_hash(layer1[0], json.dumps(bundle).encode()) is None
