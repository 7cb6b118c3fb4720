"""The accounts, terms and deployments that contract tests share."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import boa
from boa.util.abi import Address

import opendepin
from opendepin.core.keys import Key


class Untraced(dict[Any, set[int]]):
    """Keeps no record of written slots.

    titanoboa shows a contract's maps in every error by decoding all slots that were ever written at
    its address; contracts of other tests stood there before, so it fails, and takes ever longer.
    """

    def setdefault(self, key: Any, default: set[int] | None = None) -> set[int]:
        """Give a set that nobody reads."""
        return set()


boa.env.sstore_trace = Untraced()

SOURCES = Path(opendepin.__file__).parent / "contracts"

ETHER = 10**18
RICH = 10**6 * ETHER
FEE = 10**15
BURN_BPS = 2_500
BOND = 10 * ETHER
EXIT_DELAY = 3_600
EPOCH = 300
MISS_BPS = 1_000
GROTH16 = 1
ZK = 1 << GROTH16
"""The mask of an operator that makes Groth16 proofs."""
MAX_IDENTITY_AGE = 600
NETWORK_ID = bytes(range(32))
START_BLOCK = 10_000
"""The EVM's first height in tests: leaves room for identity blocks behind it."""

TREASURY = Key.from_seed(b"treasury")
PROJECT_OWNER = Key.from_seed(b"project owner")
SEQUENCER = Key.from_seed(b"sequencer")
ATTESTERS = tuple(
    sorted((Key.from_seed(b"attester %d" % i) for i in range(4)), key=lambda k: k.address)
)
THRESHOLD = 3


@cache
def deployer(name: str) -> Any:
    """Compile a contract of the product once per process; mocks by `mocks/Name`."""
    return boa.load_partial(str(SOURCES / f"{name}.vy"))


def load(name: str, *arguments: Any, **options: Any) -> Any:
    """Deploy a contract of the product."""
    return deployer(name).deploy(*arguments, **options)


def account(key: Key, balance: int = RICH) -> Any:
    """Return a key's address with money on it."""
    address = address_text(key.address)
    boa.env.set_balance(address, balance)
    return address


def address_text(raw: bytes) -> Any:
    """Write an address as the EVM's interface takes it."""
    return Address("0x" + raw.hex())


def deploy_projects(burner: Any) -> Any:
    """Deploy the registry of projects with project 1 in it."""
    projects = load("Projects", burner.address, account(TREASURY), FEE, BURN_BPS)
    projects.register("clean air", bytes(32), value=FEE, sender=account(PROJECT_OWNER))
    return projects


def deploy_devices(projects: Any, burner: Any) -> Any:
    """Deploy an empty registry of devices."""
    return load("Devices", projects.address, burner.address, account(TREASURY), FEE, BURN_BPS)


def deploy_attesters() -> Any:
    """Deploy the availability set."""
    return load("Attesters", [address_text(key.address) for key in ATTESTERS], THRESHOLD)


def deploy_operators() -> Any:
    """Deploy the operators' registry, bound to nothing."""
    return load("Operators", BOND, EXIT_DELAY, EPOCH, MISS_BPS)


def deploy_inbox(attesters: Any) -> Any:
    """Deploy an inbox, at a height that leaves room behind it."""
    boa.env.evm.patch.block_number = max(boa.env.evm.patch.block_number, START_BLOCK)
    sequencer = address_text(SEQUENCER.address)
    return load("BatchInbox", NETWORK_ID, sequencer, attesters.address, MAX_IDENTITY_AGE)
