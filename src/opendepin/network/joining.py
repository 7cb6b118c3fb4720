"""A home that holds one operator of a network that lives in another home.

It has its own key and the network's public files: genesis, settings, addresses of Layer 1 and
stores, project files. Nothing secret of the network is copied.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from opendepin.core.encodings import to_hex
from opendepin.core.units import tokens, wei
from opendepin.network.control import holder
from opendepin.network.errors import HomeRefused, NotRunning, StartFailed
from opendepin.network.founding import FAUCET, operator_name, store_name
from opendepin.network.home import Home, read_json, write_json
from opendepin.network.membership import (
    OperatorRecord,
    State,
    Wanted,
    read_wanted,
    record_json,
    write_wanted,
)
from opendepin.network.parts import Parts, parts
from opendepin.network.registering import registrar
from opendepin.network.rooms import LAYER1
from opendepin.network.serve import serve
from opendepin.runtime import settings as runtime_settings
from opendepin.runtime.chance import SystemChance
from opendepin.runtime.clock import pause
from opendepin.runtime.disk import Lock, write_atomic
from opendepin.runtime.net import first_free
from opendepin.runtime.processes import alive, detach
from opendepin.runtime.service import Stop, run

FORM = "opendepin/joined/1"
SERVICE = operator_name(0)
GAS_TOKENS = 10
"""Tokens beside the bond, for gas."""
TIMEOUT_S = 120.0
POLL_S = 0.5


def is_joined(home: Home) -> bool:
    """Say whether a home is that of an operator of another home's network."""
    return (home.root / "joined.json").exists()


def lay(home: Home, network: Home) -> None:
    """Make the operator's home, or bring it up to date with the network's.

    Raises:
        HomeRefused: it is the network's own home, or holds another network.
        NotRunning: no network runs there.
    """
    if home.root == network.root or (home.genesis_file.exists() and not is_joined(home)):
        text = f"{home.root} holds a network of its own: give the operator another --home"
        raise HomeRefused(text)
    genesis, addresses = network.genesis(), network.addresses()
    if home.genesis_file.exists() and home.genesis() != genesis:
        raise HomeRefused(f"{home.root} belongs to another network than {network.root}")
    chosen = runtime_settings.load(network.settings)
    stores = [store_name(i) for i in range(chosen.availability.stores)]
    write_json(home.genesis_file, genesis)
    write_atomic(home.settings, network.settings.read_bytes())
    write_json(home.peers_file, {name: to_hex(network.key(name).address) for name in stores})
    for project in network.projects():
        write_json(home.project_file(project), read_json(network.project_file(project), "gone"))
    for path in network.program_files():
        kept = home.root / path.relative_to(network.root)
        kept.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(kept, path.read_bytes())
    known = {name: addresses[name] for name in (LAYER1, *stores)}
    mine = home.addresses()[SERVICE] if home.addresses_file.exists() else None
    port = first_free(chosen.ports.operator + 32 if chosen.ports.operator else 0)
    write_json(home.addresses_file, known | {SERVICE: mine or f"http://127.0.0.1:{port}"})
    write_json(home.root / "joined.json", {"form": FORM, "network": str(network.root)})
    home.key(SERVICE, SystemChance())


def network_of(home: Home) -> Home:
    """Return the home of the network that an operator's home belongs to.

    Raises:
        NotRunning: no operator joined from here.
    """
    found: Any = read_json(home.root / "joined.json", "no operator joined a network from here")
    return Home(Path(found["network"]))


async def join(
    home: Home, network: Home, wanted: Wanted, say: Callable[[str], None]
) -> dict[str, Any]:
    """Lay the home, fund the account on a local network, start the operator; wait for its bond.

    Raises:
        HomeRefused: see `lay`.
        NotRunning: the network does not run.
        StartFailed: the operator did not come up, or was not bonded in time.
    """
    if holder(network) is None:
        raise NotRunning(f"no network runs in {network.root}: start it with `depin up`")
    lay(home, network)
    write_wanted(home, SERVICE, wanted)
    chosen = runtime_settings.load(home.settings)
    address = home.key(SERVICE).address
    stake = int(wanted.stake) if wanted.stake is not None else wei(chosen.compute.bond)
    await _fund(home, network, address, stake + wei(GAS_TOKENS), say)
    start(home, say)
    return await wait_for(home, wanted.state, say)


