"""Send one message to a gateway and check the receipt that comes back.

What a gateway answers may be anything: out comes a receipt that holds, or one of three errors.
"""

from __future__ import annotations

import json
import re
from typing import Any

from opendepin.core.errors import DepinError
from opendepin.core.group import Receipt, receipt_of_json
from opendepin.sdk.errors import GatewayAway, GatewayRefused, ReceiptWrong
from opendepin.sdk.ports import Answer, Net

CONTENT_TYPE = "application/cose"
WAIT_STATUSES = frozenset({408, 425, 429, *range(500, 600)})
MAX_ANSWER_BYTES = 65_536
"""Largest answer that is looked at; a receipt of a full group has 2 kB."""

MAX_DETAIL = 500
"""Longest sentence taken from a gateway, characters."""

CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
MAX_CODE = 64


class Sender:
    """One gateway, known by URL and key."""

    def __init__(self, net: Net, url: str, gateway: bytes, network_id: bytes) -> None:
        self._net = net
        self._url = url.rstrip("/")
        self._gateway, self._network_id = gateway, network_id

    async def send(self, project: int, message_id: bytes, raw: bytes) -> Receipt:
        """Send a message and return its receipt, checked offline.

        Raises:
            GatewayAway: no answer, or the gateway asks to wait; send the same bytes again later.
            GatewayRefused: it is refused for good; the code says why.
            ReceiptWrong: the receipt is not of this message, or is not signed by the gateway.
        """
        url = f"{self._url}/v1/projects/{project}/messages"
        answer = await self._net.post(url, CONTENT_TYPE, raw)
        if answer.status not in (200, 202):
            raise _refusal(answer)
        try:
            receipt = receipt_of_json(_json(answer))
            receipt.check(self._gateway)
        except (ValueError, TypeError, DepinError) as error:
            raise ReceiptWrong(f"the gateway's receipt does not hold: {error}") from error
        bound = (receipt.header.network_id, receipt.header.project, receipt.message_id)
        if bound != (self._network_id, project, message_id):
            raise ReceiptWrong("the gateway's receipt is of another network, project or message")
        return receipt


def _json(answer: Answer) -> Any:
    """Read an answer's JSON.

    Raises:
        ValueError: it is none, too large or too deep.
    """
    if len(answer.body) > MAX_ANSWER_BYTES:
        raise ValueError(f"{len(answer.body)} bytes")
    try:
        return json.loads(answer.body)
    except RecursionError as error:
        raise ValueError("it nests too deep") from error


def _refusal(answer: Answer) -> DepinError:
    code, detail = f"http-{answer.status}", f"the gateway answered {answer.status}"
    try:
        problem = _json(answer)
        said = str(problem["code"])
        if CODE.fullmatch(said) and len(said) <= MAX_CODE:
            code, detail = said, str(problem["detail"])[:MAX_DETAIL]
    except (ValueError, KeyError, TypeError):
        pass
    if answer.status in WAIT_STATUSES:
        return GatewayAway(detail, retry_after_s=answer.retry_after_s)
    return GatewayRefused(detail, code=code)
