"""What an operator opens before it proves: it gives back the task of a circuit that is not bound to
its readings, and proves the same rule's standard circuit.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio

from opendepin.core.encodings import keccak256, sha256, to_hex
from opendepin.core.errors import Rejected
from opendepin.core.readings import ProjectRules
from opendepin.core.statement import program_id
from opendepin.demo.clean_air import CLEAN_AIR
from opendepin.dims.compute.config import ComputeConfig
from opendepin.dims.compute.service import HOPELESS, Compute
from opendepin.network.builders import operator
from opendepin.network.builders.operator import Programs
from opendepin.network.home import Home
from opendepin.network.projects import write_program
from opendepin.proofs.errors import FrameRejected, ProgramRejected
from opendepin.proofs.workplace import Workplace
from opendepin.proofs.zk.assembly import assemble
from opendepin.proofs.zk.kind import open_zk
from opendepin.runtime.clock import SystemClock
from opendepin.runtime.telemetry import Counters, log
from tests.proofs.zk import frames
from tests.verify import network as small

RULE = CLEAN_AIR.resized(small.CAPACITY)
TRUE = assemble(RULE).program.text
PROJECT = 2
FORGED = (
    "presence may rise again",
    "two leaves swapped",
    "a bit of a word is not checked",
    "the root of another wire",
    "public inputs permuted",
)
BUILD = Path(__file__).parents[2] / ".build"


@dataclass
class File:
    """As much of a project's file as an operator reads."""

    circuit_hash: str
    program_id: str

    @property
    def manifest(self) -> Any:
        return SimpleNamespace(value=lambda: small.MANIFEST)

    @property
    def rules(self) -> ProjectRules:
        return ProjectRules.of_manifest(self.manifest.value())


@dataclass
class Declining:
    """Who takes proofs to Layer 1."""

    declined: list[tuple[bytes, int]] = field(default_factory=list)

    def put(self, proven: object) -> None:
        raise AssertionError(f"proven: {proven}")

    def decline(self, task_id: bytes, attempt: int) -> None:
        self.declined.append((task_id, attempt))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def vk_hash() -> AsyncIterator[bytes]:
    kind = await open_zk(TRUE, Workplace(BUILD / "keys", True))
    yield kind.keys.vk.hash
    await kind.close()


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operator, "keys_folder", lambda: BUILD / "keys")


def programs(home: Home, text: bytes, vk_hash: bytes, **changed: bytes) -> tuple[Programs, bytes]:
    """Return an operator's programs, its home holding one text, and the program's id."""
    circuit = write_program(home, text)
    hashes = {"manifest": small.MANIFEST.hash(), "circuit": circuit, "vk": vk_hash} | changed
    program = program_id(hashes["manifest"], hashes["circuit"], hashes["vk"])
    file = File(to_hex(circuit), to_hex(program))
    kept = {(PROJECT, program): file}
    found = SimpleNamespace(version=lambda *asked: kept.get(asked))
    network = SimpleNamespace(network=SimpleNamespace(local=True))
    built: Any = SimpleNamespace(projects=found, settings=network, home=home)
    return Programs(built), program


@pytest.mark.asyncio(loop_scope="module")
async def test_the_standard_circuit_is_opened(tmp_path: Path, keys: None, vk_hash: bytes) -> None:
    mine, program = programs(Home(tmp_path), TRUE, vk_hash)
    try:
        prepared = await mine.program(PROJECT, program)
        assert prepared.kind.program == sha256(TRUE)
    finally:
        await mine.close()


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("changed", ["manifest", "vk"])
async def test_another_programs_parts_are_refused(
    changed: str, tmp_path: Path, keys: None, vk_hash: bytes
) -> None:
    mine, program = programs(Home(tmp_path), TRUE, vk_hash, **{changed: keccak256(b"another")})
    try:
        with pytest.raises(Rejected) as refused:
            await mine.program(PROJECT, program)
    finally:
        await mine.close()
    assert refused.value.code in HOPELESS
    assert "make program" in str(refused.value)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", FORGED)
async def test_a_task_of_another_frame_is_declined(
    name: str, tmp_path: Path, keys: None, vk_hash: bytes
) -> None:
    mine, program = programs(Home(tmp_path), frames.forged(name, RULE), vk_hash)
    with pytest.raises(FrameRejected):
        await mine.program(PROJECT, program)
    assert await declined(mine, program) == [(b"\7" * 32, 3)]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("make", [frames.of_another_schema, frames.of_another_capacity])
async def test_a_task_of_other_readings_is_declined(
    make: Any, tmp_path: Path, keys: None, vk_hash: bytes
) -> None:
    mine, program = programs(Home(tmp_path), make(RULE), vk_hash)
    with pytest.raises(ProgramRejected):
        await mine.program(PROJECT, program)
    assert await declined(mine, program) == [(b"\7" * 32, 3)]


@pytest.mark.asyncio(loop_scope="module")
async def test_a_task_of_another_capacity_than_the_manifests_is_declined(
    tmp_path: Path, keys: None, vk_hash: bytes
) -> None:
    text = assemble(CLEAN_AIR.resized(small.CAPACITY // 2)).program.text
    mine, program = programs(Home(tmp_path), text, vk_hash)
    try:
        assert await declined(mine, program) == [(b"\7" * 32, 3)]
    finally:
        await mine.close()


async def declined(mine: Programs, program: bytes) -> list[tuple[bytes, int]]:
    """Draw an operator for one task of a program, and return what it gives back."""
    task = SimpleNamespace(attempt=3, project=PROJECT, program=program, deadline=1 << 40)
    assignment = SimpleNamespace(id=b"\7" * 32, task=task)

    async def current() -> list[Any]:
        return [assignment]

    results, nothing = Declining(), SimpleNamespace()
    ours: Any = SimpleNamespace(current=current)
    config = ComputeConfig(bytes(32), bytes(20), bytes(20), frozenset())
    compute = Compute(
        config,
        assignments=ours,
        headers=nothing,  # pyright: ignore[reportArgumentType]
        bodies=nothing,  # pyright: ignore[reportArgumentType]
        identity=nothing,  # pyright: ignore[reportArgumentType]
        programs=mine,
        results=results,
        clock=SystemClock(),
        counters=Counters("operator"),
        log=log("operator"),
    )
    await compute.look()
    for _ in range(600):
        if not compute.status()["working"]:
            break
        await asyncio.sleep(0.05)
    return results.declined
