"""Logs and figures of a service: JSON lines with a trace id, counts, latencies, the status
document.

In: events and measured values. Out: lines on a stream, and `status_json()` for `GET /v1/status`.
"""

from __future__ import annotations

import fcntl
import os
import sys
from collections import Counter
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any, TextIO, cast

import structlog
from structlog.tracebacks import ExceptionDictTransformer

from opendepin.runtime.clock import Clock, SystemClock
from opendepin.runtime.disk import older

MAX_SAMPLES = 1024
"""Newest latencies kept per name; quantiles are over these."""
MAX_NAMES = 256
"""Most different counts or latencies of one service; more is a mistake of ours and is not kept."""

_TRACEBACKS = structlog.processors.ExceptionRenderer(
    ExceptionDictTransformer(show_locals=False, max_frames=50)
)
"""Where an error came from, without the values it worked on: keys and messages stay out of logs."""


def log(service: str, stream: TextIO | None = None) -> Any:
    """Return a logger that writes one JSON object a line: `time level service event` and what it is
    called with.

    Pass `trace=` (message id, task id or batch number) wherever a line belongs to one.
    """
    logger = structlog.wrap_logger(
        structlog.WriteLogger(stream or sys.stderr),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
            _TRACEBACKS,
            _plain,
            structlog.processors.JSONRenderer(),
        ],
    )
    return logger.bind(service=service)


def open_log(service: str, path: Path, most_bytes: int) -> Any:
    """Return a logger that appends to a file for the rest of the process, as `log` writes.

    At `most_bytes` the file becomes `disk.older` of it, in the place of the one before.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    return log(service, cast(TextIO, _Lines(path, most_bytes)))


class _Lines:
    """A file whose lines are whole, however many processes append to it and begin it anew."""

    def __init__(self, path: Path, most_bytes: int) -> None:
        self._path, self._most = path, most_bytes
        self._handle = self._open()

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        return os.open(self._path, flags, 0o644)

    def write(self, text: str) -> None:
        """Append a line."""
        if os.fstat(self._handle).st_size >= self._most:
            self._begin_anew()
        os.write(self._handle, text.encode())

    def _begin_anew(self) -> None:
        """Set the full file aside, unless another process did, and open the new one."""
        full = self._handle
        try:
            fcntl.flock(full, fcntl.LOCK_EX)
            if os.path.samestat(self._path.stat(), os.fstat(full)):
                self._path.replace(older(self._path))
            self._handle = self._open()
        finally:
            os.close(full)

    def flush(self) -> None:
        """Do nothing: nothing is kept back."""


def _plain(_logger: object, _method: str, event: Any) -> Any:
    for key, value in event.items():
        if isinstance(value, bytes):
            event[key] = "0x" + value.hex()
    return event


def version() -> str:
    """Return the product's version as installed, or `0+source` in a bare checkout."""
    try:
        return metadata.version("opendepin")
    except metadata.PackageNotFoundError:
        return "0+source"


class Counters:
    """What a service counts and measures; single-threaded use."""

    def __init__(
        self, service: str, labels: Iterable[str] = (), clock: Clock | None = None
    ) -> None:
        self._clock = clock or SystemClock()
        self._service = service
        self._labels = list(labels)
        self._started_ms = self._clock.now_ms()
        self._latencies: dict[str, _Reservoir] = {}
        self.counts: Counter[str] = Counter()
        """Name → how often, since the start."""

    def add(self, name: str, n: int = 1) -> None:
        """Count n more of something."""
        if name in self.counts or len(self.counts) < MAX_NAMES:
            self.counts[name] += n

    def observe(self, name: str, milliseconds: float) -> None:
        """Keep one latency."""
        found = self._latencies.get(name)
        if found is None:
            if len(self._latencies) >= MAX_NAMES:
                return
            found = self._latencies[name] = _Reservoir()
        found.add(milliseconds)

    def quantiles(self, name: str) -> dict[str, float]:
        """Return p50, p95, p99 in milliseconds of the newest samples; empty when there are none."""
        found = self._latencies.get(name)
        return found.quantiles() if found else {}

    def status_json(self, **extra: object) -> dict[str, object]:
        """Return the status document of `GET /v1/status`, with what a service adds."""
        return {
            "service": self._service,
            "version": version(),
            "started_ms": self._started_ms,
            "counts": dict(self.counts),
            "latency_ms": {name: kept.quantiles() for name, kept in self._latencies.items()},
            "labels": self._labels,
            **extra,
        }


class _Reservoir:
    """The newest samples in a ring."""

    def __init__(self) -> None:
        self._samples: list[float] = []
        self._next = 0

    def add(self, value: float) -> None:
        if len(self._samples) < MAX_SAMPLES:
            self._samples.append(value)
            return
        self._samples[self._next] = value
        self._next = (self._next + 1) % MAX_SAMPLES

    def quantiles(self) -> dict[str, float]:
        rows = sorted(self._samples)
        last = len(rows) - 1
        return {name: round(rows[round(share * last)], 3) for name, share in _QUANTILES}


_QUANTILES = (("p50", 0.50), ("p95", 0.95), ("p99", 0.99))
