"""The projects a network serves: one JSON file each, read by every service, found without a
restart.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec

from opendepin.core.encodings import from_hex, sha256
from opendepin.core.errors import Rejected
from opendepin.core.manifest_form import ManifestForm
from opendepin.core.readings import ProjectRules
from opendepin.core.schema import Schema
from opendepin.explorer.sheets import Output, Place, ProjectSheet
from opendepin.network.errors import HomeRefused
from opendepin.network.home import Home, write_json
from opendepin.proofs.errors import ProgramRejected
from opendepin.proofs.zk.keys import VerificationKey
from opendepin.runtime.disk import write_atomic

FORM = "opendepin/project/2"


class PlaceForm(msgspec.Struct, frozen=True):
    """Where a device stands; the owner consents to its being shown."""

    name: str
    longitude: float
    latitude: float
    region: str = ""
    region_name: str = ""


class OutputForm(msgspec.Struct, frozen=True):
    """What one output means."""

    figure: str
    group: str = ""
    device_index: int | None = None
    unit: str = ""
    scale: int = 0


class ProjectFile(msgspec.Struct, frozen=True, kw_only=True):
    """Everything about a project that stands in its file."""

    form: str = FORM
    project: int
    title: str
    manifest: ManifestForm
    circuit_hash: str
    verification_key: str
    """Bytes of the key, 0x-hex, as `proofs.zk.keys` reads them."""
    development: bool
    program_id: str
    verifier: str
    """Address of the verifier contract."""
    callback: str
    """Address of the project's contract."""
    constraints: int
    unit_rate_wei: str
    value_field: int
    """Key of the field that readers show as the reading's value."""
    value_name: str = "value"
    value_unit: str = ""
    value_scale: int = 0
    limit: int | None = None
    attribution: str = ""
    text: str = ""
    """What the project says of itself, plain paragraphs."""
    places: dict[str, PlaceForm] = {}
    outputs: list[OutputForm] = []

    @property
    def rules(self) -> ProjectRules:
        """What a message of the project must be."""
        return ProjectRules.of_manifest(self.manifest.value())

    def sheet(self) -> ProjectSheet:
        """Return what readers show."""
        vk = VerificationKey(from_hex(self.verification_key))
        return ProjectSheet(
            project=self.project,
            title=self.title,
            manifest=self.manifest.value(),
            value_field=self.value_field,
            value_name=self.value_name,
            value_unit=self.value_unit,
            value_scale=self.value_scale,
            limit=self.limit,
            places={int(i): Place(**msgspec.structs.asdict(p)) for i, p in self.places.items()},
            outputs=tuple(Output(**msgspec.structs.asdict(o)) for o in self.outputs),
            circuit={"constraints": self.constraints, "capacity": self.manifest.capacity},
            hashes={"circuit": from_hex(self.circuit_hash, 32), "verification_key": vk.hash},
            verification_key=verification_key_json(vk, development=self.development),
            unit_rate=int(self.unit_rate_wei),
            attribution=self.attribution,
            text=self.text,
        )


def verification_key_json(vk: VerificationKey, *, development: bool) -> dict[str, Any]:
    """Return the JSON form of `docs/spec/bundle.md`: G2 coordinates as (c0, c1)."""

    def two(point: tuple[int, ...]) -> list[list[str]]:
        x1, x0, y1, y0 = (str(word) for word in point)
        return [[x0, x1], [y0, y1]]

    beta, gamma, delta = vk.g2
    return {
        "alpha": [str(word) for word in vk.alpha],
        "beta": two(beta),
        "gamma": two(gamma),
        "delta": two(delta),
        "ic": [[str(word) for word in point] for point in vk.inputs],
        "development": development,
    }


def write_project(home: Home, file: ProjectFile) -> None:
    """Write a project's file, and the same as that version's, which later versions leave alone;
    services find it at the next message of the project.
    """
    content = msgspec.to_builtins(file)
    path = home.version_file(file.project, from_hex(file.program_id, 32))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, content)
    write_json(home.project_file(file.project), content)


def write_program(home: Home, text: bytes) -> bytes:
    """Keep a program's text under its hash, which is returned."""
    digest = sha256(text)
    path = home.program_file(digest)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, text)
    return digest


def find_program(home: Home, circuit_hash: bytes) -> bytes | None:
    """Return the text of a program, None when it is not in this home.

    Raises:
        ProgramRejected: what stands there is another text.
    """
    path = home.program_file(circuit_hash)
    if not path.exists():
        return None
    text = path.read_bytes()
    if sha256(text) != circuit_hash:
        raise ProgramRejected(f"{path} is not the program it is named after")
    return text


def read_project(path: Path) -> ProjectFile:
    """Read a project's file.

    Raises:
        HomeRefused: it is not of the form.
    """
    try:
        found = msgspec.convert(json.loads(path.read_text(encoding="utf-8")), ProjectFile)
    except (ValueError, msgspec.ValidationError) as error:
        raise HomeRefused(f"{path} is no project file: {error}", code="project-file") from error
    if found.form != FORM:
        raise HomeRefused(f"{path} is of form {found.form!r}, not {FORM!r}", code="project-file")
    return found


class ProjectFolder:
    """All project files of a home; a new file is found when it is first asked for."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._known: dict[int, ProjectFile] = {}

    def find(self, project: int) -> ProjectFile | None:
        """Return a project's file, None when there is none."""
        found = self._known.get(project)
        if found is None:
            path = self._home.project_file(project)
            if not path.exists():
                return None
            found = self._known[project] = read_project(path)
        return found

    def version(self, project: int, program_id: bytes) -> ProjectFile | None:
        """Return the file of one version of a project, the newest or an earlier one; None when it
        was never here.

        Raises:
            HomeRefused: what stands under the version's name is another one.
        """
        newest = self.find(project)
        if newest is not None and from_hex(newest.program_id, 32) == program_id:
            return newest
        path = self._home.version_file(project, program_id)
        if not path.exists():
            return None
        found = read_project(path)
        if (found.project, from_hex(found.program_id, 32)) != (project, program_id):
            text = f"{path} is not the version that it is named after"
            raise HomeRefused(text, code="project-file")
        return found

    def all(self) -> list[ProjectFile]:
        """Return every project's file, by id."""
        found = [self.find(project) for project in self._home.projects()]
        return [file for file in found if file is not None]

    def schema(self, project: int) -> Schema | None:
        """Return a project's schema (the gateway's port)."""
        found = self.find(project)
        return None if found is None else found.rules.schema

    def capacity(self, project: int) -> int:
        """Return how many messages a segment of a served project takes (the gateway's port)."""
        return self.rules(project).capacity

    def rules(self, project: int) -> ProjectRules:
        """Return a project's rules (the port of stores and sequencer).

        Raises:
            Rejected: code `unknown-project`.
        """
        found = self.find(project)
        if found is None:
            text = f"no project {project} is served here"
            raise Rejected(text, code="unknown-project")
        return found.rules
