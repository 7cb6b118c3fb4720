"""The walls around a sandboxed process, put up in this order and never taken down again.

1. namespaces: own users, network (no device in it), processes, mounts, IPC, host name
2. a new root in memory that holds the readable folders, read-only, and one scratch folder
3. limits of processor, memory, files
4. no capability, no new privilege, landlock: reading and writing only what is named
5. seccomp: only the calls of `syscalls`

Each alone would stop most of what a hostile project tries; tests try each attempt against all. A
part that the kernel does not give raises `Missing`: nothing runs then.
"""

from __future__ import annotations

import os
import platform
import resource
import struct
from collections.abc import Sequence
from pathlib import Path

from opendepin.runtime.sandbox import kernel, syscalls
from opendepin.runtime.sandbox.limits import Job, Limits

SCRATCH = "/scratch"
"""Where the scratch folder stands inside."""
NULL = "/dev/null"

_NEW_NS, _NEW_UTS, _NEW_IPC, _NEW_USER, _NEW_PID, _NEW_NET = (
    0x00020000,
    0x04000000,
    0x08000000,
    0x10000000,
    0x20000000,
    0x40000000,
)
_NO_SUID, _NO_DEV, _NO_EXEC, _BIND, _REC, _PRIVATE = 2, 4, 8, 0x1000, 0x4000, 1 << 18
_AT_CURRENT, _AT_RECURSIVE, _ATTR_RDONLY = -100, 0x8000, 1
_SET_DEATH_SIGNAL, _DROP_BOUNDING, _NO_NEW_PRIVILEGES = 1, 24, 38
_CAPABILITY_FORM, _CAPABILITIES = 0x20080522, 41
_ROOT_BYTES = 1 << 20

# linux/landlock.h: rights of each version of the interface.
_READ_FILE, _READ_DIR, _WRITE_FILE = 1 << 2, 1 << 3, 1 << 1
_REMOVE_DIR, _REMOVE_FILE, _MAKE_DIR, _MAKE_REG = 1 << 4, 1 << 5, 1 << 7, 1 << 8
_TRUNCATE = 1 << 14
_RIGHTS_BY_ABI = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}
_NETWORK_FROM, _SCOPE_FROM = 4, 6
_BIND_AND_CONNECT, _SOCKETS_AND_SIGNALS = 3, 3
_RULE_BENEATH, _VERSION_FLAG = 1, 1


def die_with_parent(number: int) -> None:
    """Have the kernel send this signal when the parent ends."""
    kernel.prctl("parent", _SET_DEATH_SIGNAL, number)


def separate() -> None:
    """Enter namespaces of our own; the process id namespace holds for the next child."""
    user, group = os.getuid(), os.getgid()
    kernel.unshare(_NEW_USER | _NEW_NET | _NEW_PID | _NEW_NS | _NEW_IPC | _NEW_UTS)
    try:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    except OSError as error:
        raise kernel.Missing("namespaces", error.errno or 0) from error


def new_root(job: Job) -> None:
    """Make a root of our own: the readable folders at their paths, the scratch folder, no more."""
    base, limits = job.scratch, job.limits
    kernel.mount("none", "/", "", _REC | _PRIVATE)
    kernel.mount(
        "sandbox", base, "tmpfs", _NO_SUID | _NO_DEV | _NO_EXEC, f"size={_ROOT_BYTES},mode=755"
    )
    for path in (*job.readable, job.folder, *job.libraries, NULL):
        _bind(path, base)
    Path(base + SCRATCH).mkdir()
    attributes = struct.pack("=QQQQ", _ATTR_RDONLY, 0, 0, 0)
    kernel.syscall(
        "mounts",
        kernel.MOUNT_SETATTR,
        _AT_CURRENT,
        base.encode(),
        _AT_RECURSIVE,
        attributes,
        len(attributes),
    )
    kernel.mount(
        "scratch",
        base + SCRATCH,
        "tmpfs",
        _NO_SUID | _NO_DEV | _NO_EXEC,
        f"size={limits.scratch_bytes},nr_inodes={limits.scratch_files},mode=700",
    )
    os.chdir(base)
    kernel.syscall("mounts", kernel.CALLS[platform.machine()]["pivot_root"], b".", b".")
    kernel.detach(".")
    os.chdir(job.folder)


