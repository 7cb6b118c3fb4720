"""The steps of set-up, in order, and the tools that they call.

Each step's child writes to `.build/logs/<step>.log`; when it fails, its last lines are shown
under one sentence that says what to do.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import sys
import venv
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from setup_stamps import BUILD, ROOT, Step, stamped

VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
UV = BUILD / "uv" / "bin" / "uv"
LOCKS = ROOT / "requirements"
ENGINE = ROOT / "engines" / "groth16"
PROVER = BUILD / "bin" / "opendepin-groth16"
ASSETS = ROOT / "src" / "opendepin" / "explorer" / "assets"

NODE_MIN = (20, 0)
GO_MIN = (1, 24)
DISK_MIN_BYTES = 3 * 2**30
LOG_TAIL_LINES = 20


class SetupError(Exception):
    """Set-up can't go on; the text is one sentence that says why and what helps."""


@contextlib.contextmanager
def locked() -> Iterator[None]:
    """Hold the checkout's set-up lock, so that two runs don't write the same files."""
    BUILD.mkdir(exist_ok=True)
    with (BUILD / "setup.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def steps(*, dev: bool) -> Iterator[Step]:
    """Give the steps of the plain profile or the development one.

    Each is made when the one before has run, since its stamp tells of what it builds upon.
    """
    dev = dev or "dev" in stamped("python")
    yield _bootstrap()
    yield _python(dev=dev)
    yield _package()
    yield _node(dev=dev)
    if any(ENGINE.glob("*.go")):
        yield _prover()
    if ASSETS.with_suffix(".py").exists() or (ASSETS / "__main__.py").exists():
        yield _assets()


def _bootstrap() -> Step:
    lock = LOCKS / "bootstrap.lock"

    def run() -> None:
        _check_machine()
        shutil.rmtree(VENV, ignore_errors=True)
        shutil.rmtree(UV.parent.parent, ignore_errors=True)
        venv.create(VENV, with_pip=True, symlinks=True)
        pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--require-hashes", "--no-deps"]
        _call("bootstrap", [*pip, "--target", str(UV.parent.parent), "--requirement", str(lock)])

    version = ".".join(map(str, sys.version_info[:2]))
    return Step(
        "bootstrap",
        f"Python {version} environment",
        run,
        inputs=[lock],
        outputs=[PYTHON, UV],
        salt=version,
    )


def _python(*, dev: bool) -> Step:
    lock = LOCKS / ("requirements-dev.lock" if dev else "requirements.lock")

    def run() -> None:
        sync = [str(UV), "pip", "sync", "--quiet", "--require-hashes", "--python", str(PYTHON)]
        _call("python", [*sync, str(lock)])

    return Step(
        "python",
        "Python packages",
        run,
        inputs=[lock],
        outputs=[PYTHON],
        salt=_time_of(PYTHON),
        profile="dev" if dev else "main",
        also=[_python(dev=False)] if dev else [],
    )


def _package() -> Step:
    def run() -> None:
        # setuptools is in the lock: nothing is fetched here.
        install = [str(UV), "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
        _call("package", [*install, "--offline", "--python", str(PYTHON), "--editable", str(ROOT)])

    return Step(
        "package",
        "the depin command",
        run,
        inputs=[ROOT / "pyproject.toml", LOCKS / "requirements.lock"],
        outputs=[VENV / "bin" / "depin"],
        salt=_time_of(BUILD / "stamps" / "python.json"),
    )


def _node(*, dev: bool) -> Step:
    def run() -> None:
        npm, path = find_npm()
        fetch = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
        _call("node", fetch if dev else [*fetch, "--omit=dev"], path=path)
        if dev:
            _link_pyright(path)

    return Step(
        "node",
        "chain engine and page assets from npm",
        run,
        inputs=[ROOT / "package.json", ROOT / "package-lock.json"],
        outputs=[ROOT / "node_modules", *([VENV / "bin" / "pyright"] if dev else [])],
        profile="dev" if dev else "main",
        also=[_node(dev=False)] if dev else [],
    )


def _prover() -> Step:
    def run() -> None:
        go = find_go()
        PROVER.parent.mkdir(parents=True, exist_ok=True)
        build = [go, "build", "-trimpath", "-o", str(PROVER), "."]
        _call("prover", build, where=ENGINE, more={"GOTOOLCHAIN": "local", "CGO_ENABLED": "0"})

    return Step("prover", "the zero-knowledge prover", run, inputs=[ENGINE], outputs=[PROVER])


def _assets() -> Step:
    def run() -> None:
        _call("assets", [str(PYTHON), "-m", "opendepin.explorer.assets", "build"])

    return Step(
        "assets",
        "the basemap and the page's assets",
        run,
        inputs=[
            ASSETS,
            ASSETS.with_suffix(".py"),
            ROOT / "package-lock.json",
            LOCKS / "requirements.lock",
        ],
        outputs=[BUILD / "assets"],
    )


def _check_machine() -> None:
    if sys.platform not in {"linux", "darwin"}:
        raise SetupError(f"OpenDePIN runs on Linux and macOS, not on {sys.platform}.")
    if find_spec("ensurepip") is None:
        raise SetupError(
            "Python's venv module is incomplete: install it (on Debian or Ubuntu:"
            " apt install python3-venv), then run make again."
        )
    free = shutil.disk_usage(ROOT).free
    if free < DISK_MIN_BYTES:
        raise SetupError(
            f"set-up needs {DISK_MIN_BYTES >> 30} GiB of disk and {ROOT} has {free >> 30} GiB free."
        )


def find_npm() -> tuple[str, str]:
    """Find npm and the PATH under which it finds its Node: the machine's, else ours."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _version([node, "--version"]) >= NODE_MIN:
        return npm, os.environ.get("PATH", "")
    ours = VENV / "bin" / "npm"
    if not ours.exists():
        raise SetupError(
            "there is no Node 20 or newer on the PATH, and the packaged one is missing from .venv:"
            " run make clean, then make again."
        )
    return str(ours), f"{ours.parent}{os.pathsep}{os.environ.get('PATH', '')}"


def find_go() -> str:
    """Find a Go that is new enough: the machine's, else ours."""
    theirs, ours = shutil.which("go"), VENV / "bin" / "go"
    if theirs and _version([theirs, "env", "GOVERSION"]) >= GO_MIN:
        return theirs
    if ours.exists():
        return str(ours)
    raise SetupError(
        "there is no Go 1.24 or newer on the PATH, and the packaged one is missing from .venv:"
        " run make clean, then make again."
    )


def _link_pyright(path: str) -> None:
    """Write `.venv/bin/pyright`, so that editors and gates start the pinned one."""
    node = shutil.which("node", path=path)
    script = ROOT / "node_modules" / "pyright" / "index.js"
    link = VENV / "bin" / "pyright"
    link.write_text(f'#!/bin/sh\nexec "{node}" "{script}" "$@"\n')
    link.chmod(0o755)


def _version(command: Sequence[str]) -> tuple[int, ...]:
    """Run `command` and read the first dotted number it prints; (0,) if it prints none."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return (0,)
    found = re.search(r"(\d+)\.(\d+)", done.stdout)
    return tuple(int(part) for part in found.groups()) if found else (0,)


def _time_of(path: Path) -> str:
    """Say when `path` was made, so that a step follows what it builds upon."""
    try:
        return str(path.lstat().st_mtime_ns)
    except OSError:
        return "absent"


def _call(
    step: str,
    command: Sequence[str],
    *,
    where: Path = ROOT,
    path: str | None = None,
    more: dict[str, str] | None = None,
) -> None:
    """Run a child with its output in the step's log; raise with the log's end if it fails."""
    log = BUILD / "logs" / f"{step}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, **(more or {})}
    environment.pop("VIRTUAL_ENV", None)
    if path is not None:
        environment["PATH"] = path
    with log.open("wb") as out:
        try:
            done = subprocess.run(
                command, cwd=where, env=environment, stdout=out, stderr=out, check=False
            )
        except OSError as error:
            raise SetupError(f"{command[0]} did not start: {error.strerror}.") from error
    if done.returncode:
        tail = log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
        shown = "\n".join(f"    {line}" for line in tail)
        raise SetupError(
            f"step '{step}' ended with code {done.returncode}; its last lines:\n{shown}"
        )
