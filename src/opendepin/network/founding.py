"""What is drawn once, before a network's first block: chain id, keys, and the money at genesis."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from opendepin.core.encodings import from_hex, to_hex
from opendepin.core.errors import EncodingRejected
from opendepin.core.keys import Key
from opendepin.core.units import wei
from opendepin.network.errors import HomeRefused
from opendepin.network.home import Home, read_json, write_json
from opendepin.runtime.chance import Chance
from opendepin.runtime.settings import NetworkSettings

FORM = "opendepin/founding/1"
CHAIN_ID_FLOOR, CHAIN_ID_SPAN = 1 << 32, 1 << 50
"""A network's chain id is drawn from here: far from public chains, below 2**53."""

FAUCET_TOKENS, SERVICE_TOKENS = 1_000_000, 100_000
"""Tokens that the faucet and each service account hold at genesis."""

# `collector` sends the claims of device owners: an account is used by one process at a time, and
# the faucet must be free for whoever registers a device meanwhile.
DEPLOYER, FAUCET, COLLECTOR, TREASURY, GATEWAY, SEQUENCER = (
    "deployer",
    "faucet",
    "collector",
    "treasury",
    "gateway",
    "sequencer",
)


def store_name(index: int) -> str:
    """Return the name of a store's key and service."""
    return f"store-{index}"


def operator_name(index: int) -> str:
    """Return the name of an operator's key and service."""
    return f"operator-{index}"


@dataclass(frozen=True)
class Founding:
    """The content of `founding.json`."""

    chain_id: int
    alloc: dict[bytes, int]
    """Address → wei at genesis."""


def found(home: Home, settings: NetworkSettings, chance: Chance) -> Founding:
    """Return the founding values, drawn and kept when there are none yet."""
    path = home.root / "founding.json"
    if not path.exists():
        names = service_names(settings)
        keys: dict[str, Key] = {name: home.key(name, chance) for name in names}
        alloc = {to_hex(key.address): str(wei(SERVICE_TOKENS)) for key in keys.values()}
        reserve = wei(settings.economy.genesis_reserve)
        alloc[to_hex(keys[FAUCET].address)] = str(wei(FAUCET_TOKENS))
        alloc[to_hex(keys[DEPLOYER].address)] = str(reserve + wei(SERVICE_TOKENS))
        chain_id = CHAIN_ID_FLOOR + chance.below(CHAIN_ID_SPAN)
        write_json(path, {"form": FORM, "chain_id": chain_id, "alloc": alloc})
    return _read(read_json(path, "the network was never founded"))


def service_names(settings: NetworkSettings) -> list[str]:
    """Return the names of all keys that a network needs from the start."""
    stores = [store_name(i) for i in range(settings.availability.stores)]
    operators = [operator_name(i) for i in range(settings.compute.operators)]
    return [DEPLOYER, FAUCET, COLLECTOR, TREASURY, GATEWAY, SEQUENCER, *stores, *operators]


def _read(row: Any) -> Founding:
    try:
        alloc = {from_hex(address, 20): int(amount) for address, amount in row["alloc"].items()}
        return Founding(int(row["chain_id"]), alloc)
    except (KeyError, TypeError, ValueError, AttributeError, EncodingRejected) as error:
        raise HomeRefused(f"founding.json is malformed: {error!r}") from error
