"""The door to ports."""

from __future__ import annotations

import socket
from typing import Self

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


class Ports:
    """Ports that belong to one network from the choice on, whether something listens there or not.

    Between finding a port free and listening on it another network could find the same; and while a
    service is started again, its port is free for a moment. So who chooses a port first binds the
    UDP port of the same number, which nobody else uses, and holds it: the operating system gives it
    to one process of the machine, and takes it back when that process ends.
    """

    def __init__(self) -> None:
        self._held: dict[int, socket.socket] = {}

    def reserve(self, default: int, host: str = LOOPBACK) -> int:
        """Return the first port from `default` on that is free and nobody's; 0 gives any.

        Raises:
            PortTaken: none of the next ports is.
        """
        for candidate in range(default, min(default + PROBES, 65_536)):
            port = candidate if default else first_free(0, host)
            mark = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            try:
                mark.bind((host, port))
            except OSError:
                mark.close()
                continue
            if is_free(port, host):
                self._held[port] = mark
                return port
            mark.close()
        raise _none_free(default)

    def release(self) -> None:
        """Give all ports back."""
        while self._held:
            self._held.popitem()[1].close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def _none_free(default: int) -> PortTaken:
    return PortTaken(
        f"no free port among {default}..{default + PROBES - 1}: set another in network.toml"
    )


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
    raise _none_free(default)
