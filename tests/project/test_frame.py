"""A project's Python writes its circuit, and may tamper with what writes it: deploying looks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from opendepin.network.errors import NotRunning
from opendepin.network.home import Home
from opendepin.project.building import Built, build
from opendepin.project.deploying import deploy
from opendepin.project.scaffold import scaffold
from opendepin.proofs.errors import FrameRejected, ProgramRejected
from opendepin.runtime import settings

pytestmark = [pytest.mark.timeout(300), pytest.mark.asyncio]

TAMPERED = {
    "presence": ("assembly._falling = lambda trace, present, after: None", "('falling')"),
    "a leaf": (
        (
            "honest = assembly._parents\n"
            "assembly._parents = lambda circuit, level, height: honest(\n"
            "    circuit, level if height else [level[1], level[0], *level[2:]], height)"
        ),
        "('node') takes other wires",
    ),
    "a range": (
        (
            "bits = gadgets.bits\n"
            "def loose(trace, word, present, width):\n"
            "    return bits(trace, word, width)\n"
            "gadgets.unpacked = loose"
        ),
        "of rule template",
    ),
    "the root": (
        (
            "publish = circuit.Circuit.publish\n"
            "circuit.Circuit.publish = lambda self, name, wire: publish(\n"
            "    self, name, self.given[1] if name == 'field_root' else wire)"
        ),
        "('same') takes other wires",
    ),
    "public inputs": (
        (
            "publish = circuit.Circuit.publish\n"
            "names = {'field_root': 'evaluation', 'evaluation': 'field_root'}\n"
            "circuit.Circuit.publish = lambda self, name, wire: publish(self, names[name], wire)"
        ),
        "('same') takes other wires",
    ),
}


def project(tmp_path: Path, tampering: str = "") -> Built:
    folder = tmp_path / "my-net"
    scaffold(folder, "blank")
    rule = folder / "project.py"
    imports = "from opendepin.proofs.zk import assembly, circuit, gadgets\n"
    before = "\n\ndef compute"
    rule.write_text(rule.read_text().replace(before, f"\n{imports}{tampering}\n{before}"))
    return build(folder)


async def deployed(home: Path, built: Built) -> list[str]:
    place, told = Home(home), list[str]()
    settings.write_default(place.settings)
    try:
        await deploy(place, built, told.append)
    finally:
        assert not place.projects()
        kept = list((home / "programs").glob("*.json"))
    return [each.name for each in kept]


@pytest.mark.parametrize("name", TAMPERED)
async def test_a_tampered_circuit_is_not_deployed(name: str, tmp_path: Path) -> None:
    tampering, says = TAMPERED[name]
    with pytest.raises(FrameRejected) as refused:
        await deployed(tmp_path / "home", project(tmp_path, tampering))
    assert says in str(refused.value)
    assert not list((tmp_path / "home").rglob("programs/*"))


async def test_another_capacity_is_not_deployed(tmp_path: Path) -> None:
    built = project(tmp_path)
    capacity = built.config.program.capacity
    text = built.traced.circuit
    half = text.replace(f'"capacity":{capacity},', f'"capacity":{capacity // 2},')
    assert half != text
    built = replace(built, traced=msgspec.structs.replace(built.traced, circuit=half))
    with pytest.raises(ProgramRejected, match="inputs"):
        await deployed(tmp_path / "home", built)


async def test_another_schema_is_not_deployed(tmp_path: Path) -> None:
    """The lanes of the text say what the manifest says, the constraints take wider values."""
    built = project(
        tmp_path,
        "import dataclasses\n"
        "from opendepin.core import layout\n"
        "from opendepin.proofs.zk import constraints\n"
        "given = constraints._given\n"
        "def wider(machine, made):\n"
        "    *rest, last = made.bounds\n"
        "    name, low, high = last\n"
        "    return given(machine, layout.Layout.of_bounds([*rest, (name, low, 2 * high + 1)]))\n"
        "constraints._given = wider",
    )
    with pytest.raises(FrameRejected, match="of rule template"):
        await deployed(tmp_path / "home", built)


async def test_the_same_project_untouched_gets_as_far_as_the_network(tmp_path: Path) -> None:
    with pytest.raises(NotRunning):
        await deployed(tmp_path / "home", project(tmp_path))
