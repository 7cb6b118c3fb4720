"""The face of the embedded Layer 1: JSON-RPC methods by an allow-list, one at a time or in batches,
with limits.

In: HTTP POST of JSON-RPC. Out: the engine's answers. Cheat codes, unlocked accounts, filters (they
cost the engine memory) and everything else of a development node stay behind. What passes is
written anew from what was parsed here, so that no byte can mean one thing to us and another to the
engine. `opendepin_finality` is answered here.
"""

from __future__ import annotations

import json
from typing import Any, Protocol, cast

import httpx

from opendepin.chain.errors import NodeAway
from opendepin.chain.jsonrpc import AWAY
from opendepin.chain.ports import Final
from opendepin.core.encodings import to_hex
from opendepin.runtime.http import Problem, Request, Response, Router, json_response, problem

MAX_BODY_BYTES = 1 << 20
MAX_BATCH = 200
"""Most requests in one batch."""
MAX_OPENINGS = 2_000
"""Most brackets opened in one body, which bounds its nesting whatever the interpreter's limits
are.
"""

FINALITY = "opendepin_finality"

ALLOWED = frozenset(
    [
        "eth_blockNumber",
        "eth_call",
        "eth_chainId",
        "eth_estimateGas",
        "eth_feeHistory",
        "eth_gasPrice",
        "eth_getBalance",
        "eth_getBlockByHash",
        "eth_getBlockByNumber",
        "eth_getBlockReceipts",
        "eth_getBlockTransactionCountByHash",
        "eth_getBlockTransactionCountByNumber",
        "eth_getCode",
        "eth_getLogs",
        "eth_getProof",
        "eth_getStorageAt",
        "eth_getTransactionByBlockHashAndIndex",
        "eth_getTransactionByBlockNumberAndIndex",
        "eth_getTransactionByHash",
        "eth_getTransactionCount",
        "eth_getTransactionReceipt",
        "eth_maxPriorityFeePerGas",
        "eth_sendRawTransaction",
        "eth_syncing",
        "net_listening",
        "net_version",
        "web3_clientVersion",
        "web3_sha3",
    ]
)

INVALID_REQUEST, METHOD_NOT_FOUND, PARSE_ERROR = -32_600, -32_601, -32_700


class Inner(Protocol):
    """What the proxy needs of the engine."""

    @property
    def rpc_url(self) -> str:
        """The engine's private address, as of now."""
        ...

    @property
    def serving(self) -> bool:
        """Whether the engine takes requests now."""
        ...

    async def finalized_head(self) -> Final:
        """Return the newest final block."""
        ...


class Proxy:
    """The JSON-RPC handler; `router()` is the ASGI app."""

    def __init__(self, engine: Inner, http: httpx.AsyncClient, log: Any) -> None:
        self._engine = engine
        self._http = http
        self._log = log

    def router(self) -> Router:
        """Return the app: `POST /` and `GET /healthz`."""
        router = Router(
            lambda path, error: self._log.error("request-failed", path=path, error=repr(error))
        )
        router.route("POST", "/", self.answer)
        router.route("GET", "/healthz", self._health)
        return router

    async def answer(self, request: Request) -> Response:
        """Answer one JSON-RPC request or batch."""
        if request.header(b"content-type").split(b";")[0].strip().lower() != b"application/json":
            raise Problem(415, "media-type", "send application/json")
        body = await request.body(MAX_BODY_BYTES)
        try:
            asked = _parse(body)
        except (ValueError, RecursionError) as error:
            return json_response(_error(None, PARSE_ERROR, f"not JSON: {error}"))
        try:
            if isinstance(asked, list):
                return await self._batch(cast(list[Any], asked))
            return json_response((await self._answers([asked]))[0])
        except NodeAway as error:
            return problem(503, error.code, "Try later", str(error), retry_after_s=1)

    async def _health(self, _request: Request) -> Response:
        if not self._engine.serving:
            return problem(
                503, "node-away", "Try later", "the L1 is being restored", retry_after_s=1
            )
        return json_response({"ok": True})

    async def _batch(self, asked: list[Any]) -> Response:
        if not 1 <= len(asked) <= MAX_BATCH:
            text = f"a batch has 1..{MAX_BATCH} requests"
            return json_response(_error(None, INVALID_REQUEST, text))
        return json_response(await self._answers(asked))

    async def _answers(self, asked: list[Any]) -> list[Any]:
        """Answer what is answered here, and pass the rest on in one request of its own."""
        answers: list[Any] = []
        passed: list[Any] = []
        for item in asked:
            refused = _refusal(item)
            if refused is not None:
                answers.append(refused)
            elif item["method"] == FINALITY:
                answers.append(await self._finality(item))
            else:
                passed.append(item)
        return answers + (await self._forward(passed) if passed else [])

    async def _forward(self, passed: list[Any]) -> list[Any]:
        if not self._engine.serving:
            raise NodeAway("the L1 is being restored")
        try:
            answer = await self._http.post(
                self._engine.rpc_url,
                content=json.dumps(passed).encode(),
                headers={"content-type": "application/json"},
            )
            inner: Any = json.loads(answer.content)
        except (httpx.HTTPError, ValueError, RecursionError) as error:
            raise NodeAway(f"the L1 does not answer: {error!r}") from error
        return cast(list[Any], inner) if isinstance(inner, list) else [inner]

    async def _finality(self, asked: Any) -> dict[str, Any]:
        try:
            final = await self._engine.finalized_head()
        except NodeAway as error:
            return _error(asked.get("id"), AWAY, str(error))
        result = {"height": final.height, "hash": to_hex(final.hash), "label": final.label}
        return {"jsonrpc": "2.0", "id": asked.get("id"), "result": result}


def _parse(body: bytes) -> Any:
    if body.count(b"[") + body.count(b"{") > MAX_OPENINGS:
        raise ValueError(f"more than {MAX_OPENINGS} brackets")
    return json.loads(body, parse_constant=_no_constant)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _refusal(asked: Any) -> dict[str, Any] | None:
    """Return the error a request is answered with, or None when it may pass."""
    if not isinstance(asked, dict):
        return _error(None, INVALID_REQUEST, "a request is an object")
    row = cast(dict[str, Any], asked)
    identity, method = row.get("id"), row.get("method")
    if not isinstance(identity, str | int) or isinstance(identity, bool):
        return _error(None, INVALID_REQUEST, "a request has an id, a string or an integer")
    if row.get("jsonrpc") != "2.0" or not isinstance(method, str):
        return _error(identity, INVALID_REQUEST, 'a request has "jsonrpc": "2.0" and a method')
    if method not in ALLOWED and method != FINALITY:
        return _error(identity, METHOD_NOT_FOUND, f"the method {method[:60]} is not served here")
    return None


def _error(identity: object, number: int, text: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": identity, "error": {"code": number, "message": text}}
