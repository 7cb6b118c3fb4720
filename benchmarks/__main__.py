"""Run every benchmark and write what was measured beside what was promised: `make bench`.

Each `benchmarks/NAME.py` has a `main()` that leaves `.build/bench/NAME.json`. `python -m
benchmarks` runs all, `… prove` some, `… --merge` none. A promise whose figure is missing is written
as not measured, one that is missed as missed.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
FIGURES = ROOT / ".build" / "bench"
RESULTS = HERE / "RESULTS.md"
TIMEOUT_S = 3_600
MACHINE, DATE = "machine", "date"


@dataclass(frozen=True)
class Promise:
    """One figure that the product promises."""

    name: str
    file: str
    """Benchmark that measures it."""
    figure: str
    """Dotted path of the figure in the benchmark's file."""
    unit: str
    limit: float
    at_least: bool
    """Whether the limit is the least or the most."""
    peer: str = ""
    """What it is compared with, by name."""
    peer_figure: str = ""
    ratio: str = ""
    """Dotted paths of the peer's figure and of the ratio."""

    def kept(self, found: float) -> bool:
        """Tell whether a figure keeps the promise."""
        return found >= self.limit if self.at_least else found <= self.limit


def _ingest(size: int, share: float) -> Promise:
    name = "Messages admitted, one a request" if size == 1 else f"… in frames of {size}"
    return Promise(
        f"{name}, of coincurve's raw verify rate",
        "ingest",
        f"{size}.ratio",
        "of a core's rate",
        share,
        at_least=True,
        peer="coincurve",
        peer_figure=f"{size}.peer",
        ratio=f"{size}.ratio",
    )


PROMISES = (
    _ingest(1, 0.35),
    _ingest(16, 0.70),
    _ingest(64, 0.70),
    _ingest(256, 0.70),
    Promise("Receipts at half load, p99", "ingest", "half.p99_ms", "ms", 50, at_least=False),
    Promise(
        "Memory under ten times the load", "ingest", "overload.most_mib", "MiB", 512, at_least=False
    ),
    Promise("Cold set-up of a fresh clone", "starting", "setup_s", "s", 300, at_least=False),
    Promise(
        "Warm start to the first settled task",
        "starting",
        "first_settled_s",
        "s",
        60,
        at_least=False,
    ),
    Promise("Proof of 256 readings, warm", "prove", "seconds", "s", 4, at_least=False),
    Promise(
        "The same, against snarkjs on the same files",
        "prove",
        "ratio",
        "× as fast",
        6,
        at_least=True,
        peer="snarkjs",
        peer_figure="snarkjs_s",
        ratio="ratio",
    ),
    Promise("Verifier call", "prove", "verify_gas", "gas", 210_000, at_least=False),
    Promise("Settlement transaction", "settling", "settle", "gas", 500_000, at_least=False),
    Promise("The very first one", "settling", "first", "gas", 500_000, at_least=False),
)


def figure(files: dict[str, Any], file: str, path: str) -> float | None:
    """Return a figure of a benchmark's file, None when it is not there."""
    value: Any = files.get(file)
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value)


def row(promise: Promise, files: dict[str, Any]) -> list[str]:
    """Return a promise's row of the table."""
    sign = "≥" if promise.at_least else "≤"
    target = f"{sign} {number(promise.limit)} {promise.unit}"
    found = figure(files, promise.file, promise.figure)
    if found is None:
        return [promise.name, "not measured", "", "", target, "–"]
    peer = figure(files, promise.file, promise.peer_figure) if promise.peer_figure else None
    ratio = figure(files, promise.file, promise.ratio) if promise.ratio else None
    return [
        promise.name,
        f"{number(found)} {promise.unit}",
        f"{promise.peer} {number(peer)}" if peer is not None else promise.peer,
        number(ratio) if ratio is not None else number(found / promise.limit),
        target,
        "met" if promise.kept(found) else "**missed**",
    ]


def number(value: float) -> str:
    """Write a number with three significant figures, or whole."""
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"


def machine() -> str:
    """Describe the machine in one line."""
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text().splitlines() if cpu.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    load = os.getloadavg()[0]
    return (
        f"{models[0] if models else platform.machine()}, {os.cpu_count()} cores, {memory:.0f} GiB, "
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}, "
        f"load at the start {load:.1f}"
    )


def render(files: dict[str, Any], about: dict[str, str]) -> str:
    """Write RESULTS.md."""
    titles = ["promise", "figure", "peer", "ratio", "target", "result"]
    rows = [titles, ["---"] * len(titles), *(row(each, files) for each in PROMISES)]
    table = "\n".join("| " + " | ".join(cells) + " |" for cells in rows)
    measured = "\n".join(
        f"- `{name}`, {_written(name)}: {json.dumps(files[name], sort_keys=True)}"
        for name in sorted(files)
    )
    return f"""# Results

Written by `make bench`. Machine: {about[MACHINE]}. Date: {about[DATE]}.

The ratio is against the peer in the same run, or against the target where there is no peer. What is
missed is said so; gas and ratios carry over to other machines, seconds do not.

{table}

## Everything that was measured

{measured}
"""


def _written(name: str) -> str:
    path = FIGURES / f"{name}.json"
    when = path.stat().st_mtime if path.exists() else 0
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%d %H:%M UTC")


def run(names: list[str]) -> list[str]:
    """Run benchmarks one after the other; return the names of those that failed."""
    failed: list[str] = []
    for name in names:
        print(f"== benchmark: {name}", flush=True)
        path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
        environment = {**os.environ, "PYTHONPATH": path}
        command = [sys.executable, "-m", f"benchmarks.{name}"]
        try:
            done = subprocess.run(
                command, cwd=ROOT, env=environment, timeout=TIMEOUT_S, check=False
            )
        except subprocess.TimeoutExpired:
            failed.append(name)
            continue
        if done.returncode != 0:
            failed.append(name)
    return failed


def merge(about: dict[str, str]) -> bool:
    """Write RESULTS.md from the figures that are there; tell whether all promises are kept."""
    files = {path.stem: json.loads(path.read_text()) for path in sorted(FIGURES.glob("*.json"))}
    RESULTS.write_text(render(files, about), encoding="utf-8")
    print(f"== {RESULTS.relative_to(ROOT)}")
    rows = [row(each, files) for each in PROMISES]
    for name, found, _, _, target, result in rows:
        print(f"{result.strip('*'):>7}  {name}: {found} ({target})")
    return all(result == "met" for *_, result in rows)


def main(arguments: list[str]) -> int:
    """Run what the command line names; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    known = sorted(p.stem for p in HERE.glob("*.py") if not p.stem.startswith("_"))
    parser.add_argument("names", nargs="*", help=f"of {', '.join(known)}; all without any")
    parser.add_argument("--merge", action="store_true", help="run nothing, write what is there")
    chosen = parser.parse_args(arguments)
    if unknown := set(chosen.names) - set(known):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}")
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    about = {MACHINE: machine(), DATE: now}
    FIGURES.mkdir(parents=True, exist_ok=True)
    failed = [] if chosen.merge else run(chosen.names or known)
    merge(about)
    for name in failed:
        print(f"benchmark {name} failed", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
