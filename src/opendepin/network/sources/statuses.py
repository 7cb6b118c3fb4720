"""What the other services say of themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx

from opendepin.network.parts import Parts
from opendepin.runtime.http import MAX_STATUS_BYTES, at_most, json_of

STATUS_TIMEOUT_S = 1.5


class ServiceSource:
    """The status of every other service."""

    def __init__(self, built: Parts) -> None:
        self._http = built.http
        self._addresses = {n: a for n, a in built.addresses.items() if n != built.service}

    async def statuses(self) -> Mapping[str, Mapping[str, Any] | None]:
        """Return each service's status, None for one that did not answer."""
        return {name: await self._ask(address) for name, address in self._addresses.items()}

    async def _ask(self, address: str) -> Mapping[str, Any] | None:
        try:
            answer = await self._http.get(
                f"{address}/v1/status",
                timeout=STATUS_TIMEOUT_S,
                extensions=at_most(MAX_STATUS_BYTES, within_s=STATUS_TIMEOUT_S),
            )
            return json_of(answer) if answer.is_success else None
        except (httpx.HTTPError, ValueError):
            return None
