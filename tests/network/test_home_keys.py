"""Key files of a home: readable by their owner alone, from the first byte on."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import pytest

from opendepin.network.errors import HomeRefused
from opendepin.network.home import Home
from opendepin.runtime.chance import SystemChance


def no_chmod(self: Path, mode: int, **_: Any) -> None:
    """What a crash right after the file's appearing leaves."""


def test_a_key_was_never_readable_by_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Path, "chmod", no_chmod)
    home = Home(tmp_path)
    made = home.key("device-a", SystemChance())
    assert stat.S_IMODE((tmp_path / "keys" / "device-a.json").stat().st_mode) == 0o600
    assert home.key("device-a").secret == made.secret


def test_a_key_that_is_there_is_not_drawn_again(tmp_path: Path) -> None:
    home = Home(tmp_path)
    first = home.key("device-a", SystemChance())
    assert home.key("device-a", SystemChance()).secret == first.secret
    with pytest.raises(HomeRefused):
        home.key("device-b")
