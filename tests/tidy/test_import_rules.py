"""The import rules of pyproject.toml let a good tree pass and catch each kind of breach."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tidy.tree import ROOT

BIN = Path(sys.executable).parent
ROOMS = (
    *("cli", "demo", "network", "verify", "explorer", "explorer/adapters", "dims"),
    *("dims/one", "dims/one/adapters", "dims/two", "chain", "chain/adapters", "proofs"),
    *("proofs/zk", "proofs/zk/adapters", "sdk", "runtime", "core", "contracts"),
)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    root = tmp_path / "opendepin"
    for room in ROOMS:
        (root / room).mkdir(parents=True)
        (root / room / "__init__.py").touch()
    (root / "__init__.py").touch()
    (root / "line.py").touch()
    (root / "network" / "adapters.py").write_text("import opendepin.dims.one.adapters\n")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return root


def _lint(package: Path) -> str:
    """Run import-linter on the tree; return what it printed, or nothing if all rules hold."""
    done = subprocess.run(
        [str(BIN / "lint-imports"), "--no-logo", "--no-cache"],
        cwd=package.parent,
        env={**os.environ, "PYTHONPATH": str(package.parent), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout if done.returncode else ""


def test_a_good_tree_passes(package: Path) -> None:
    assert _lint(package) == ""


@pytest.mark.parametrize(
    ("where", "line", "rule"),
    [
        ("core/x.py", "import opendepin.runtime", "Imports run down BROKEN"),
        ("chain/x.py", "import opendepin.dims.one", "Imports run down BROKEN"),
        ("sdk/x.py", "import opendepin.runtime", "Imports run down BROKEN"),
        ("attic.py", "", "Imports run down BROKEN"),
        ("dims/one/x.py", "import opendepin.dims.two", "never imports another room BROKEN"),
        ("line.py", "import opendepin.dims.one.adapters", "roots alone BROKEN"),
        ("dims/one/x.py", "import opendepin.chain.adapters", "roots alone BROKEN"),
        ("core/x.py", "import asyncio", "The ground is pure BROKEN"),
    ],
)
def test_a_breach_is_caught(package: Path, where: str, line: str, rule: str) -> None:
    (package / where).write_text(f"{line}\n")
    assert rule in _lint(package)


def test_a_circle_is_caught(package: Path) -> None:
    (package / "dims" / "one" / "x.py").write_text("import opendepin.dims.one.y\n")
    (package / "dims" / "one" / "y.py").write_text("import opendepin.dims.one.x\n")
    assert "No circles BROKEN" in _lint(package)


@pytest.mark.parametrize(
    "line",
    [
        "import time",
        "import random",
        "import secrets",
        "import socket",
        "import subprocess",
        "from os import urandom",
        "from uuid import uuid4",
        "import zfec",
    ],
)
def test_the_world_comes_in_by_the_runtime_alone(line: str) -> None:
    def faults(where: str) -> str:
        lint = [str(BIN / "ruff"), "check", "--select", "TID251", "--stdin-filename", where, "-"]
        done = subprocess.run(
            lint, cwd=ROOT, input=f"{line}\n", capture_output=True, text=True, check=False
        )
        return done.stdout if done.returncode else ""

    assert "TID251" in faults("src/opendepin/dims/gateway/service.py")
    assert faults("src/opendepin/runtime/clock.py") == ""
    assert faults("src/opendepin/sdk/adapters/clock.py") == ""