async def _fund(
    home: Home, network: Home, address: bytes, needed: int, say: Callable[[str], None]
) -> None:
    """Give the account what it lacks out of the local network's faucet, unless it is bonded."""
    async with await parts(home, "cli", ("Operators",)) as built:
        balance, record = await built.chain.balance(address), await _record(built, address)
    if record.member or balance >= needed:
        return
    say(f"the faucet gives {tokens(needed - balance)} tokens to 0x{address.hex()}")
    async with registrar(network, FAUCET) as paying:
        await paying.send(f"fund/{address.hex()}/{balance}", address, b"", needed - balance)


def start(home: Home, say: Callable[[str], None]) -> None:
    """Start the operator of a home, unless it runs."""
    if holder(home) is not None:
        return
    log = home.root / "logs" / f"{SERVICE}.out"
    pid = detach([sys.executable, "-m", __name__, "--home", str(home.root)], log)
    say(f"operator started (process {pid}), log {log}")
    for _ in range(int(TIMEOUT_S / POLL_S)):
        if holder(home) is not None:
            return
        if not alive(pid):
            break
        pause(POLL_S)
    tail = log.read_text(errors="replace").strip().splitlines()[-1:] if log.exists() else []
    raise StartFailed(f"the operator did not start: {' '.join(tail)} ({log})")


async def ask(home: Home, state: State, say: Callable[[str], None]) -> dict[str, Any]:
    """Ask the running operator to be active, paused or out, and wait until Layer 1 says so.

    Raises:
        NotRunning: no operator joined from here.
        StartFailed: it did not happen in time.
    """
    network_of(home)
    before = read_wanted(home, SERVICE)
    write_wanted(home, SERVICE, Wanted(state, before.stake, before.capacity))
    start(home, say)
    return await wait_for(home, state, say)


async def wait_for(home: Home, state: State, say: Callable[[str], None]) -> dict[str, Any]:
    """Wait until the operator stands as wanted.

    Raises:
        StartFailed: it does not in time.
    """
    reached = {"active": {"active"}, "paused": {"paused"}, "left": {"leaving", "out"}}[state]
    say(f"waiting until Layer 1 has it {state}")
    for _ in range(int(TIMEOUT_S / POLL_S)):
        found = await status(home)
        if found["standing"] in reached:
            return found
        await asyncio.sleep(POLL_S)
    log = home.log(SERVICE)
    raise StartFailed(f"the operator is not {state} after {TIMEOUT_S:.0f} s: see {log}")


async def status(home: Home) -> dict[str, Any]:
    """Return the operator's record, balance, and whether its process runs.

    Raises:
        NotRunning: no operator joined from here, or Layer 1 does not answer.
    """
    network = network_of(home)
    address = home.key(SERVICE).address
    async with await parts(home, "cli", ("Operators",)) as built:
        record, balance = await _record(built, address), await built.chain.balance(address)
    return {
        **record_json(record, address),
        "balance_wei": str(balance),
        "wanted": read_wanted(home, SERVICE).state,
        "running": holder(home) is not None,
        "address": home.addresses()[SERVICE],
        "home": str(home.root),
        "network": str(network.root),
    }


async def _record(built: Parts, address: bytes) -> OperatorRecord:
    operators = built.contract("Operators")
    return await built.chain.call(operators.call("operator", address, returns=OperatorRecord))


async def _serve(home: Home, stop: Stop) -> None:
    with Lock(home.run / "lock"):
        lay(home, network_of(home))
        await serve(home, SERVICE, stop)


def main(arguments: list[str]) -> int:
    """Run the operator of a joined home until it is stopped; return the exit code."""
    parser = argparse.ArgumentParser(prog=f"python -m {__name__}")
    parser.add_argument("--home", type=Path, required=True)
    home = Home(parser.parse_args(arguments).home.resolve())
    return run(lambda stop: _serve(home, stop))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
