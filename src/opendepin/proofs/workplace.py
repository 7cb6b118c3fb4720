"""Where a proof kind works on this machine: its directory, and whether the network is local."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Workplace:
    """What the composition root gives a proof kind."""

    keys_dir: Path
    """Cached keys, by circuit hash; shared between networks of one machine."""
    network_is_local: bool
    """Development keys are refused where this is false."""
