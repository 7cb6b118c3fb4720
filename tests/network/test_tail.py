"""What `depin logs` reads: the older file too, and through a file that is begun anew."""

from __future__ import annotations

import json
from pathlib import Path

from opendepin.network import control
from opendepin.runtime.disk import older


def row(number: int) -> str:
    return json.dumps({"time": f"{number:03d}", "event": "line"}) + "\n"


def times(found: list[dict[str, str]]) -> list[int]:
    return [int(each["time"]) for each in found]


def test_rows_of_the_older_file_come_first(tmp_path: Path) -> None:
    path = tmp_path / "room.jsonl"
    older(path).write_text(row(1) + row(2))
    path.write_text(row(3) + row(4))
    assert times(list(control.tail([path], 3, follow=False, trace=None))) == [2, 3, 4]


def test_a_follower_misses_nothing_when_a_file_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "room.jsonl"
    path.write_text(row(1) + row(2))
    rows = control.tail([path], 9, follow=True, trace=None)
    assert times([next(rows), next(rows)]) == [1, 2]
    with path.open("a") as file:
        file.write(row(3))
    path.replace(older(path))
    path.write_text(row(4))
    assert times([next(rows), next(rows)]) == [3, 4]
