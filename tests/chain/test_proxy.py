"""What a hostile client may and may not do through the proxy."""

from __future__ import annotations

import json
from typing import Any

import pytest

from opendepin.chain.adapters.proxy import ALLOWED, MAX_BATCH, MAX_BODY_BYTES
from opendepin.chain.client import ChainClient
from opendepin.chain.errors import NodeAway
from opendepin.chain.jsonrpc import Rpc
from opendepin.runtime.clock import SystemClock

from .conftest import FUNDED, Node

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def post(node: Node, body: Any, content_type: str = "application/json") -> Any:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return await node.http.post(node.url, content=data, headers={"content-type": content_type})


def call(method: str, *parameters: object, identity: object = 1) -> dict[str, object]:
    return {"jsonrpc": "2.0", "id": identity, "method": method, "params": list(parameters)}


FORBIDDEN = """
anvil_setBalance anvil_dumpState anvil_impersonateAccount anvil_reset anvil_nodeInfo evm_mine
evm_snapshot evm_revert evm_setNextBlockTimestamp hardhat_setBalance hardhat_setCode
debug_traceTransaction trace_block txpool_content ots_getBlockDetails personal_sign admin_peers
tenderly_setBalance erigon_getHeaderByNumber eth_sendTransaction eth_sendUnsignedTransaction
eth_sign eth_signTransaction eth_signTypedData_v4 eth_accounts eth_newFilter eth_newBlockFilter
eth_subscribe eth_coinbase eth_simulateV1 ETH_CHAINID net_peers
"""
NEAR_MISSES = ("eth_chainId\0", "eth_chainId ", " eth_chainId", "eth_", "")


async def test_nothing_but_the_listed_methods_passes(node: Node) -> None:
    before = await node.client.balance(bytes(20))
    for method in (*FORBIDDEN.split(), *NEAR_MISSES):
        parameters = ["0x" + "00" * 20, "0x1"]
        for body in (call(method, *parameters), [call(method, *parameters)]):
            answer = (await post(node, body)).json()
            row = answer[0] if isinstance(answer, list) else answer
            assert row["error"]["code"] == -32_601, method
            assert row["id"] == 1
    assert await node.client.balance(bytes(20)) == before
    assert not {*FORBIDDEN.split(), *NEAR_MISSES} & ALLOWED
    assert all(method.split("_")[0] in ("eth", "net", "web3") for method in ALLOWED)


async def test_a_batch_passes_in_part(node: Node) -> None:
    body = [
        call("eth_chainId", identity="a"),
        call("anvil_setBalance", "0x" + "00" * 20, "0x1", identity=2),
        call("opendepin_finality", identity=3),
        call("net_version", identity=4),
        7,
        {"jsonrpc": "2.0", "method": "eth_chainId"},
        call("evm_mine", identity="a"),
    ]
    answers = (await post(node, body)).json()
    by_id: dict[Any, list[Any]] = {}
    for row in answers:
        by_id.setdefault(row["id"], []).append(row)
    assert len(answers) == len(body)
    assert by_id[4][0]["result"] == str(node.engine.config.chain_id)
    assert by_id[3][0]["result"]["label"] == "embedded development L1"
    assert by_id[2][0]["error"]["code"] == -32_601
    assert {("result" in row, "error" in row) for row in by_id["a"]} == {
        (True, False),
        (False, True),
    }
    assert [row["error"]["code"] for row in by_id[None]] == [-32_600, -32_600]


async def test_finality_is_a_block_of_the_chain(node: Node) -> None:
    final = await node.client.finalized()
    header = await node.client.block(final.height)
    assert header is not None
    assert header.hash == final.hash
    head = await node.client.block_number()
    assert final.height <= head - node.engine.config.finality_depth or final.height == 0


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", -32_700),
        (b"{", -32_700),
        (b"\xff\xfe", -32_700),
        (b"[" * 100_000, -32_700),
        (b"[" * 2_001 + b"]" * 2_001, -32_700),
        (b'{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[NaN]}', -32_700),
        (b"null", -32_600),
        (b"[]", -32_600),
        (b'"eth_chainId"', -32_600),
        (b"{}", -32_600),
        (b'{"jsonrpc":"2.0","id":1,"method":["eth_chainId"]}', -32_600),
        (b'{"jsonrpc":"1.0","id":1,"method":"eth_chainId"}', -32_600),
        (b'{"jsonrpc":"2.0","id":{"a":1},"method":"eth_chainId"}', -32_600),
        (b'{"jsonrpc":"2.0","id":true,"method":"eth_chainId"}', -32_600),
        (b'{"jsonrpc":"2.0","method":"eth_chainId"}', -32_600),
    ],
)
async def test_malformed_requests_are_answered_as_json_rpc_says(
    node: Node, body: bytes, code: int
) -> None:
    answer = await post(node, body)
    assert answer.status_code == 200
    assert answer.json()["error"]["code"] == code


async def test_a_doubled_key_cannot_smuggle_a_method(node: Node) -> None:
    for first, second in (("eth_chainId", "anvil_nodeInfo"), ("anvil_nodeInfo", "eth_chainId")):
        body = f'{{"jsonrpc":"2.0","id":1,"method":"{first}","method":"{second}","params":[]}}'
        for data in (body, f"[{body}]"):
            text = (await post(node, data.encode())).text
            assert "clientVersion" not in text
            assert "currentBlockNumber" not in text


async def test_limits_hold(node: Node) -> None:
    many = [call("eth_chainId", identity=at) for at in range(MAX_BATCH + 1)]
    assert (await post(node, many)).json()["error"]["code"] == -32_600
    assert len((await post(node, many[:-1])).json()) == MAX_BATCH
    assert (await post(node, b" " * (MAX_BODY_BYTES + 1))).status_code == 413
    for kind in ("text/plain", "", "application/x-www-form-urlencoded"):
        assert (await post(node, call("eth_chainId"), kind)).status_code == 415
    assert (await node.http.get(node.url)).status_code == 405
    assert (await node.http.post(f"{node.url}/other", content=b"{}")).status_code == 404
    assert (await node.http.get(f"{node.url}/healthz")).status_code == 200


@pytest.mark.serial
async def test_while_the_engine_is_restored_clients_wait(fresh: Node) -> None:
    impatient = ChainClient(Rpc(fresh.url, fresh.posting, SystemClock(), patience_s=0.0))
    height = await impatient.block_number()
    fresh.kill()
    with pytest.raises(NodeAway):
        await impatient.block_number()
    assert await fresh.client.block_number() >= 0  # a patient one goes on
    assert (await fresh.client.finalized()).label == "embedded development L1"
    assert await fresh.client.balance(FUNDED[0].address) > 0
    assert height >= 0


async def test_a_node_that_is_nowhere_is_said_so(node: Node) -> None:
    nobody = ChainClient(Rpc("http://127.0.0.1:1", node.posting, SystemClock(), patience_s=0.3))
    with pytest.raises(NodeAway):
        await nobody.block_number()
