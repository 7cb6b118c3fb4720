"""Networks that start at the same moment on one machine get ports of their own, and keep them."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from opendepin.runtime import net
from opendepin.runtime.errors import PortTaken
from opendepin.runtime.net import Ports

EACH, AT_ONCE = 12, 3
NETWORK = """
import sys
from opendepin.runtime.net import Ports, listen
default, each = int(sys.argv[1]), int(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
with Ports() as ports:
    chosen = [ports.reserve(default) for _ in range(each)]
    print(*chosen, flush=True)
    sys.stdin.readline()  # all have chosen, nobody listens yet
    held = [listen("127.0.0.1", port) for port in chosen]
    print("serving", flush=True)
    sys.stdin.readline()
"""


def base_port() -> int:
    """Return a port below the ephemeral range with room above it."""
    return next(port for port in range(20_000, 30_000, 100) if net.is_free(port))


def test_three_that_choose_at_once_choose_apart_and_can_listen() -> None:
    source = str(Path(net.__file__).resolve().parents[2])
    argv = [sys.executable, "-c", NETWORK, str(base_port()), str(EACH)]
    networks = [
        subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={"PYTHONPATH": source},
        )
        for _ in range(AT_ONCE)
    ]

    def said() -> list[str]:
        return [network.stdout.readline().strip() for network in networks if network.stdout]

    def go() -> None:
        for network in networks:
            assert network.stdin is not None
            network.stdin.write("\n")
            network.stdin.flush()

    try:
        assert said() == ["ready"] * AT_ONCE
        go()
        chosen = [port for line in said() for port in line.split()]
        assert len(set(chosen)) == len(chosen) == AT_ONCE * EACH
        go()
        assert said() == ["serving"] * AT_ONCE
        go()
    finally:
        for network in networks:
            network.kill()
            network.communicate()


def test_a_reserved_port_stays_its_network_s_while_nothing_listens() -> None:
    first = base_port()
    with Ports() as mine, Ports() as others:
        port = mine.reserve(first)
        assert net.is_free(port)
        assert others.reserve(port) > port
        net.listen("127.0.0.1", port).close()  # its own service takes it, and again after a crash
        net.listen("127.0.0.1", port).close()
        assert others.reserve(port) > port
        mine.release()
        assert others.reserve(port) == port


def test_a_port_that_another_program_listens_on_is_passed_over() -> None:
    with Ports() as ports, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = int(taken.getsockname()[1])
        assert ports.reserve(port) > port
        with Ports() as others:  # and not kept from others once it is free
            taken.close()
            assert others.reserve(port) == port


def test_any_free_port_is_reserved_too() -> None:
    with Ports() as ports:
        found = {ports.reserve(0) for _ in range(20)}
        assert len(found) == 20


def test_no_port_left_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(net, "PROBES", 2)
    with Ports() as ports:
        first = ports.reserve(base_port())
        ports.reserve(first)
        with pytest.raises(PortTaken, match=str(first)):
            ports.reserve(first)
