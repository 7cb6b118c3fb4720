"""A gateway's feed, as explorer and sequencer read it."""

from __future__ import annotations

from collections.abc import Sequence

import httpx

from opendepin.core.errors import Rejected
from opendepin.dims.gateway.client import groups_of_feed
from opendepin.dims.gateway.config import MAX_FEED_BYTES
from opendepin.explorer.errors import SourceAway
from opendepin.runtime.http import at_most

FEED_TIMEOUT_S = 10.0


class FeedSource:
    """One gateway's commit groups."""

    def __init__(self, http: httpx.AsyncClient, url: str, wait_ms: int = 0) -> None:
        self._http, self._url, self._wait_ms = http, url, wait_ms

    async def after(self, number: int, limit: int) -> Sequence[tuple[int, bytes]]:
        """Return up to `limit` groups after a record.

        Raises:
            SourceAway: no answer, or one that is no feed: whoever reads on waits for this feed
                alone.
        """
        try:
            answer = await self._http.get(
                f"{self._url}/v1/feed",
                params={"after": number, "limit": limit, "wait_ms": self._wait_ms},
                timeout=FEED_TIMEOUT_S,
                extensions=at_most(MAX_FEED_BYTES),
            )
            answer.raise_for_status()
        except httpx.HTTPError as error:
            raise SourceAway(f"the gateway's feed does not answer: {error!r}") from error
        try:
            return groups_of_feed(answer.content)
        except Rejected as error:
            raise SourceAway(f"the gateway's feed cannot be read: {error}") from error
