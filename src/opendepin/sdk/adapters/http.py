"""The network of an ordinary computer: HTTP by httpx."""

from __future__ import annotations

import asyncio
import re

import httpx

from opendepin.sdk.errors import GatewayAway
from opendepin.sdk.ports import Answer
from opendepin.sdk.sender import MAX_ANSWER_BYTES

SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
MAX_ANSWER_S = 120.0
"""An answer is whole within this time, however steadily it drips."""
MAX_WAIT_S = 3_600.0
"""Longest wait that a gateway can ask for."""


class HttpNet:
    """Posts over one shared client; the caller closes the client."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def post(self, url: str, content_type: str, body: bytes) -> Answer:
        """Return the answer.

        Raises:
            GatewayAway: no answer came, or one that is packed or does not end within
                `MAX_ANSWER_BYTES` and `MAX_ANSWER_S`.
        """
        headers = {"content-type": content_type, "accept-encoding": "identity"}
        try:
            async with (
                asyncio.timeout(MAX_ANSWER_S),
                self._client.stream("POST", url, content=body, headers=headers) as answer,
            ):
                if answer.headers.get("content-encoding", "identity") != "identity":
                    raise GatewayAway(f"{url} packs its answer, which was not asked for")
                received = bytearray()
                async for part in answer.aiter_raw():
                    received += part
                    if len(received) > MAX_ANSWER_BYTES:
                        raise GatewayAway(f"{url} answers more than {MAX_ANSWER_BYTES} bytes")
        except TimeoutError as error:
            raise GatewayAway(f"{url} has not ended its answer in {MAX_ANSWER_S:g} s") from error
        except httpx.HTTPError as error:
            raise GatewayAway(f"{url} does not answer: {error!r}") from error
        wait = answer.headers.get("retry-after", "")
        seconds = min(float(wait), MAX_WAIT_S) if SECONDS.fullmatch(wait) else 0.0
        return Answer(answer.status_code, bytes(received), seconds)
