"""The network of an ordinary computer: HTTP by httpx."""

from __future__ import annotations

import httpx

from opendepin.sdk.errors import GatewayAway
from opendepin.sdk.ports import Answer


class HttpNet:
    """Posts over one shared client; the caller closes the client."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def post(self, url: str, content_type: str, body: bytes) -> Answer:
        """Return the answer.

        Raises:
            GatewayAway: no answer came.
        """
        try:
            answer = await self._client.post(
                url, content=body, headers={"content-type": content_type}
            )
        except httpx.HTTPError as error:
            raise GatewayAway(f"{url} does not answer: {error!r}") from error
        wait = answer.headers.get("retry-after", "0")
        seconds = float(wait) if wait.replace(".", "", 1).isdigit() else 0.0
        return Answer(answer.status_code, answer.content, seconds)
