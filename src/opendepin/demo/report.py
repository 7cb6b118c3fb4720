"""The report of a demo run: `demo.json`."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from typing import Any, cast

from opendepin import __version__
from opendepin.core.units import wei
from opendepin.demo.checks import Checks
from opendepin.demo.replay import Tally
from opendepin.network.control import tail
from opendepin.network.home import Home
from opendepin.network.projects import ProjectFolder


@dataclass(frozen=True)
class Times:
    """When a run did what."""

    began_s: float
    """Start of the process, Unix seconds."""
    ready_s: float
    """Seconds from there until the network served and its stations reported."""
    duration_s: float
    """Seconds that the run took."""


Report = dict[str, Any]
"""JSON value with at least `ok`, `duration_s`, `messages`, `latency_ms`, `tasks`, `proofs`."""

MAX_LOG_ROWS = 100_000
VERSIONS = ("vyper", "litestar", "coincurve", "cbor2", "uvicorn")


def quantiles(values: Sequence[float]) -> dict[str, float | None]:
    """Return p50 and p95, None without values."""
    if len(values) < 2:
        only = round(values[0], 3) if values else None
        return {"p50": only, "p95": only}
    cuts = statistics.quantiles(values, n=20, method="inclusive")
    return {"p50": round(cuts[9], 3), "p95": round(cuts[18], 3)}


def build_report(home: Home, tally: Tally, found: Checks, times: Times) -> Report:
    """Put the run's figures together; nothing in it is estimated.

    A task counts as proven when an operator's log has its proof, or it is settled.
    """
    settled = [task for task in found.tasks if task["state"] == "settled"]
    seconds = proof_seconds(home)
    constraints = {file.project: file.constraints for file in ProjectFolder(home).all()}
    return {
        "ok": found.ok,
        "checks": {
            name: {"holds": holds, "why": found.why[name]} for name, holds in found.holds.items()
        },
        "duration_s": round(times.duration_s, 1),
        "ready_s": round(times.ready_s, 1),
        "first_settled_s": first_settled_s(settled, times.began_s),
        "messages": {
            "sent": tally.sent,
            "accepted": tally.accepted,
            "duplicate": tally.duplicate,
            "refused": tally.refused,
            "settled": value(found.stats, "proven") or 0,
        },
        "latency_ms": {
            "receipt": quantiles(list(tally.receipt_ms)),
            "settled": {
                "p50": milliseconds(value(found.stats, "settle_p50")),
                "p95": milliseconds(value(found.stats, "settle_p95")),
            },
        },
        "tasks": {
            "assigned": sum(task["assigned_block"] is not None for task in found.tasks),
            "proven": sum(t["state"] == "settled" or t["task"] in seconds for t in found.tasks),
            "settled": len(settled),
            "failed": sum(task["state"] == "recalled" for task in found.tasks),
        },
        "proofs": [
            {
                "kind": "zk",
                "task": task["task"],
                "readings": value(task, "readings"),
                "constraints": constraints.get(task["project"]),
                "seconds": seconds.get(task["task"]),
                "gas": value(task, "gas"),
            }
            for task in settled
        ],
        "rewards_wei": str(sum(_wei(task, "devices_held", "operator_paid") for task in settled)),
        "burned_wei": str(found.accounts.burner_total if found.accounts else 0),
        "versions": versions(),
    }


def first_settled_s(settled: Sequence[dict[str, Any]], began_s: float) -> float | None:
    """Return the seconds from a process's start to the block of the first task settled since then;
    None without one.
    """
    since = [task["settled_time"] - began_s for task in settled]
    return min((round(each, 1) for each in since if each >= 0), default=None)


def proof_seconds(home: Home) -> dict[str, float]:
    """Return task → seconds of its proof (witness and proof), by the operators' logs."""
    found: dict[str, float] = {}
    for path in sorted((home.root / "logs").glob("operator-*.jsonl")):
        for row in tail([path], MAX_LOG_ROWS, follow=False, trace=None):
            if row.get("event") == "proof":
                found[str(row["trace"])] = float(row["seconds"])
    return found


def value(row: dict[str, Any], name: str) -> Any:
    """Return the value of a figure in an API answer, None when there is none."""
    figure = row.get(name)
    return cast(dict[str, Any], figure).get("value") if isinstance(figure, dict) else figure


def milliseconds(seconds: float | None) -> float | None:
    """Turn seconds into milliseconds."""
    return None if seconds is None else round(seconds * 1_000, 1)


def _wei(task: dict[str, Any], *names: str) -> int:
    paid: dict[str, Any] = task.get("paid") or {}
    return sum(wei(str(value(paid, name) or "0")) for name in names)


def versions() -> dict[str, str]:
    """Return the versions of the product and of what it stands on."""
    found = {name: metadata.version(name) for name in VERSIONS}
    return {"opendepin": __version__, "anvil": "1.7.1", "gnark": "0.14.0", **found}
