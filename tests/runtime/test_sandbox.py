"""Code that is not ours runs in the sandbox: what it may do works, what it may not is named."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from opendepin.runtime.errors import ProjectFailed, ProjectStopped, SandboxMissing
from opendepin.runtime.sandbox import kernel, syscalls
from opendepin.runtime.sandbox import run as running
from opendepin.runtime.sandbox.limits import Limits
from opendepin.runtime.sandbox.run import Call, Outcome, run
from tests.runtime.hostile_projects import ATTEMPTS, BY_KERNEL_ALONE, CALLS

LIMITS = Limits(cpu_s=10, wall_s=60.0, memory_bytes=400 << 20, result_bytes=2 << 20)
OF_KIND = {"cpu": Limits(cpu_s=1, wall_s=60.0), "time": Limits(wall_s=1.5)}
LEFT_BEHIND = "depin-sandbox-"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with a key in it, and a project's folder beside."""
    (tmp_path / "secret.key").write_text("the key")
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "data.csv").write_text("1,2\n")
    (folder / "link").symlink_to(tmp_path / "secret.key")
    return tmp_path


@pytest.fixture
def port() -> Iterator[int]:
    """A port of this machine where somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def attempt(
    home: Path, source: str, argument: object, limits: Limits = LIMITS, **mode: bool
) -> Outcome:
    (home / "project" / "project.py").write_text(source)
    asked = {"entry": "project.py:attack", "argument": argument}
    call = Call("opendepin.runtime.sandbox.loading", "call", asked)
    return run(call, home / "project", limits, **mode)


def untouched(home: Path) -> bool:
    key = home / "secret.key"
    return (
        key.read_text() == "the key"
        and key.stat().st_mode & 0o777 != 0o777
        and key.stat().st_mtime > 1
        and sorted(each.name for each in home.iterdir()) == ["project", "secret.key"]
        and not Path("/tmp/depin-planted").exists()
        and not (home / "project" / "planted").exists()
    )


def children() -> set[str]:
    """Processes that this one started and that are still there."""
    found: set[str] = set()
    for each in Path("/proc/self/task").iterdir():
        found |= set((each / "children").read_text().split())
    return found


@pytest.mark.parametrize("name", ATTEMPTS)
def test_each_attempt_is_stopped_and_named(name: str, home: Path, port: int) -> None:
    source, kind = ATTEMPTS[name]
    before = children()
    argument = port if name == "tcp" else str(home)
    limits = OF_KIND.get(kind, LIMITS)
    with pytest.raises(ProjectStopped) as stopped:
        attempt(home, source, argument, limits)
    assert stopped.value.kind == kind, str(stopped.value)
    assert stopped.value.code == "sandbox-stopped"
    assert "the project was stopped: it" in str(stopped.value)
    assert untouched(home)
    assert children() <= before


UNNAMED = {"cpu", "time", "memory", "printed", "result", "crash"}


@pytest.mark.parametrize("name", [n for n, (_, kind) in ATTEMPTS.items() if kind not in UNNAMED])
def test_the_walls_hold_without_the_watch(name: str, home: Path, port: int) -> None:
    source, _ = ATTEMPTS[name]
    argument = port if name == "tcp" else str(home)
    if name in {"caught", "ctypes"}:  # the one does nothing more, the other is no harm by itself
        assert attempt(home, source, argument, watched=False).result
        return
    with pytest.raises(ProjectFailed) as failed:
        attempt(home, source, argument, watched=False)
    refusals = ("PermissionError", "FileNotFoundError", "OSError", "ValueError", "RuntimeError")
    assert any(each in str(failed.value) for each in refusals)
    assert untouched(home)


@pytest.mark.parametrize("name", BY_KERNEL_ALONE)
def test_the_kernel_refuses_what_goes_past_the_interpreter(name: str, home: Path) -> None:
    source = CALLS.replace("BODY", BY_KERNEL_ALONE[name])
    outcome = attempt(home, source, str(home), watched=False)
    assert isinstance(outcome.result, list)
    assert outcome.result[0] == -1, f"{name} gave {outcome.result}"
    assert untouched(home)


def test_ctypes_found_in_memory_is_named_when_it_is_used(home: Path) -> None:
    source = CALLS.replace("BODY", BY_KERNEL_ALONE["fork"])
    with pytest.raises(ProjectStopped) as stopped:
        attempt(home, source, str(home))
    assert stopped.value.kind == "ctypes"


def test_what_a_project_may_do_works(home: Path) -> None:
    source = """
import csv, json, math, os, sys, datetime, decimal, statistics, zlib
def attack(argument):
    print("hello", file=sys.stderr)
    scratch = os.environ["HOME"]
    with open(scratch + "/note", "w") as file:
        file.write("kept")
    os.rename(scratch + "/note", scratch + "/other")
    os.mkdir(scratch + "/folder")
    return {
        "rows": list(csv.reader(open("data.csv"))), "argument": argument,
        "note": open(scratch + "/other").read(), "environment": sorted(os.environ),
        "here": sorted(os.listdir(".")), "root": sorted(os.environ), "pid": os.getpid(),
        "zipped": len(zlib.compress(b"x" * 1000)),
    }
"""
    outcome = attempt(home, source, {"x": [1, None, "ü"]})
    found = outcome.result
    assert isinstance(found, dict)
    assert found["rows"] == [["1", "2"]]
    assert found["argument"] == {"x": [1, None, "ü"]}
    assert found["note"] == "kept"
    assert found["pid"] == 1
    assert set(found["environment"]) <= {
        "HOME", "LC_CTYPE", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PATH", "TMPDIR",
    }  # fmt: skip
    assert outcome.printed == "hello\n"


def test_nothing_is_passed_from_one_run_to_the_next(home: Path) -> None:
    source = """
