"""How long a person waits: a fresh clone set up with every cache empty, and the demo until its
first settled task, with contracts compiled and keys made before.

In: this checkout's last commit. Out: seconds. The set-up loads all that it needs, so its figure
depends on the network; its caches stand in the clone and are thrown away with it.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from opendepin.demo.project import FULL_CAPACITY, prepare_machine

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / ".build" / "bench" / "starting.json"
CACHES = ("UV_CACHE_DIR", "PIP_CACHE_DIR", "npm_config_cache", "GOCACHE", "GOMODCACHE")
DEMO_S = 60


def setup_s(clone: Path) -> float:
    """Clone the checkout and set it up without any cache; return seconds."""
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    environment = {**os.environ, "GOFLAGS": "-modcacherw"}
    for name in CACHES:
        environment[name] = str(clone.parent / "caches" / name)
    begun = time.monotonic()
    subprocess.run(["make", "setup"], cwd=clone, env=environment, check=True)
    return time.monotonic() - begun


def demo(folder: Path) -> dict[str, float]:
    """Run the demo with what this checkout's set-up made; return its report's seconds."""
    asyncio.run(prepare_machine(True, print, FULL_CAPACITY))
    report = folder / "demo.json"
    subprocess.run(
        [
            *(sys.executable, "-m", "opendepin.cli", "demo", "--for", f"{DEMO_S}s"),
            *("--report", str(report), "--home", str(folder / "home")),
        ],
        cwd=ROOT,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    found = json.loads(report.read_text())
    return {name: found[name] for name in ("ready_s", "first_settled_s")}


def main() -> None:
    """Measure both and write the figures."""
    OUT.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / ".build") as folder:
        warm = demo(Path(folder))
    with tempfile.TemporaryDirectory(dir=ROOT / ".build") as folder:
        cold = setup_s(Path(folder) / "clone")
    figures = {**warm, "setup_s": cold}
    print(", ".join(f"{name} {value:.1f}" for name, value in figures.items()))
    OUT.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