def _bind(path: str, base: str) -> None:
    target, source = Path(base + path), Path(path)
    if target.is_symlink() or (target.exists() and path != NULL and _same(target, source)):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_symlink():
        target.symlink_to(source.readlink())
        return
    if source.is_dir():
        target.mkdir(exist_ok=True)
    else:
        target.touch()
    kernel.mount(path, str(target), "", _BIND | _REC)


def _same(one: Path, other: Path) -> bool:
    return one.stat().st_ino == other.stat().st_ino and one.stat().st_dev == other.stat().st_dev


def limit(limits: Limits) -> None:
    """Bound what this process may use; the hard limits hold for good."""
    wanted = {
        resource.RLIMIT_CPU: limits.cpu_s,
        resource.RLIMIT_AS: limits.memory_bytes,
        resource.RLIMIT_FSIZE: limits.scratch_bytes,
        resource.RLIMIT_NOFILE: limits.open_files,
        resource.RLIMIT_CORE: 0,
    }
    for what, most in wanted.items():
        _, hard = resource.getrlimit(what)
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))


def give_up_privileges() -> None:
    """Drop every capability, also for whatever would be executed."""
    for number in range(_CAPABILITIES):
        kernel.prctl("capabilities", _DROP_BOUNDING, number)
    head = struct.pack("=Ii", _CAPABILITY_FORM, 0)
    kernel.syscall(
        "capabilities", kernel.CALLS[platform.machine()]["capset"], head, bytes(3 * 4 * 2)
    )
    kernel.prctl("privileges", _NO_NEW_PRIVILEGES, 1)


def landlock_version() -> int:
    """Return the version of landlock that the kernel speaks.

    Raises:
        Missing: none.
    """
    return kernel.syscall("landlock", kernel.LANDLOCK_CREATE, None, 0, _VERSION_FLAG)


def confine(readable: Sequence[str], scratch: str) -> None:
    """Let this process read what is named and write into the scratch folder, nothing else."""
    version = landlock_version()
    rights = (1 << _RIGHTS_BY_ABI[min(version, 5)]) - 1
    network = _BIND_AND_CONNECT if version >= _NETWORK_FROM else 0
    scope = _SOCKETS_AND_SIGNALS if version >= _SCOPE_FROM else 0
    attributes = struct.pack("=QQQ", rights, network, scope)
    size = 24 if scope else 16 if network else 8
    ruleset = kernel.syscall("landlock", kernel.LANDLOCK_CREATE, attributes, size, 0)
    for path in readable:
        _allow(ruleset, path, _READ_FILE | _READ_DIR)
    writing = _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG | _WRITE_FILE | _TRUNCATE
    _allow(ruleset, scratch, (_READ_FILE | _READ_DIR | writing) & rights)
    _allow(ruleset, NULL, _READ_FILE | _WRITE_FILE)
    kernel.syscall("landlock", kernel.LANDLOCK_RESTRICT, ruleset, 0)
    os.close(ruleset)


def _allow(ruleset: int, path: str, rights: int) -> None:
    handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not Path(path).is_dir():
            rights &= ~(_READ_DIR | _REMOVE_DIR | _REMOVE_FILE | _MAKE_DIR | _MAKE_REG)
        rule = struct.pack("=Qi", rights, handle)
        kernel.syscall("landlock", kernel.LANDLOCK_ADD, ruleset, _RULE_BENEATH, rule, 0)
    finally:
        os.close(handle)


def close_calls() -> None:
    """Leave only the system calls of `syscalls`.

    Raises:
        Missing: no list is kept for this machine, or the kernel has no filters.
    """
    try:
        program = syscalls.program(platform.machine())
    except KeyError as error:
        raise kernel.Missing("seccomp", 38) from error
    kernel.filter_calls(program)