import os
def attack(_):
    path = os.environ["HOME"] + "/note"
    found = os.path.exists(path)
    open(path, "w").write("x")
    return found
"""
    assert [attempt(home, source, None).result for _ in range(2)] == [False, False]
    scratch = Path(os.environ.get("TMPDIR", "/tmp"))
    mine = [each for each in scratch.glob(f"{LEFT_BEHIND}*") if each.stat().st_mtime > time.time()]
    assert not mine


def test_the_scratch_folder_is_bounded_in_bytes_and_files(home: Path) -> None:
    filling = """
import os
def attack(_):
    name = os.environ["HOME"] + "/"
    for number in range(100):
        with open(f"{name}{number}", "wb") as file:
            file.write(bytes(1 << 20))
"""
    with pytest.raises(ProjectFailed, match="No space left"):
        attempt(home, filling, None, Limits(scratch_bytes=4 << 20))
    many = filling.replace("range(100)", "range(10_000)").replace("1 << 20", "0")
    with pytest.raises(ProjectFailed, match="No space left"):
        attempt(home, many, None)


def test_a_bomb_on_disk_is_bounded(home: Path) -> None:
    source = """
import gzip, os, shutil
def attack(_):
    bomb = os.environ["HOME"] + "/bomb.gz"
    with gzip.open(bomb, "wb") as file:
        for _ in range(64): file.write(bytes(1 << 20))
    with gzip.open(bomb) as packed, open(os.environ["HOME"] + "/out", "wb") as out:
        shutil.copyfileobj(packed, out)
"""
    with pytest.raises(ProjectFailed, match=r"No space left|File too large"):
        attempt(home, source, None)


def test_a_failure_names_the_projects_own_line(home: Path) -> None:
    with pytest.raises(ProjectFailed) as failed:
        attempt(home, "def attack(_):\n    x = 1\n    return x / 0\n", None)
    assert (
        str(failed.value) == "project.py:3: ZeroDivisionError: division by zero\n    return x / 0"
    )
    assert failed.value.at == ("project.py", 3)
    with pytest.raises(ProjectFailed) as failed:
        attempt(home, "def attack(_):\n    return (\n", None)
    assert failed.value.at[0] == "project.py"


def test_an_answer_that_is_no_json_fails(home: Path) -> None:
    with pytest.raises((ProjectFailed, ProjectStopped)):
        attempt(home, "def attack(_): return object()", None)


def test_an_answer_made_by_hand_is_judged_like_any_other(home: Path) -> None:
    source = """
import os
def attack(_):
    for fd in range(3, 64):
        try: os.write(fd, b'{"result":"forged"}')
        except OSError: pass
    os._exit(0)
"""
    outcome = attempt(home, source, None)
    assert outcome.result == "forged"  # it may answer what it likes: nobody trusts the answer


@pytest.mark.parametrize("part", ["namespaces", "landlock", "seccomp", "mounts"])
def test_it_fails_closed_with_one_sentence(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = running._missing(part, "Operation not permitted")
    assert isinstance(found, SandboxMissing)
    assert "it lacks" in str(found)
    assert "--unsafe-no-sandbox" in str(found)
    assert str(found).count("\n") == 0


def test_a_kernel_without_a_part_runs_nothing(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    marker = "def attack(_): print('ran')"
    boot = running._BOOT.replace(
        "from opendepin.runtime.sandbox.child import main",
        "from opendepin.runtime.sandbox import kernel; kernel.LANDLOCK_CREATE = 999; "
        "from opendepin.runtime.sandbox.child import main",
    )
    monkeypatch.setattr(running, "_BOOT", boot)
    with pytest.raises(SandboxMissing, match="landlock"):
        attempt(home, marker, None)


def test_a_child_that_cannot_start_is_no_answer(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "_BOOT", "raise SystemExit('no')")
    with pytest.raises(SandboxMissing, match="no"):
        attempt(home, "def attack(_): return 1", None)


def test_the_weaker_mode_has_a_label_and_still_bounds(home: Path) -> None:
    assert "your rights" in running.WEAKER_MODE
    assert attempt(home, "def attack(_): return 7", None, walled=False).result == 7
    for name in ("endless loop", "4 GB", "passwd", "tcp", "ctypes", "fork bomb", "huge answer"):
        source, kind = ATTEMPTS[name]
        with pytest.raises(ProjectStopped) as stopped:
            attempt(home, source, str(home), OF_KIND.get(kind, LIMITS), walled=False)
        assert stopped.value.kind == kind


def test_the_argument_is_bounded(home: Path) -> None:
    with pytest.raises(ProjectStopped, match="takes at most"):
        attempt(home, "def attack(_): return 1", "x" * (5 << 20))


def test_filters_are_whole_for_each_machine() -> None:
    for machine in syscalls.ALLOWED:
        code = syscalls.program(machine)
        assert len(code) % 8 == 0
        assert len(code) // 8 < 4096
    with pytest.raises(KeyError):
        syscalls.program("sparc")
    forbidden = {"fork", "clone", "clone3", "execve", "socket", "kill", "ptrace", "mount", "prctl"}
    assert not any(forbidden & set(calls) for calls in syscalls.ALLOWED.values())


def test_a_failed_call_names_its_part() -> None:
    with pytest.raises(kernel.Missing) as missing:
        kernel.syscall("landlock", 999)
    assert missing.value.part == "landlock"
    assert missing.value.why == "Function not implemented"
