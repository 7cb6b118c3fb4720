"""Send one message to a gateway and check the receipt that comes back."""

from __future__ import annotations

import json
from typing import Any

from opendepin.core.errors import DepinError
from opendepin.core.group import Receipt, receipt_of_json
from opendepin.sdk.errors import GatewayAway, GatewayRefused, ReceiptWrong
from opendepin.sdk.ports import Answer, Net

CONTENT_TYPE = "application/cose"
WAIT_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})


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
            receipt = receipt_of_json(json.loads(answer.body))
            receipt.check(self._gateway)
        except (ValueError, TypeError, DepinError) as error:
            raise ReceiptWrong(f"the gateway's receipt does not hold: {error}") from error
        bound = (receipt.header.network_id, receipt.header.project, receipt.message_id)
        if bound != (self._network_id, project, message_id):
            raise ReceiptWrong("the gateway's receipt is of another network, project or message")
        return receipt


def _refusal(answer: Answer) -> DepinError:
    try:
        problem: Any = json.loads(answer.body)
        code, detail = str(problem["code"]), str(problem["detail"])
    except (ValueError, KeyError, TypeError):
        code, detail = f"http-{answer.status}", f"the gateway answered {answer.status}"
    if answer.status in WAIT_STATUSES:
        return GatewayAway(detail, retry_after_s=answer.retry_after_s)
    return GatewayRefused(detail, code=code)
