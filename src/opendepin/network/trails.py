"""Get a trail's bundle from a running network, and check one anywhere.

The explorer's index is only ever a source of claims: `verify` believes the genesis file and one L1
block hash, whatever the index says.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from opendepin.chain import artifacts
from opendepin.core.encodings import from_hex
from opendepin.network.errors import HomeRefused, NotRunning
from opendepin.network.home import Home, read_json
from opendepin.network.parts import artifact_cache, engine
from opendepin.network.projects import find_program
from opendepin.proofs.zk.native import holds
from opendepin.runtime.http import json_of, plain_client
from opendepin.verify import Anchor, Report, check, read_bundle, require_subject
from opendepin.verify.anchor import PROVEN_CONTRACTS, anchor_of_genesis

DEVICE_CHARACTERS, HASH_CHARACTERS = 42, 66
TIMEOUT_S = 60.0
PAGE_ROWS = 500
NO_BLOCK = bytes(32)
"""Hash of a block that this network's L1 does not have: no header hashes to it."""


class Api:
    """The explorer's REST API of a running network."""

    def __init__(self, home: Home) -> None:
        addresses = home.addresses()
        if "explorer" not in addresses:
            raise NotRunning("the explorer does not run: start the network with `depin up`")
        self._base = addresses["explorer"] + "/api/v1"

    def get(self, path: str, **parameters: str | int | None) -> Any:
        """Return the JSON at a path.

        Raises:
            NotRunning: the explorer does not answer.
            HomeRefused: it refuses; the code is its own.
        """
        chosen = {name: value for name, value in parameters.items() if value is not None}
        try:
            with plain_client(TIMEOUT_S) as http:
                answer = http.get(self._base + path, params=chosen)
        except httpx.HTTPError as error:
            raise NotRunning(
                f"the explorer does not answer ({error!r}): see `depin status`"
            ) from error
        try:
            problem = json_of(answer)
            if answer.is_success:
                return problem
            code, detail = str(problem["code"]), str(problem["detail"])
        except (ValueError, KeyError, TypeError):
            code, detail = "explorer", f"the explorer answered {answer.status_code}"
        raise HomeRefused(detail, code=code)

    def every(self, path: str, **parameters: str | int | None) -> list[dict[str, Any]]:
        """Return the rows of all pages at a path; see `get`."""
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            page = self.get(path, limit=PAGE_ROWS, cursor=cursor, **parameters)
            found += page["items"]
            cursor = page["next_cursor"]
            if not cursor:
                return found


def fetch_bundle(home: Home, identifier: str) -> bytes:
    """Return the bundle of a message, a device (its last settled message) or a task.

    Raises:
        HomeRefused: nothing of that id is known.
        SubjectRejected: the explorer answers with the bundle of something else.
    """
    data = _fetch(home, identifier)
    require_subject(read_bundle(data), from_hex(identifier))
    return data


def _fetch(home: Home, identifier: str) -> bytes:
    api = Api(home)
    if len(identifier) == DEVICE_CHARACTERS:
        return _encode(api.get(f"/messages/{_last_message(api, identifier)}/trail"))
    if len(identifier) != HASH_CHARACTERS:
        raise HomeRefused(
            f"{identifier[:80]!r} is no id: a message or task has 64 hex digits, a device 40",
            code="id",
        )
    try:
        return _encode(api.get(f"/messages/{identifier}/trail"))
    except HomeRefused as unknown:
        try:
            return _encode(api.get(f"/tasks/{identifier}/trail"))
        except HomeRefused:
            raise unknown from None


def _last_message(api: Api, device: str) -> str:
    items = api.get(f"/devices/{device}/readings", limit=100)["items"]
    if not items:
        raise HomeRefused("this device has sent nothing yet", code="not-there")
    settled = [item for item in items if item.get("stage") == "settled"]
    return str((settled or items)[0]["message_id"])


def _encode(trail: Any) -> bytes:
    return json.dumps(trail["bundle"], ensure_ascii=False).encode()


def trusted_block_hash(home: Home, bundle: bytes) -> bytes | None:
    """Ask this network's own L1 for the hash of the block that a bundle is proven under; None for
    a bundle that is proven under none.

    A block that the L1 does not have gives a hash that no header has, so that the trail fails: were
    it None, whoever makes a bundle could name such a block and have nothing held against the L1.

    Raises:
        NotRunning: the L1 does not answer.
    """
    l1 = read_bundle(bundle).l1
    if l1 is None:
        return None
    call = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "eth_getBlockByNumber",
        "params": [hex(l1.block.number), False],
    }
    try:
        with plain_client(TIMEOUT_S) as http:
            found = json_of(http.post(home.addresses()["l1"], json=call)).get("result")
    except (httpx.HTTPError, ValueError) as error:
        raise NotRunning(f"the L1 does not answer ({error!r}): see `depin status`") from error
    return NO_BLOCK if found is None else from_hex(found["hash"], 32)


async def anchor(genesis_file: Path, block_hash: bytes | None) -> Anchor:
    """Build the anchor from a genesis file; contracts are compiled here when they are not yet."""
    genesis = read_json(genesis_file, "there is no genesis file")
    compiled = await artifacts.ensure(PROVEN_CONTRACTS, artifact_cache())
    layouts = {name: artifact.layout for name, artifact in compiled.items()}
    return anchor_of_genesis(genesis, layouts, block_hash)


async def verify(bundle: bytes, brought: Anchor, home: Home) -> Report:
    """Check a bundle against an anchor; the pairing is checked by the native engine, outputs by the
    programs of the home.
    """
    running = engine()
    try:
        return await check(
            read_bundle(bundle), brought, partial(holds, running), partial(find_program, home)
        )
    finally:
        await running.close()


def with_program(home: Home, data: bytes) -> bytes:
    """Return a bundle's bytes with the text of its task's program, so that outputs can be
    recomputed where the program is not; unchanged without a task, or where its text is not here.

    Raises:
        ProgramRejected: what stands here under the program's name is another text.
    """
    bundle: dict[str, Any] = json.loads(data)
    task = bundle.get("task")
    text = find_program(home, from_hex(task["circuit_hash"], 32)) if task else None
    if task is None or text is None:
        return data
    task["circuit"] = text.decode()
    return json.dumps(bundle, separators=(",", ":")).encode()
