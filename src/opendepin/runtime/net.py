"""The door to ports."""

from __future__ import annotations

import socket

from opendepin.runtime.errors import PortTaken

LOOPBACK = "127.0.0.1"
PROBES = 200
"""Ports tried after the default one."""


def listen(host: str, port: int, backlog: int = 2048) -> socket.socket:
    """Return a listening TCP socket; port 0 takes any free one.

    Raises:
        PortTaken: somebody listens there.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((host, port))
        sock.listen(backlog)
    except OSError as error:
        sock.close()
        raise PortTaken(
            f"cannot listen on {host}:{port} ({error.strerror}): choose another port"
        ) from error
    sock.setblocking(False)
    return sock


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Say whether a service could listen on this port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def first_free(default: int, host: str = LOOPBACK, taken: frozenset[int] = frozenset()) -> int:
    """Return the first port from `default` on that can be bound and is not in `taken`; 0 gives any
    free one.

    Raises:
        PortTaken: none of the next ports is free.
    """
    if default == 0:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind((host, 0))
            return int(probe.getsockname()[1])
    for port in range(default, min(default + PROBES, 65_536)):
        if port not in taken and is_free(port, host):
            return port
    raise PortTaken(
        f"no free port among {default}..{default + PROBES - 1}: set another in network.toml"
    )
