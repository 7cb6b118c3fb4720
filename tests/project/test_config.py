"""`depin.toml`: what is said comes out, what is not allowed is refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from opendepin.project.config import MAX_CONTRACT_BYTES, load, parse, read_inside
from opendepin.project.errors import ConfigRejected
from opendepin.project.scaffold import TEMPLATES, scaffold, templates

GOOD = (TEMPLATES / "blank" / "depin.toml.template").read_text()

REFUSED = {
    "unknown table": ("[project]", "[projekt]\nx = 1\n[project]", "projekt is unknown; allowed"),
    "unknown key": ("capacity = 64", "capacity = 64\nspeed = 9", "[program] speed is unknown"),
    "in a list": ('unit = "%"\nscale = 2\nmin', 'unit = "%"\nlimits = 2\nmin', "limits is unknown"),
    "capacity": ("capacity = 64", "capacity = 60", "program.capacity = 60 is not allowed"),
    "type": ("capacity = 64", 'capacity = "64"', "program.capacity: Expected `int`"),
    "name": ('name = "{{name}}"', 'name = "My Net"', "project.name"),
    "rule": ("project.py:compute", "project:compute", "program.rule"),
    "shown": ('value = "value"', 'value = "other"', "page.value = 'other' is not allowed"),
    "bounds": ("minimum = 0", "minimum = 20_000", "schema value.minimum = 20000"),
    "labels": ("maximum = 10_000", 'maximum = 2\nlabels = ["a"]', "one label for each of 0..2"),
    "observed": ("key = 2", "key = 1", "schema"),
    "rate": ('unit_rate = "0.01"', 'unit_rate = "-1"', "pay.unit_rate"),
    "no field": ("[[schema]]", "[schema]", "schema"),
    "toml": ("[project]", "[project", "is not TOML"),
    "path": ('"data/sample.csv"', '"/etc/passwd"', "data.sample"),
}
CODES = {"config-syntax", "config-unknown", "config-value"}


def text(old: str = "", new: str = "") -> bytes:
    assert old in GOOD
    filled = GOOD.replace(old, new, 1) if old else GOOD
    return filled.replace("{{name}}", "my-net").replace("{{title}}", "My net").encode()


def test_what_is_said_comes_out() -> None:
    config = parse(text())
    assert config.project.name == "my-net"
    assert [field.name for field in config.message_schema().fields] == ["observed_s", "value"]
    assert config.shown.name == "value"
    assert config.program.capacity == 64


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_allowed_is_named(name: str) -> None:
    old, new, says = REFUSED[name]
    with pytest.raises(ConfigRejected) as refused:
        parse(text(old, new))
    assert says in str(refused.value)
    assert refused.value.code in CODES


def test_a_folder_without_a_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigRejected, match="depin new") as refused:
        load(tmp_path)
    assert refused.value.code == "config-missing"


@pytest.mark.parametrize("name", ["../secret", "link", "folder", "absent", "large"])
def test_files_are_read_inside_the_project_only(name: str, tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "folder").mkdir(parents=True)
    (tmp_path / "secret").write_text("x")
    (project / "link").symlink_to(tmp_path / "secret")
    (project / "large").write_bytes(bytes(101))
    (project / "own").write_bytes(bytes(100))
    (project / "inner").symlink_to(project / "own")
    assert read_inside(project, "own", 100) == read_inside(project, "inner", 100) == bytes(100)
    with pytest.raises(ConfigRejected) as refused:
        read_inside(project, name, 100)
    assert refused.value.code == "config-path"


@pytest.mark.parametrize("template", templates())
def test_each_template_is_a_project(template: str, tmp_path: Path) -> None:
    folder = tmp_path / "my-net"
    written = scaffold(folder, template)
    assert {"depin.toml", "project.py", "README.md", "data/sample.csv"} <= set(written)
    assert {"contracts/Hook.vy", "tests/test_project.py"} <= set(written)
    config = load(folder)
    assert config.project.title == "My net"
    assert not any("{{" in (folder / each).read_text() for each in written)
    assert len(read_inside(folder, "contracts/Hook.vy", MAX_CONTRACT_BYTES)) > 100
