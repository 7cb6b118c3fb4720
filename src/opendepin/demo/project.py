"""Set up the demo's project on a running network: *Clean-air cover* over 70 recorded stations.

In: a home whose network runs. Out: registered project, program and devices, a funded escrow and
cover, and the project's file. Going on after a crash repeats nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from opendepin.chain import artifacts
from opendepin.chain.deploy import ORDER
from opendepin.contracts.sources import artifact_of
from opendepin.core.encodings import to_hex
from opendepin.core.keys import Key
from opendepin.core.manifest import Manifest
from opendepin.core.manifest_form import ManifestForm
from opendepin.core.statement import program_id
from opendepin.core.units import wei
from opendepin.demo.clean_air import CLEAN_AIR, FIGURES, LIMIT, SCHEMA
from opendepin.demo.stations import LANDS, STATIONS
from opendepin.network.errors import StartFailed
from opendepin.network.founding import FAUCET
from opendepin.network.home import Home
from opendepin.network.parts import artifact_cache, keys_folder
from opendepin.network.projects import (
    OutputForm,
    PlaceForm,
    ProjectFile,
    write_program,
    write_project,
)
from opendepin.network.registering import Registrar, Registration, metadata_hash, registrar
from opendepin.proofs.workplace import Workplace
from opendepin.proofs.zk.assembly import assemble
from opendepin.proofs.zk.kind import ZkKind, open_zk
from opendepin.proofs.zk.verifier import verifier
from opendepin.runtime import settings as runtime_settings
from opendepin.runtime.chance import SystemChance

TITLE = "Clean-air cover"
DESCRIPTION = "Cover of the German Länder against days over the EU limit of PM10"
COMPUTE = "opendepin.demo.clean_air:CLEAN_AIR"
VALUE_FIELD = 2
SCALE = 3
UNIT = "µg/m³"
ATTRIBUTION = (
    "Recorded readings: AirBase, European Environment Agency (daily means of PM10 at 70 rural "
    "background stations)"
)
NOTICE = (
    "The readings are true records of 2002 and 2003, replayed here time-compressed; "
    "the devices' keys are made on this machine."
)
THRESHOLD = 10
"""Days over the limit (of all stations of a Land) that a region bears; one more is paid."""
PAYOUT_TOKENS, DEPOSIT_TOKENS = 1_000, 50_000
FIGURE_NAMES = {"min": "minimum", "max": "maximum"}
"""The rule's figure → the figure's name for readers."""


def manifest(capacity: int) -> Manifest:
    """Return the project's manifest for a circuit capacity."""
    return Manifest(
        name="clean-air",
        version="1",
        schema=SCHEMA,
        compute=COMPUTE,
        capacity=capacity,
        pay_offset=len(LANDS) * len(FIGURES),
        pay_count=len(STATIONS),
    )


@dataclass(frozen=True)
class Fleet:
    """The demo's devices: key by device index."""

    project: int
    keys: tuple[Key, ...]


def station_key(home: Home, index: int) -> Key:
    """Return the key of a station, drawn when there is none yet."""
    return home.key(f"station-{STATIONS[index].name.lower()}", SystemChance())


def owner_key(home: Home, land: str) -> Key:
    """Return the key of a Land's environment agency, which owns its stations."""
    return home.key(f"owner-{land.lower()}", SystemChance())


async def prepare_machine(local: bool, progress: Callable[[str], None], capacity: int) -> None:
    """Compile the contracts and make the circuit's development keys, once for this machine.

    Raises:
        EngineFault: keys could not be made.
        ArtifactsMissing: a contract does not compile.
    """
    progress("contracts compiled" if await _compiled() else "contracts ready")
    place = Workplace(keys_folder(), local)
    if not any(keys_folder().glob("*.pk")):
        progress(f"making development keys for {capacity} readings: once, up to a minute")
    kind = await open_zk(assemble(CLEAN_AIR.resized(capacity)).program.text, place)
    await kind.close()


async def _compiled() -> bool:
    """Compile what is not compiled; say whether anything was."""
    names = (*ORDER, "CleanAirCover")
    missing = not all(artifact_of(name, artifact_cache()).exists() for name in names)
    await artifacts.ensure(names, artifact_cache())
    return missing


async def set_up(home: Home, progress: Callable[[str], None], capacity: int) -> Fleet:
    """Register everything the demo needs and write the project's file.

    Raises:
        Reverted: a contract refused.
        EngineFault: keys could not be made.
    """
    local = runtime_settings.load(home.settings).network.local
    text = assemble(CLEAN_AIR.resized(capacity)).program.text
    write_program(home, text)
    kind = await open_zk(text, Workplace(keys_folder(), local))
    try:
        progress(f"circuit  {kind.opened.constraints:,} constraints, keys ready")
        async with registrar(home, FAUCET) as office:
            return await _register(home, office, kind, progress, capacity)
    finally:
        await kind.close()


