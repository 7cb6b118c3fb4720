"""Whole files, locks and ports."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from opendepin.runtime import disk, net
from opendepin.runtime.errors import HomeLocked, PortTaken


def test_writes_whole_files_with_their_mode(tmp_path: Path) -> None:
    path = tmp_path / "a" / "key.json"
    disk.write_atomic(path, b"one", mode=disk.PRIVATE)
    disk.write_atomic(path, b"two", mode=disk.PRIVATE)
    assert disk.read(path) == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ["key.json"]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    disk.write_atomic(path, b"old")
    (tmp_path / "kept2").mkdir()
    with pytest.raises(IsADirectoryError):
        disk.write_atomic(tmp_path / "kept2", b"new")  # a folder can't be replaced by a file
    assert disk.read(path) == b"old"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["kept", "kept2"]


def test_a_lock_is_one_process_s_and_ends_with_it(tmp_path: Path) -> None:
    path = tmp_path / "run" / "lock"
    with disk.Lock(path):
        assert disk.lock_holder(path) == os.getpid()
        with pytest.raises(HomeLocked, match=str(os.getpid())):
            disk.Lock(path)
    assert disk.lock_holder(path) is None
    code = (
        "import sys, time; from pathlib import Path; from opendepin.runtime.disk import Lock\n"
        "kept = Lock(Path(sys.argv[1])); print('locked', flush=True); time.sleep(60)"
    )
    source = str(Path(disk.__file__).resolve().parents[2])
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(path)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": source},
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"locked\n"
        assert disk.lock_holder(path) == holder.pid
        holder.kill()
    disk.Lock(path).release()


def test_probes_past_taken_ports() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert not net.is_free(port)
        assert net.first_free(port) > port
        with pytest.raises(PortTaken, match=str(port)):
            net.listen("127.0.0.1", port)
    assert net.is_free(port)
    assert net.first_free(port) == port
    assert net.first_free(port, taken=frozenset([port])) > port
    assert net.first_free(0) > 0
