"""The trust anchor of a network: ids, contract addresses with code hashes, signers; the content of
`genesis.json`.

In: what deployment made, or the file. Out: `Genesis`, and the check at every start that the
contracts on L1 are those.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from opendepin.chain.abi import Contract
from opendepin.chain.artifacts import load
from opendepin.chain.errors import WrongCode
from opendepin.core.encodings import from_hex, keccak256, to_hex
from opendepin.core.errors import EncodingRejected
from opendepin.core.statement import network_id

FORM = "opendepin/genesis/1"


@dataclass(frozen=True)
class Deployed:
    """One contract of the address book."""

    address: bytes
    code_hash: bytes
    """Keccak of the code that stands there, immutables included."""


@dataclass(frozen=True)
class Genesis:
    """What every service and every verifier of a network starts from."""

    network_id: bytes
    chain_id: int
    genesis_hash: bytes
    """Hash of L1 block 0."""
    contracts: Mapping[str, Deployed]
    sequencer: bytes
    attesters: tuple[bytes, ...]
    """Ascending."""
    threshold: int
    gateways: tuple[bytes, ...]
    data_chunks: int
    """k of the availability code."""
    label: str
    """What the L1 is, in words."""
    parameters: Mapping[str, int]
    """What the contracts were made with: wei, basis points, seconds, blocks."""

    def address(self, name: str) -> bytes:
        """Return a contract's address.

        Raises:
            WrongCode: the network has no contract of that name.
        """
        found = self.contracts.get(name)
        if found is None:
            raise WrongCode(
                f"the address book has no {name}; it has {', '.join(sorted(self.contracts))}"
            )
        return found.address

    def contract(self, name: str, cache: Path) -> Contract:
        """Return a contract with its interface out of the artifact cache.

        Raises:
            ArtifactsMissing: it is not compiled.
        """
        return load(name, cache).interface.at(self.address(name))

    def to_json(self) -> dict[str, Any]:
        """Return the content of `genesis.json`."""
        rows = {
            name: {"address": to_hex(found.address), "code_hash": to_hex(found.code_hash)}
            for name, found in self.contracts.items()
        }
        return {
            "form": FORM,
            "network_id": to_hex(self.network_id),
            "chain_id": self.chain_id,
            "genesis_hash": to_hex(self.genesis_hash),
            "contracts": rows,
            "sequencer": to_hex(self.sequencer),
            "attesters": [to_hex(each) for each in self.attesters],
            "threshold": self.threshold,
            "gateways": [to_hex(each) for each in self.gateways],
            "data_chunks": self.data_chunks,
            "label": self.label,
            "parameters": {name: str(value) for name, value in self.parameters.items()},
        }


def genesis_of_json(value: Mapping[str, Any]) -> Genesis:
    """Read the content of `genesis.json`.

    Raises:
        EncodingRejected: code `genesis`, a field is missing or malformed, or the network id is not
        that of chain id and
            device registry.
    """
    try:
        if value["form"] != FORM:
            raise EncodingRejected(
                f"the form is {value['form']!r}, {FORM!r} is due", code="genesis"
            )
        contracts = {
            str(name): Deployed(from_hex(row["address"], 20), from_hex(row["code_hash"], 32))
            for name, row in value["contracts"].items()
        }
        genesis = Genesis(
            network_id=from_hex(value["network_id"], 32),
            chain_id=int(value["chain_id"]),
            genesis_hash=from_hex(value["genesis_hash"], 32),
            contracts=contracts,
            sequencer=from_hex(value["sequencer"], 20),
            attesters=tuple(from_hex(each, 20) for each in value["attesters"]),
            threshold=int(value["threshold"]),
            gateways=tuple(from_hex(each, 20) for each in value["gateways"]),
            data_chunks=int(value["data_chunks"]),
            label=str(value["label"]),
            parameters={str(name): int(number) for name, number in value["parameters"].items()},
        )
        registry = contracts["Devices"].address
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise EncodingRejected(f"not a genesis file: {error!r}", code="genesis") from error
    if network_id(genesis.chain_id, registry) != genesis.network_id:
        raise EncodingRejected("the network id is not that of chain and registry", code="genesis")
    return genesis


class CodeReader(Protocol):
    """What `check_code` needs of the chain."""

    async def chain_id(self) -> int:
        """Return the chain id."""
        ...

    async def code(self, address: bytes) -> bytes:
        """Return the code at an address."""
        ...


async def check_code(genesis: Genesis, chain: CodeReader) -> None:
    """Check that this is the network's chain and that each contract's code is the one deployed.

    Raises:
        WrongCode: another chain, or a contract with other code or none.
    """
    found = await chain.chain_id()
    if found != genesis.chain_id:
        raise WrongCode(f"the L1 is chain {found}, the network's is {genesis.chain_id}")
    for name, deployed in genesis.contracts.items():
        code = await chain.code(deployed.address)
        if keccak256(code) != deployed.code_hash:
            what = "other code" if code else "no code"
            raise WrongCode(f"{name} at {to_hex(deployed.address)} has {what}")
