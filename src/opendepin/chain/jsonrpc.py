"""JSON-RPC 2.0 over HTTP with patience: a node that restarts is waited for, an error keeps its
data.

In: methods and parameters. Out: results as plain JSON values. Every method we use may be repeated
without harm (a signed transaction has one hash), so a lost connection is tried again until
`patience_s` is over.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import httpx
import msgspec

from opendepin.chain.abi import reason_of
from opendepin.chain.errors import NodeAway, NodeFault, Reverted, RpcRejected
from opendepin.core.errors import DepinError
from opendepin.runtime.clock import Clock

EXECUTION_REVERTED = 3
"""Error number of a revert, with its data."""
AWAY = -32_001
"""Error number our proxy gives while the engine is being restored."""
RACED = "BlockOutOfRange"
"""How anvil refuses a call at `latest` when the next block came in between: to be asked again."""
ABOVE_HEAD_METHODS = frozenset({"eth_getLogs"})
"""Methods where the same word means what it says: a height above the head."""
FIRST_WAIT_S, LONGEST_WAIT_S = 0.05, 1.0

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()


class Rpc:
    """One node's JSON-RPC."""

    def __init__(
        self, url: str, http: httpx.AsyncClient, clock: Clock, *, patience_s: float = 20.0
    ) -> None:
        self.url = url
        self._http = http
        self._clock = clock
        self._patience_s = patience_s

    async def call(self, method: str, *parameters: object) -> Any:
        """Return the result of one method.

        Raises:
            Reverted: a contract refused (calls and estimates).
            RpcRejected: the node refused for another reason.
            NodeAway: no answer within the patience.
            NodeFault: the answer is no JSON-RPC.
        """
        return (await self.batch([(method, parameters)]))[0]

    async def batch(self, calls: Sequence[tuple[str, Sequence[object]]]) -> list[Any]:
        """Return the results of several methods that the node takes in one request; see `call`."""
        rows = [
            {"jsonrpc": "2.0", "id": at, "method": method, "params": parameters}
            for at, (method, parameters) in enumerate(calls)
        ]
        body = _encoder.encode(rows)
        until, wait = self._clock.monotonic() + self._patience_s, FIRST_WAIT_S
        while True:
            try:
                return self._read(await self._post(body), [method for method, _ in calls])
            except NodeAway:
                if self._clock.monotonic() + wait > until:
                    raise
            await self._clock.sleep(wait)
            wait = min(LONGEST_WAIT_S, wait * 2)

    async def _post(self, body: bytes) -> bytes:
        try:
            answer = await self._http.post(
                self.url, content=body, headers={"content-type": "application/json"}
            )
        except httpx.HTTPError as error:
            raise NodeAway(f"the L1 at {self.url} does not answer: {error!r}") from error
        if answer.status_code == 503:
            raise NodeAway(f"the L1 at {self.url} is being restored")
        if answer.status_code != 200:
            raise NodeFault(
                f"the L1 at {self.url} answers {answer.status_code}: {answer.text[:200]}"
            )
        return answer.content

    def _read(self, body: bytes, methods: Sequence[str]) -> list[Any]:
        try:
            answers: Any = _decoder.decode(body)
        except (msgspec.DecodeError, RecursionError) as error:
            raise NodeFault(f"the L1 at {self.url} answers no JSON") from error
        rows: list[Any] = cast(list[Any], answers) if isinstance(answers, list) else [answers]
        by_id: dict[object, dict[str, Any]] = {}
        for item in rows:
            if isinstance(item, dict):
                by_id[cast(dict[str, Any], item).get("id")] = cast(dict[str, Any], item)
        results: list[Any] = []
        for at, method in enumerate(methods):
            row = by_id.get(at)
            if row is None and len(methods) == len(rows) == 1:
                row = by_id.get(None)
            if row is None or ("result" not in row and "error" not in row):
                raise NodeFault(f"the L1 at {self.url} gives no answer to {method}")
            if "error" in row:
                raise _error(method, row["error"])
            results.append(row["result"])
        return results


def _error(method: str, error: Any) -> DepinError:
    if not isinstance(error, dict):
        return NodeFault(f"{method}: the node gives no error object")
    found = cast(dict[str, Any], error)
    number, text, data = found.get("code"), str(found.get("message", "")), found.get("data")
    if number == AWAY or (RACED in text and method not in ABOVE_HEAD_METHODS):
        return NodeAway(text)
    if number == EXECUTION_REVERTED or "revert" in text.lower():
        raw = bytes.fromhex(data[2:]) if isinstance(data, str) and data.startswith("0x") else b""
        return Reverted(reason_of(raw), data=raw)
    return RpcRejected(
        f"{method}: {text}", number=number if isinstance(number, int) else 0, data=data
    )
