"""The HTTP face of the sequencer: `GET /v1/status` and `GET /healthz`."""

from __future__ import annotations

from collections.abc import Callable

from opendepin.dims.sequencer.service import Sequencer
from opendepin.runtime.http import Request, Response, Router, json_response
from opendepin.runtime.telemetry import Counters


class Face:
    """Routes of the sequencer."""

    def __init__(
        self,
        sequencer: Sequencer,
        counters: Counters,
        on_error: Callable[[str, BaseException], None],
    ) -> None:
        self._sequencer, self._counters = sequencer, counters
        self.app = Router(on_error)
        self.app.route("GET", "/v1/status", self._status)
        self.app.route("GET", "/healthz", self._health)

    async def _status(self, request: Request) -> Response:
        return json_response(self._counters.status_json(**self._sequencer.status()))

    async def _health(self, request: Request) -> Response:
        return json_response({"ok": True})
