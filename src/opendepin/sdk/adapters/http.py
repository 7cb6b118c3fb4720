"""The network of an ordinary computer: HTTP by httpx."""

from __future__ import annotations

import re

import httpx

from opendepin.sdk.errors import GatewayAway
from opendepin.sdk.ports import Answer
from opendepin.sdk.sender import MAX_ANSWER_BYTES

SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
MAX_WAIT_S = 3_600.0
"""Longest wait that a gateway can ask for."""


class HttpNet:
    """Posts over one shared client; the caller closes the client."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def post(self, url: str, content_type: str, body: bytes) -> Answer:
        """Return the answer.

        Raises:
            GatewayAway: no answer came, or one that does not end within `MAX_ANSWER_BYTES`.
        """
        headers = {"content-type": content_type}
        try:
            async with self._client.stream("POST", url, content=body, headers=headers) as answer:
                received = bytearray()
                async for part in answer.aiter_bytes():
                    received += part
                    if len(received) > MAX_ANSWER_BYTES:
                        raise GatewayAway(f"{url} answers more than {MAX_ANSWER_BYTES} bytes")
        except httpx.HTTPError as error:
            raise GatewayAway(f"{url} does not answer: {error!r}") from error
        wait = answer.headers.get("retry-after", "")
        seconds = min(float(wait), MAX_WAIT_S) if SECONDS.fullmatch(wait) else 0.0
        return Answer(answer.status_code, bytes(received), seconds)
