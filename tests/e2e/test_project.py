"""A project of one's own, as README and `depin new` give it: from the template to a settled task on
a fresh home, verified, in the three commands that a builder types; a second one beside it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from opendepin.network import control
from opendepin.network.home import Home
from opendepin.runtime import settings
from tests.e2e.networks import depin, small_settings

pytestmark = [pytest.mark.e2e, pytest.mark.serial, pytest.mark.timeout(900)]


def within(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `depin` in a project's folder."""
    command = [sys.executable, "-m", "opendepin.cli", *arguments]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=600, check=False
    )


def test_a_projects_rule_is_proven_and_settled(tmp_path: Path) -> None:
    home, folder = Home(tmp_path / "home"), tmp_path
    settings.write_default(home.settings, small_settings())
    try:
        for number, template in enumerate(("weather", "blank"), start=1):
            folder = tmp_path / f"my-{template}"
            made = within(tmp_path, "new", folder.name, "--template", template)
            assert made.returncode == 0, made.stderr
            done = within(folder, "deploy", "--home", str(home.root), "--json")
            assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
            found = json.loads(done.stdout)
            assert found["project"] == number
            assert found["fresh"] is True
            assert found["task"]["state"] == "settled"
            assert found["task"]["project"] == number
            assert found["task"]["callback_ok"] is True
            checked = depin("verify", found["task"]["task"], "--home", str(home.root))
            assert checked.returncode == 0, checked.stdout[-3000:]
            assert "every step holds" in checked.stdout
        mine = depin("device", "new", "mine", "--project", "my-blank", "--home", str(home.root))
        assert mine.returncode == 0, mine.stderr
        assert "in project my-blank, index 3" in mine.stdout
        again = within(folder, "deploy", "--home", str(home.root), "--no-send", "--json")
        assert json.loads(again.stdout)["fresh"] is False
        rule = folder / "project.py"
        rule.write_text(rule.read_text().replace("DEVICES = 4", "DEVICES = 3"))
        other = within(folder, "deploy", "--home", str(home.root), "--no-send")
        assert other.returncode == 2
        assert "project-version" in other.stderr
    finally:
        control.down(home)