async def _register(
    home: Home, office: Registrar, kind: ZkKind, progress: Callable[[str], None], capacity: int
) -> Fleet:
    project, verifying = await asyncio.gather(
        office.register_project(TITLE, metadata_hash(DESCRIPTION)), _verifier(home, office, kind)
    )
    progress(f"project  {project} registered, verifier deployed")
    chosen = manifest(capacity)

    async def program() -> bytes:
        cover = await _cover(home, office, project)
        keys = kind.program, kind.keys.vk.hash
        await office.register_program(project, chosen, *keys, verifying, cover)
        return cover

    cover, *_ = await asyncio.gather(
        program(),
        office.deposit(project, wei(DEPOSIT_TOKENS)),
        _devices(home, office, project, progress),
    )
    progress(f"escrow   {DEPOSIT_TOKENS:,} tokens; cover of {len(LANDS)} Länder funded")
    write_project(home, _file(office, kind, chosen, project, verifying, cover))
    return Fleet(project, tuple(station_key(home, i) for i in range(len(STATIONS))))


async def _verifier(home: Home, office: Registrar, kind: ZkKind) -> bytes:
    made = verifier(kind.keys, kind.opened.maxima)
    path = home.room("contracts") / f"verifier_{kind.program.hex()[:16]}.vy"
    path.write_text(made.source, encoding="utf-8")
    compiled = await artifacts.ensure([str(path)], artifact_cache())
    return await office.deploy(f"verifier/{kind.program.hex()}", compiled[path.stem].bytecode)


async def _cover(home: Home, office: Registrar, project: int) -> bytes:
    compiled = (await artifacts.ensure(["CleanAirCover"], artifact_cache()))["CleanAirCover"]
    settlement, projects = office.address("Settlement"), office.address("Projects")
    arguments = compiled.interface.constructor_data(
        settlement, projects, project, THRESHOLD, wei(PAYOUT_TOKENS)
    )
    address = await office.deploy(f"cover/{project}", compiled.bytecode + arguments)
    contract = compiled.interface.at(address)
    cover = wei(PAYOUT_TOKENS) * len(LANDS)
    naming = [
        office.send(
            f"cover/{project}/fund/{region}",
            address,
            contract.data("name_fund", region, owner_key(home, land).address),
        )
        for region, land in enumerate(LANDS)
    ]
    await asyncio.gather(
        office.send(f"cover/{project}/money", address, contract.data("fund"), cover), *naming
    )
    return address


async def _devices(
    home: Home, office: Registrar, project: int, progress: Callable[[str], None]
) -> None:
    wanted = [
        Registration(
            station_key(home, index), owner_key(home, station.land), metadata_hash(station.name)
        )
        for index, station in enumerate(STATIONS)
    ]
    done = await office.register_devices(project, wanted)
    found = await asyncio.gather(*(office.index_of(each.device.address) for each in wanted))
    if found != list(range(len(wanted))):
        raise StartFailed(
            f"another device was registered in project {project} before the stations, so their "
            "indices are not those of the rule: start a new demo"
        )
    progress(f"devices  {len(done)} identities registered")


def _file(
    office: Registrar, kind: ZkKind, chosen: Manifest, project: int, verifying: bytes, cover: bytes
) -> ProjectFile:
    circuit, vk = kind.program, kind.keys.vk
    places = {
        str(index): PlaceForm(s.name, s.longitude, s.latitude, s.land, s.land_name)
        for index, s in enumerate(STATIONS)
    }
    return ProjectFile(
        project=project,
        title=TITLE,
        manifest=ManifestForm.of(chosen),
        circuit_hash=to_hex(circuit),
        verification_key=to_hex(vk.raw),
        development=kind.keys.development,
        program_id=to_hex(program_id(chosen.hash(), circuit, vk.hash)),
        verifier=to_hex(verifying),
        callback=to_hex(cover),
        constraints=kind.opened.constraints,
        unit_rate_wei=str(office.unit_rate),
        value_field=VALUE_FIELD,
        value_name="PM10, daily mean",
        value_unit=UNIT,
        value_scale=SCALE,
        limit=LIMIT,
        attribution=ATTRIBUTION,
        places=places,
        outputs=outputs(),
    )


def outputs() -> list[OutputForm]:
    """Return what each output means to a reader."""
    units = {"count": "readings", "exceedances": "readings"}
    found = [
        OutputForm(
            figure=FIGURE_NAMES.get(figure, figure),
            group=land,
            unit=units.get(figure, UNIT),
            scale=0 if figure in units else SCALE,
        )
        for land in LANDS
        for figure in FIGURES
    ]
    stations = range(len(STATIONS))
    return [*found, *(OutputForm("units", device_index=i, unit="readings") for i in stations)]


FULL_CAPACITY = CLEAN_AIR.capacity
"""Readings in one proof of the demo."""
