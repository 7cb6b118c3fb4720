"""Deploy a network's contracts once, and write its trust anchor."""

from __future__ import annotations

from opendepin.chain import artifacts
from opendepin.chain.client import ChainClient
from opendepin.chain.deploy import ORDER, Parameters, deploy
from opendepin.chain.jsonrpc import Rpc
from opendepin.core.keys import Key
from opendepin.core.units import wei
from opendepin.network.founding import (
    DEPLOYER,
    FAUCET,
    GATEWAY,
    SEQUENCER,
    TREASURY,
    found,
    store_name,
)
from opendepin.network.home import Home, write_json
from opendepin.network.parts import artifact_cache
from opendepin.runtime import settings as runtime_settings
from opendepin.runtime.chance import SystemChance
from opendepin.runtime.clock import SystemClock
from opendepin.runtime.http import client
from opendepin.runtime.settings import NetworkSettings
from opendepin.runtime.telemetry import open_log

MAX_IDENTITY_AGE_BLOCKS = 604_800
"""A week of one-second blocks: what was acknowledged may wait that long for its batch."""


def parameters(home: Home, settings: NetworkSettings, genesis_supply: int) -> Parameters:
    """Return what the contracts are made with."""

    def address(name: str) -> bytes:
        key: Key = home.key(name)
        return key.address

    stores = range(settings.availability.stores)
    return Parameters(
        sequencer=address(SEQUENCER),
        attesters=tuple(address(store_name(i)) for i in stores),
        threshold=settings.availability.threshold,
        gateways=(address(GATEWAY),),
        treasury=address(TREASURY),
        authority=address(TREASURY),
        genesis_supply=genesis_supply,
        reserve=wei(settings.economy.genesis_reserve),
        project_fee=wei(settings.identity.project_fee),
        device_fee=wei(settings.identity.device_fee),
        burn_bps=settings.identity.burn_bps,
        bond=wei(settings.compute.bond),
        exit_delay_s=settings.compute.exit_delay_s,
        epoch_s=settings.compute.epoch_s,
        miss_bps=settings.compute.miss_bps,
        max_identity_age=MAX_IDENTITY_AGE_BLOCKS,
        protocol_bps=settings.economy.protocol_bps,
        draw_delay=settings.compute.draw_delay,
        window_s=settings.compute.window_s,
        data_chunks=settings.availability.data_chunks,
    )


async def prepare(home: Home, addresses: dict[str, str]) -> None:
    """Deploy and write `genesis.json`, unless that was done before; goes on after a crash.

    Raises:
        DeployFailed: a constructor refused.
        ArtifactsMissing: a contract does not compile.
    """
    if home.genesis_file.exists():
        return
    settings = runtime_settings.load(home.settings)
    log = open_log("deploy", home.log("deploy"), settings.network.log_bytes)
    founding = found(home, settings, SystemChance())
    compiled = await artifacts.ensure(ORDER, artifact_cache())
    clock = SystemClock()
    async with client() as http:
        chain = ChainClient(Rpc(addresses["l1"], http, clock))
        chosen = parameters(home, settings, sum(founding.alloc.values()))
        genesis = await deploy(chain, home.key(DEPLOYER), compiled, chosen, clock, log)
    write_json(home.genesis_file, genesis.to_json())
    log.info("deployed", network=genesis.network_id, faucet=home.key(FAUCET).address)
