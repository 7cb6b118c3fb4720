"""Deployment of a network's contracts, all at once, the same after a crash.

In: parameters, artifacts, the deployer's key (used for nothing else). Out: `Genesis`, once the
contracts are final. Step i has nonce i, so every address is known before anything is sent, a second
run goes on where the first one died, and a rollback is sent again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from opendepin.chain.artifacts import Artifact
from opendepin.chain.client import ChainClient
from opendepin.chain.errors import DeployFailed, Reverted, RpcRejected
from opendepin.chain.genesis import Deployed, Genesis
from opendepin.chain.transactions import MAX_TRANSACTION_GAS, Transaction, contract_address
from opendepin.core.encodings import keccak256
from opendepin.core.keys import Key
from opendepin.core.statement import network_id
from opendepin.core.units import WEI_PER_TOKEN
from opendepin.runtime.clock import Clock

ORDER = (
    "Burner",
    "Issuance",
    "Projects",
    "Devices",
    "Operators",
    "Attesters",
    "BatchInbox",
    "Programs",
    "Escrow",
    "Settlement",
)
"""Contracts by nonce; the calls that bind `BOUND` to `Settlement` follow."""

BOUND = ("Escrow", "Operators")

DEPLOYER_GAS_MONEY = 10 * WEI_PER_TOKEN
"""What the deployer gets at genesis to pay for gas, wei."""
RESEND_BLOCKS = 2
CONSTRUCTOR_GAS = 2_000_000
"""Allowance for what a constructor does."""


@dataclass(frozen=True)
class Parameters:
    """What a network's contracts are made with. Money in wei."""

    sequencer: bytes
    attesters: tuple[bytes, ...]
    threshold: int
    gateways: tuple[bytes, ...]
    treasury: bytes
    authority: bytes
    """Who may release from the issuance reserve."""
    genesis_supply: int
    """All money at genesis, the reserve included."""
    reserve: int
    project_fee: int
    device_fee: int
    burn_bps: int
    bond: int
    exit_delay_s: int
    epoch_s: int
    """Seconds that a snapshot of the operators holds at least."""
    miss_bps: int
    """Share of the bond that a missed deadline costs, in 1/10,000."""
    max_identity_age: int
    """Blocks an identity block may be older than the batch."""
    protocol_bps: int
    draw_delay: int
    window_s: int
    data_chunks: int
    """k of the availability code; not on chain."""


@dataclass(frozen=True)
class Step:
    """One transaction of the deployment; its nonce is its place."""

    name: str
    to: bytes | None
    data: bytes
    value: int
    gas: int


def genesis_alloc(accounts: Mapping[bytes, int], deployer: bytes, reserve: int) -> dict[bytes, int]:
    """Return the money at genesis: accounts as given, and the deployer's reserve and gas money."""
    alloc = dict(accounts)
    alloc[deployer] = alloc.get(deployer, 0) + reserve + DEPLOYER_GAS_MONEY
    return alloc


def addresses_of(deployer: bytes) -> dict[str, bytes]:
    """Return where each contract will stand."""
    return {name: contract_address(deployer, nonce) for nonce, name in enumerate(ORDER)}


def plan(
    chain_id: int, deployer: bytes, artifacts: Mapping[str, Artifact], parameters: Parameters
) -> list[Step]:
    """Return the transactions of a deployment, in order."""
    at = addresses_of(deployer)
    network = network_id(chain_id, at["Devices"])
    p = parameters
    fees = (at["Burner"], p.treasury)
    arguments: dict[str, tuple[object, ...]] = {
        "Burner": (),
        "Issuance": (p.authority, at["Burner"], p.genesis_supply),
        "Projects": (*fees, p.project_fee, p.burn_bps),
        "Devices": (at["Projects"], *fees, p.device_fee, p.burn_bps),
        "Operators": (p.bond, p.exit_delay_s, p.epoch_s, p.miss_bps),
        "Attesters": (sorted(p.attesters), p.threshold),
        "BatchInbox": (network, p.sequencer, at["Attesters"], p.max_identity_age),
        "Programs": (at["Projects"],),
        "Escrow": (at["Projects"], at["Burner"], p.protocol_bps),
        "Settlement": (
            network,
            at["BatchInbox"],
            at["Programs"],
            at["Operators"],
            at["Escrow"],
            at["Devices"],
            p.draw_delay,
            p.window_s,
        ),
    }
    steps = [
        _creation(artifacts[name], arguments[name], p.reserve if name == "Issuance" else 0)
        for name in ORDER
    ]
    binds = [
        Step(
            f"bind {name}",
            at[name],
            artifacts[name].interface.data("bind", at["Settlement"]),
            0,
            200_000,
        )
        for name in BOUND
    ]
    return [*steps, *binds]


