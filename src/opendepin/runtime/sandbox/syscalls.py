"""The system calls that a sandboxed process may make: a seccomp filter, built without a library.

Everything that is not listed fails with EPERM: no process, thread, exec, socket, signal, mount,
change of limits, owners, modes, times or keys. `ioctl` fails with ENOTTY, which is what a file that
is no terminal says. In: the machine's name. Out: the filter's bytes for prctl(2).
"""

from __future__ import annotations

import struct

ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""Machine → AUDIT_ARCH_… of linux/audit.h."""

X32_BIT = 0x40000000
"""System calls of the x32 ABI carry it; none is allowed."""

_SHARED = {"close_range": 436, "faccessat2": 439}

_X86_64 = {
    "read": 0,
    "write": 1,
    "open": 2,
    "close": 3,
    "stat": 4,
    "fstat": 5,
    "lstat": 6,
    "poll": 7,
    "lseek": 8,
    "mmap": 9,
    "mprotect": 10,
    "munmap": 11,
    "brk": 12,
    "rt_sigaction": 13,
    "rt_sigprocmask": 14,
    "rt_sigreturn": 15,
    "pread64": 17,
    "readv": 19,
    "writev": 20,
    "access": 21,
    "select": 23,
    "sched_yield": 24,
    "mremap": 25,
    "madvise": 28,
    "dup": 32,
    "dup2": 33,
    "nanosleep": 35,
    "getpid": 39,
    "exit": 60,
    "uname": 63,
    "fcntl": 72,
    "flock": 73,
    "fsync": 74,
    "fdatasync": 75,
    "ftruncate": 77,
    "getdents": 78,
    "getcwd": 79,
    "chdir": 80,
    "fchdir": 81,
    "rename": 82,
    "mkdir": 83,
    "rmdir": 84,
    "unlink": 87,
    "readlink": 89,
    "umask": 95,
    "gettimeofday": 96,
    "getrlimit": 97,
    "getrusage": 98,
    "sysinfo": 99,
    "times": 100,
    "getuid": 102,
    "getgid": 104,
    "geteuid": 107,
    "getegid": 108,
    "getppid": 110,
    "sigaltstack": 131,
    "gettid": 186,
    "time": 201,
    "futex": 202,
    "sched_getaffinity": 204,
    "getdents64": 217,
    "restart_syscall": 219,
    "clock_gettime": 228,
    "clock_getres": 229,
    "clock_nanosleep": 230,
    "exit_group": 231,
    "openat": 257,
    "mkdirat": 258,
    "newfstatat": 262,
    "unlinkat": 263,
    "renameat": 264,
    "readlinkat": 267,
    "faccessat": 269,
    "pselect6": 270,
    "ppoll": 271,
    "set_robust_list": 273,
    "dup3": 292,
    "pipe2": 293,
    "renameat2": 316,
    "getrandom": 318,
    "membarrier": 324,
    "statx": 332,
    "rseq": 334,
}

_AARCH64 = {
    "getcwd": 17,
    "dup": 23,
    "dup3": 24,
    "fcntl": 25,
    "flock": 32,
    "mkdirat": 34,
    "unlinkat": 35,
    "renameat": 38,
    "ftruncate": 46,
    "faccessat": 48,
    "chdir": 49,
    "fchdir": 50,
    "openat": 56,
    "close": 57,
    "pipe2": 59,
    "getdents64": 61,
    "lseek": 62,
    "read": 63,
    "write": 64,
    "readv": 65,
    "writev": 66,
    "pread64": 67,
    "pselect6": 72,
    "ppoll": 73,
    "readlinkat": 78,
    "newfstatat": 79,
    "fstat": 80,
    "fsync": 82,
    "fdatasync": 83,
    "exit": 93,
    "exit_group": 94,
    "futex": 98,
    "set_robust_list": 99,
    "nanosleep": 101,
    "clock_gettime": 113,
    "clock_getres": 114,
    "clock_nanosleep": 115,
    "sched_getaffinity": 123,
    "sched_yield": 124,
    "restart_syscall": 128,
    "sigaltstack": 132,
    "rt_sigaction": 134,
    "rt_sigprocmask": 135,
    "rt_sigreturn": 139,
    "times": 153,
    "uname": 160,
    "getrlimit": 163,
    "getrusage": 165,
    "umask": 166,
    "gettimeofday": 169,
    "getpid": 172,
    "getppid": 173,
    "getuid": 174,
    "geteuid": 175,
    "getgid": 176,
    "getegid": 177,
    "gettid": 178,
    "sysinfo": 179,
    "brk": 214,
    "munmap": 215,
    "mremap": 216,
    "mmap": 222,
    "mprotect": 226,
    "madvise": 233,
    "renameat2": 276,
    "getrandom": 278,
    "membarrier": 283,
    "statx": 291,
    "rseq": 293,
}

ALLOWED = {"x86_64": _X86_64 | _SHARED, "aarch64": _AARCH64 | _SHARED}
"""Machine → the calls that pass, by number."""

IOCTL = {"x86_64": 16, "aarch64": 29}

_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06
_NUMBER_AT, _ARCHITECTURE_AT = 0, 4
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_EPERM, _ENOTTY = 1, 25


def _step(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("=HBBI", code, yes, no, value)


def program(machine: str) -> bytes:
    """Return the filter of a machine, eight bytes an instruction.

    Raises:
        KeyError: no list of calls is kept for the machine.
    """
    steps = [
        _step(_LOAD, _ARCHITECTURE_AT),
        _step(_EQUAL, ARCHITECTURES[machine], yes=1),
        _step(_RETURN, _KILL),
        _step(_LOAD, _NUMBER_AT),
        _step(_AT_LEAST, X32_BIT, no=1),
        _step(_RETURN, _ERRNO | _EPERM),
        _step(_EQUAL, IOCTL[machine], no=1),
        _step(_RETURN, _ERRNO | _ENOTTY),
    ]
    for number in sorted(ALLOWED[machine].values()):
        steps += [_step(_EQUAL, number, no=1), _step(_RETURN, _ALLOW)]
    steps.append(_step(_RETURN, _ERRNO | _EPERM))
    return b"".join(steps)
