"""Token buckets per device and project.

A bucket is one number, the time at which it would be full again (generic cell rate algorithm), so a
million of them cost what their keys cost. In: key, count, time. Out: 0, or the seconds to wait; a
refused take costs nothing.
"""

from __future__ import annotations

from typing import Generic, TypeVar

K = TypeVar("K", bytes, int)

SWEEP_KEYS = 65_536
"""Full buckets are dropped when this many keys are held, and again each time their number has
doubled."""


class Quota(Generic[K]):
    """Buckets of one rate and burst.

    Args:
        rate: takes per second in the long run.
        burst: takes at once after a pause.
    """

    def __init__(self, rate: float, burst: int) -> None:
        self._interval = 1.0 / rate
        self._depth = burst / rate
        self._full_at: dict[K, float] = {}
        self._sweep_at = SWEEP_KEYS

    def take(self, key: K, now: float, count: int = 1) -> float:
        """Take from a bucket; return 0.0, or how many seconds until it would do."""
        full_at = self._full_at.get(key, now)
        full_at = (full_at if full_at > now else now) + count * self._interval
        over = full_at - now - self._depth
        if over > 1e-9:
            return over
        self._full_at[key] = full_at
        if len(self._full_at) > self._sweep_at:
            self._sweep(now)
        return 0.0

    def give_back(self, key: K, count: int = 1) -> None:
        """Undo a take whose message was not admitted in the end."""
        if key in self._full_at:
            self._full_at[key] -= count * self._interval

    def __len__(self) -> int:
        return len(self._full_at)

    def _sweep(self, now: float) -> None:
        self._full_at = {key: at for key, at in self._full_at.items() if at > now}
        self._sweep_at = max(SWEEP_KEYS, 2 * len(self._full_at))