def _creation(artifact: Artifact, arguments: tuple[object, ...], value: int) -> Step:
    data = artifact.bytecode + artifact.interface.constructor_data(*arguments)
    gas = 53_000 + 45 * len(data) + 200 * (len(artifact.runtime) + 2_048) + CONSTRUCTOR_GAS
    return Step(artifact.name, None, data, value, min(gas, MAX_TRANSACTION_GAS))


async def deploy(
    chain: ChainClient,
    key: Key,
    artifacts: Mapping[str, Artifact],
    parameters: Parameters,
    clock: Clock,
    log: Any,
) -> Genesis:
    """Deploy what is not deployed yet, wait until all of it is final, and return the trust anchor.

    Raises:
        DeployFailed: a constructor refused, or the key was used for something else.
    """
    chain_id = await chain.chain_id()
    steps = plan(chain_id, key.address, artifacts, parameters)
    sent_at: dict[int, int] = {}
    seen_at: int | None = None
    while True:
        head, final = await chain.block_number(), await chain.finalized()
        nonce = await chain.nonce(key.address)
        if nonce >= len(steps):
            seen_at = head if seen_at is None or seen_at > head else seen_at
            if final.height >= seen_at:
                break
        else:
            seen_at = None
            for at in range(nonce, len(steps)):
                if head - sent_at.get(at, -RESEND_BLOCKS) >= RESEND_BLOCKS or head < sent_at[at]:
                    await _send(chain, key, chain_id, at, steps[at], log)
                    sent_at[at] = head
        await clock.sleep(0.2)
    return await _anchor(chain, key.address, chain_id, steps, artifacts, parameters)


async def _send(
    chain: ChainClient, key: Key, chain_id: int, nonce: int, step: Step, log: Any
) -> None:
    fees = await chain.fees()
    made = Transaction(
        chain_id,
        nonce,
        fees.tip,
        4 * fees.base_fee + fees.tip,
        step.gas,
        step.to,
        step.value,
        step.data,
    )
    try:
        await chain.send_raw(made.sign(key).raw)
    except RpcRejected as error:  # known already, or mined meanwhile: the next round sees it
        log.info("deploy-send", step=step.name, said=str(error))


async def _anchor(
    chain: ChainClient,
    deployer: bytes,
    chain_id: int,
    steps: list[Step],
    artifacts: Mapping[str, Artifact],
    parameters: Parameters,
) -> Genesis:
    at = addresses_of(deployer)
    contracts: dict[str, Deployed] = {}
    for name, step in zip(ORDER, steps, strict=False):
        code = await chain.code(at[name])
        if not code.startswith(artifacts[name].runtime) or not code:
            raise DeployFailed(f"{name} was not deployed: {await _reason(chain, deployer, step)}")
        contracts[name] = Deployed(at[name], keccak256(code))
    first = await chain.block(0)
    if first is None:
        raise DeployFailed("the L1 has no block 0")
    return Genesis(
        network_id=network_id(chain_id, at["Devices"]),
        chain_id=chain_id,
        genesis_hash=first.hash,
        contracts=contracts,
        sequencer=parameters.sequencer,
        attesters=tuple(sorted(parameters.attesters)),
        threshold=parameters.threshold,
        gateways=parameters.gateways,
        data_chunks=parameters.data_chunks,
        label=(await chain.finalized()).label,
        parameters=_numbers(parameters),
    )


async def _reason(chain: ChainClient, deployer: bytes, step: Step) -> str:
    try:
        await chain.estimate(deployer, step.to, step.value, step.data)
    except Reverted as error:
        return error.reason
    except RpcRejected as error:
        return str(error)
    return "other code stands at its address; was the deployer's key used elsewhere?"


def _numbers(parameters: Parameters) -> dict[str, int]:
    names = (
        "genesis_supply",
        "reserve",
        "project_fee",
        "device_fee",
        "burn_bps",
        "bond",
        "exit_delay_s",
        "epoch_s",
        "miss_bps",
        "max_identity_age",
        "protocol_bps",
        "draw_delay",
        "window_s",
    )
    return {name: getattr(parameters, name) for name in names}
