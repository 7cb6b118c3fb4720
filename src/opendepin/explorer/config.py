"""Settings and limits of the explorer."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PAGE_DEFAULT = 50
"""Rows of a list when the visitor names no limit."""

PAGE_MAX = 500
"""Most rows of one list."""

CURSOR_MAX_CHARS = 200
"""Longest cursor text read."""

L1_SPAN = 200
"""Most blocks read in one round of the indexer."""

BODIES_PER_ROUND = 16
"""Most batch bodies read in one round."""

GROUPS_PER_ROUND = 64
"""Most commit groups read from a gateway in one round."""

EVENT_RING = 512
"""Live events kept for clients that reconnect."""

SUBSCRIBERS_MAX = 2_000
"""Most visitors following live events at once."""

SUBSCRIBER_BACKLOG = 256
"""Events a slow visitor may lag behind before the connection is closed."""

HEARTBEAT_S = 15.0
"""A comment line goes out on an idle event stream this often."""


@dataclass(frozen=True)
class ExplorerConfig:
    """What the composition root decides."""

    index: Path
    """SQLite file; made when missing, rebuilt from the sources when deleted."""
    assets: Path
    """Folder that `python -m opendepin.explorer.assets build` wrote."""
    host: str = "127.0.0.1"
    port: int = 8680
    poll_s: float = 0.5
    """Pause between two rounds of the indexer."""


POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; worker-src 'self' blob:; child-src blob:; "
    "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
CARD_POLICY = POLICY.replace("frame-ancestors 'none'", "frame-ancestors *")
"""The one page that others may frame: it has no script and nothing to click but a link."""
