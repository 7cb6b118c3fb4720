"""Every version of a project stays in the home: a task may be of an earlier one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec import structs

from opendepin.core.encodings import to_hex
from opendepin.core.manifest import Manifest
from opendepin.core.manifest_form import ManifestForm
from opendepin.network.errors import HomeRefused
from opendepin.network.home import Home
from opendepin.network.projects import ProjectFile, ProjectFolder, write_project
from tests.dims.settlement.ground import SCHEMA

OLD, NEW, NEVER = b"\x01" * 32, b"\x02" * 32, b"\x03" * 32
FILE = ProjectFile(
    project=1,
    title="",
    manifest=ManifestForm.of(Manifest("stations", "1", SCHEMA, "mean", 8, 2, 3)),
    circuit_hash=to_hex(bytes(32)),
    verification_key="0x",
    development=True,
    program_id=to_hex(OLD),
    verifier=to_hex(bytes(20)),
    callback=to_hex(bytes(20)),
    constraints=1,
    unit_rate_wei="1",
    value_field=2,
)


def version(program: bytes, **changed: object) -> ProjectFile:
    return structs.replace(FILE, program_id=to_hex(program), **changed)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    write_project(home, version(OLD, title="old"))
    write_project(home, version(NEW, title="new"))
    return home


def test_the_newest_and_earlier_versions_are_found_by_their_program(home: Home) -> None:
    folder = ProjectFolder(home)
    found = folder.find(1)
    assert found is not None
    assert found.title == "new"
    for program, title in ((OLD, "old"), (NEW, "new")):
        file = folder.version(1, program)
        assert file is not None
        assert (file.title, file.program_id) == (title, to_hex(program))


def test_a_version_that_comes_while_a_service_runs_is_found(home: Home) -> None:
    folder = ProjectFolder(home)
    assert folder.version(1, NEVER) is None
    write_project(home, version(NEVER, title="newest"))
    found = folder.version(1, NEVER)
    assert found is not None
    assert found.title == "newest"


def test_a_version_of_another_project_or_never_written_is_not_here(home: Home) -> None:
    assert ProjectFolder(home).version(1, NEVER) is None
    assert ProjectFolder(home).version(2, OLD) is None
    assert home.projects() == [1]


@pytest.mark.parametrize("changed", [{"program_id": to_hex(NEVER)}, {"project": 2}])
def test_another_version_under_its_name_is_refused(home: Home, changed: dict[str, object]) -> None:
    path = home.version_file(1, OLD)
    path.write_text(json.dumps(json.loads(path.read_text()) | changed))
    with pytest.raises(HomeRefused):
        ProjectFolder(home).version(1, OLD)
