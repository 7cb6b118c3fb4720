"""System calls that Python has no function for, by ctypes; each failure says which call failed."""

from __future__ import annotations

import ctypes
import os
import struct

_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.syscall.restype = ctypes.c_long

CALLS = {
    "x86_64": {"pivot_root": 155, "capset": 126},
    "aarch64": {"pivot_root": 41, "capset": 91},
}
MOUNT_SETATTR, LANDLOCK_CREATE, LANDLOCK_ADD, LANDLOCK_RESTRICT = 442, 444, 445, 446
"""The same number on all machines."""


class Missing(Exception):
    """The kernel refuses a part of the sandbox; `part` names it."""

    def __init__(self, part: str, number: int) -> None:
        super().__init__(part, number)
        self.part, self.number = part, number

    @property
    def why(self) -> str:
        """What the kernel said."""
        return os.strerror(self.number)


def _checked(result: int, part: str) -> int:
    if result < 0:
        raise Missing(part, ctypes.get_errno())
    return result


def syscall(part: str, number: int, *arguments: int | bytes | None) -> int:
    """Make a system call; bytes are passed as a pointer to them.

    Raises:
        Missing: it failed.
    """
    passed = [
        ctypes.c_char_p(each) if isinstance(each, bytes) else ctypes.c_long(each or 0)
        for each in arguments
    ]
    return _checked(_LIBC.syscall(ctypes.c_long(number), *passed), part)


def prctl(part: str, option: int, *arguments: int) -> None:
    """Change something of this process, as prctl does."""
    padded = [ctypes.c_ulong(each) for each in (*arguments, 0, 0, 0, 0)[:4]]
    _checked(_LIBC.prctl(ctypes.c_int(option), *padded), part)


def unshare(flags: int) -> None:
    """Leave the namespaces shared so far."""
    _checked(_LIBC.unshare(ctypes.c_int(flags)), "namespaces")


def mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    """Mount, bind or change the propagation of a mount."""
    words = [each.encode() for each in (source, target, kind)]
    result = _LIBC.mount(*words, ctypes.c_ulong(flags), data.encode() if data else None)
    _checked(result, "mounts")


def detach(target: str) -> None:
    """Take a mount out of the tree (MNT_DETACH)."""
    _checked(_LIBC.umount2(target.encode(), 2), "mounts")


def filter_calls(program: bytes) -> None:
    """Install a seccomp filter for good."""
    code = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("@HxxxxxxP", len(program) // 8, ctypes.addressof(code))
    pointer = ctypes.create_string_buffer(head, len(head))
    set_seccomp, filter_mode = 22, 2
    result = _LIBC.prctl(
        ctypes.c_int(set_seccomp), ctypes.c_ulong(filter_mode), pointer, ctypes.c_ulong(0)
    )
    _checked(result, "seccomp")
