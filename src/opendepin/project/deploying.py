"""Put a project onto a network: keys, contracts, registration, devices, the project's file.

In: a built project and a home whose network runs. Out: a `Deployed`. Going on after a crash
repeats nothing: every transaction has a name of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from opendepin.chain import artifacts
from opendepin.core.encodings import sha256, to_hex
from opendepin.core.field_tree import FieldTree
from opendepin.core.keys import Key
from opendepin.core.layout import Layout
from opendepin.core.manifest_form import ManifestForm
from opendepin.core.statement import program_id
from opendepin.core.units import wei
from opendepin.network import fleet
from opendepin.network.founding import FAUCET
from opendepin.network.home import Home
from opendepin.network.parts import artifact_cache, keys_folder
from opendepin.network.projects import (
    OutputForm,
    PlaceForm,
    ProjectFile,
    ProjectFolder,
    write_program,
    write_project,
)
from opendepin.network.registering import (
    Rates,
    Registrar,
    Registration,
    metadata_hash,
    registrar,
)
from opendepin.project.building import Built
from opendepin.project.config import MAX_CONTRACT_BYTES, read_inside
from opendepin.project.errors import DeployRefused, TraceRejected
from opendepin.proofs.workplace import Workplace
from opendepin.proofs.zk.kind import ZkKind, open_zk
from opendepin.proofs.zk.verifier import verifier
from opendepin.runtime import settings
from opendepin.runtime.chance import SystemChance
from opendepin.runtime.disk import write_atomic

NO_HOOK = bytes(20)
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Deployed:
    """A project that is served."""

    project: int
    file: ProjectFile
    devices: tuple[str, ...]
    """Local names of the devices of the sample, by index."""
    fresh: bool
    """False: the same version was deployed before."""


def found(home: Home, name: str) -> ProjectFile | None:
    """Return the file of the project of this name, None when none is deployed here."""
    named = (file for file in ProjectFolder(home).all() if file.manifest.name == name)
    return next(named, None)


def device_name(project: str, device: str) -> str:
    """Return the local name of a device of the sample."""
    kept = "".join(each if each.isascii() and each.isalnum() else "-" for each in device)
    return f"{project}-{kept.lower()}"


async def compiled_hook(home: Home, built: Built) -> artifacts.Artifact | None:
    """Compile the project's contract; None when it has none.

    Raises:
        ConfigRejected: there is no such file in the project.
        ArtifactsMissing: it does not compile; the text is the compiler's.
    """
    hook = built.config.hook
    if hook is None:
        return None
    source = read_inside(built.folder, hook.contract, MAX_CONTRACT_BYTES)
    path = home.room("contracts") / f"hook_{sha256(source).hex()[:16]}.vy"
    write_atomic(path, source)
    return await _compiled(path)


async def _compiled(path: Path) -> artifacts.Artifact:
    return (await artifacts.ensure([str(path)], artifact_cache()))[path.stem]


async def deploy(home: Home, built: Built, progress: Progress) -> Deployed:
    """Register everything that a project needs and write its file.

    Raises:
        DeployRefused: another version of the project is deployed here.
        NotRunning: no network runs here.
        Reverted: a contract refused.
        TraceRejected: the circuit is none, or is not the one of the schema.
    """
    hook = await compiled_hook(home, built)
    progress(f"hook     {hook.name if hook else 'none'} compiled")
    text = built.traced.circuit.encode()
    progress(f"keys     for {built.traced.constraints:,} constraints: once per circuit")
    local = settings.load(home.settings).network.local
    kind = await open_zk(text, Workplace(keys_folder(), local))
    try:
        _check(built, kind)
        known = found(home, built.config.project.name)
        if known is not None:
            return _again(built, kind, known)
        write_program(home, text)
        progress(f"circuit  {to_hex(kind.program)[:18]}…, keys ready")
        async with registrar(home, FAUCET) as office:
            return await _register(home, office, built, kind, hook, progress)
    finally:
        await kind.close()


def _check(built: Built, kind: ZkKind) -> None:
    """Demand that the circuit takes and gives what file and trace say."""
    tree = FieldTree(Layout.of(built.config.message_schema()), built.config.program.capacity)
    maxima = tuple(int(each) for each in built.traced.maxima)
    if kind.opened.tree != tree or kind.opened.maxima != maxima:
        raise TraceRejected("the traced circuit is not one of this schema, capacity and outputs")


def _again(built: Built, kind: ZkKind, known: ProjectFile) -> Deployed:
    """Find the same version deployed already; another one is not taken silently."""
    name = built.config.project.name
    wanted = program_id(built.manifest.hash(), kind.program, kind.keys.vk.hash)
    if known.program_id != to_hex(wanted):
        raise DeployRefused(
            f"project {known.project} ({name}) is deployed with another rule or schema, version "
            f"{known.manifest.version!r}: tasks are pinned to it. Deploy the new one under a name "
            "of its own, in depin.toml",
            code="project-version",
        )
    names = tuple(device_name(name, each) for each in built.sample.devices)
    return Deployed(known.project, known, names, fresh=False)


async def _register(
    home: Home,
    office: Registrar,
    built: Built,
    kind: ZkKind,
    hook: artifacts.Artifact | None,
    progress: Progress,
) -> Deployed:
    about = built.config.project
    described = f"{about.name}\n{about.title}\n{about.description}"
    project, verifying = await asyncio.gather(
        office.register_project(about.title, metadata_hash(described)),
        _verifier(home, office, kind),
    )
    progress(f"project  {project} registered, verifier deployed")
    callback = NO_HOOK
    if hook is not None:
        arguments = hook.interface.constructor_data(office.address("Settlement"), project)
        callback = await office.deploy(f"hook/{project}", hook.bytecode + arguments)
        progress(f"hook     {to_hex(callback)}")
    names = await _devices(home, office, built, project)
    progress(f"devices  {len(names)} identities registered")
    pay = built.config.pay
    rates = Rates(wei(pay.operator_fee), wei(pay.unit_rate))
    circuit, vk_hash = kind.program, kind.keys.vk.hash
    await asyncio.gather(
        office.register_program(
            project, built.manifest, circuit, vk_hash, verifying, callback, rates
        ),
        office.deposit(project, wei(pay.deposit)),
    )
    file = project_file(built, kind, project, verifying, callback)
    write_project(home, file)
    progress(f"escrow   {pay.deposit} tokens; the project is served")
    return Deployed(project, file, names, fresh=True)


async def _verifier(home: Home, office: Registrar, kind: ZkKind) -> bytes:
    made = verifier(kind.keys, kind.opened.maxima)
    path = home.room("contracts") / f"verifier_{kind.program.hex()[:16]}.vy"
    write_atomic(path, made.source.encode())
    return await office.deploy(f"verifier/{kind.program.hex()}", (await _compiled(path)).bytecode)


async def _devices(home: Home, office: Registrar, built: Built, project: int) -> tuple[str, ...]:
    """Register the devices of the sample in its order, which is the order of their indices."""
    chance = SystemChance()
    owner = home.key(fleet.OWNER, chance)
    names = [device_name(built.config.project.name, each) for each in built.sample.devices]
    keys: list[Key] = [home.key(f"device-{name}", chance) for name in names]
    wanted = [
        Registration(key, owner, metadata_hash(name)) for key, name in zip(keys, names, strict=True)
    ]
    await office.register_devices(project, wanted)
    indices = await asyncio.gather(*(office.index_of(key.address) for key in keys))
    if list(indices) != list(range(len(names))):
        raise DeployRefused(
            f"a device of project {project} was registered before those of the sample, so their "
            "indices are not those of the rule: deploy under another name",
            code="project-devices",
        )
    for index, (name, key) in enumerate(zip(names, keys, strict=True)):
        fleet.keep(home, name, key, fleet.OWNER, project, index)
    return tuple(names)


def project_file(
    built: Built, kind: ZkKind, project: int, verifying: bytes, callback: bytes
) -> ProjectFile:
    """Return what services and readers know of the project."""
    config, vk = built.config, kind.keys.vk
    shown = config.shown
    manifest = built.manifest
    places = {
        str(index): PlaceForm(name, p.longitude, p.latitude, p.region, p.region_name)
        for index, name in enumerate(built.sample.devices)
        if (p := config.page.places.get(name)) is not None
    }
    return ProjectFile(
        project=project,
        title=config.project.title,
        manifest=ManifestForm.of(manifest),
        circuit_hash=to_hex(kind.program),
        verification_key=to_hex(vk.raw),
        development=kind.keys.development,
        program_id=to_hex(program_id(manifest.hash(), kind.program, vk.hash)),
        verifier=to_hex(verifying),
        callback=to_hex(callback),
        constraints=kind.opened.constraints,
        unit_rate_wei=str(wei(config.pay.unit_rate)),
        value_field=shown.key,
        value_name=shown.name,
        value_unit=shown.unit,
        value_scale=shown.scale,
        limit=config.page.limit,
        attribution=config.data.attribution,
        text=config.page.text,
        places=places,
        outputs=outputs(built),
    )


def outputs(built: Built) -> list[OutputForm]:
    """Return what each output means to a reader."""
    figures = {each.name: each for each in built.config.outputs}
    found: list[OutputForm] = []
    for at, name in enumerate(built.traced.names):
        base, _, rest = name.partition("[")
        index = int(rest[:-1]) if rest else None
        figure = figures.get(base)
        groups = figure.groups if figure else []
        group = "" if index is None else groups[index] if index < len(groups) else str(index)
        paid = built.pay_offset <= at < built.pay_offset + built.pay_count
        found.append(
            OutputForm(
                figure=base,
                group="" if paid else group,
                device_index=at - built.pay_offset if paid else None,
                unit=figure.unit if figure else "",
                scale=figure.scale if figure else 0,
            )
        )
    return found
