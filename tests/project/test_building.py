"""A project's rule is traced in the sandbox; what it gives, what it costs, what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from opendepin.cli.app import app
from opendepin.core.encodings import sha256
from opendepin.project.building import build, checked
from opendepin.project.changes import differences, saved, stamp
from opendepin.project.checking import check
from opendepin.project.errors import ConfigRejected, ScaffoldRefused, TraceRejected
from opendepin.project.scaffold import scaffold, templates
from opendepin.runtime.errors import ProjectFailed, ProjectStopped

pytestmark = pytest.mark.timeout(300)

TRUTH = {
    "air": {"readings[0]": 80, "over[3]": 33, "highest[3]": 135_083, "lowest[0]": 4_000},
    "weather": {"gusts[1]": 9, "rain[2]": 122, "strongest[2]": 6_214, "frost[0]": 33},
    "blank": {"readings": 72, "units[3]": 0},
}
"""What was counted by hand (a spreadsheet over the same records)."""


def project(tmp_path: Path, template: str = "blank") -> Path:
    folder = tmp_path / "my-net"
    scaffold(folder, template)
    return folder


def edit(folder: Path, old: str, new: str, file: str = "project.py") -> None:
    path = folder / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize("template", templates())
def test_a_template_runs_and_its_tests_pass(template: str, tmp_path: Path) -> None:
    found = check(project(tmp_path, template))
    built = found.built
    totals = dict(zip(built.traced.names, built.totals(), strict=True))
    assert TRUTH[template].items() <= totals.items()
    assert found.holds
    assert len(found.tests) >= 2
    assert len(built.traced.forged) > 2 * len(built.traced.names)
    assert built.traced.forged[0].attempt == "the honest witness is taken"
    assert built.traced.constraints > 10_000
    assert built.circuit_hash == sha256(built.traced.circuit.encode())
    assert built.traced.names[built.pay_offset].startswith("units")
    assert 0 < built.proof_s < 5
    assert built.gas > 400_000


def test_a_test_that_fails_is_told_with_its_reason(tmp_path: Path) -> None:
    folder = project(tmp_path)
    edit(folder, '"total"] == 350', '"total"] == 351', "tests/test_project.py")
    (folder / "tests" / "test_hostile.py").write_text(
        "def test_reads():\n    open('/etc/passwd')\n"
    )
    with pytest.raises(ProjectStopped) as stopped:
        check(folder)
    assert stopped.value.kind == "read"
    (folder / "tests" / "test_hostile.py").unlink()
    found = check(folder)
    assert not found.holds
    failed = [each for each in found.tests if not each.passed]
    assert len(failed) == 1
    assert "350 == 351" in failed[0].why


def test_cost_names_the_lines(tmp_path: Path) -> None:
    built = build(project(tmp_path, "weather"), cost=True)
    lines = (built.folder / "project.py").read_text().splitlines()
    assert all(file == "project.py" and rows > 0 for file, _, rows in built.traced.cost)
    assert "largest(" in lines[built.traced.cost[0][1] - 1]
    assert built.traced.shared > 60


REFUSED = {
    "a branch": ("    return {", "    if reading['value']: 1\n    return {", "cannot branch"),
    "a list": ("    return {", "    return []\n    return {", "name each output"),
    "no output": ('count(reading.present),', "7,", "only count(), total()"),
    "no field": ('reading["value"]', 'reading["valve"]', "has no field 'valve'"),
    "an exception": ("    return {", "    1 / 0\n    return {", "project.py:16: ZeroDivisionError"),
    "syntax": ("    return {", "    return {{", "project.py:"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_rule_that_cannot_be_traced_says_why(name: str, tmp_path: Path) -> None:
    folder = project(tmp_path)
    old, new, says = REFUSED[name]
    edit(folder, old, new)
    with pytest.raises(ProjectFailed) as failed:
        build(folder)
    assert says in str(failed.value)


def test_units_must_be_outputs_of_the_rule(tmp_path: Path) -> None:
    folder = project(tmp_path)
    edit(folder, 'units = "units"', 'units = "paid"', "depin.toml")
    with pytest.raises(ConfigRejected, match="there are: readings, total, units"):
        build(folder)


def test_a_hostile_rule_is_stopped(tmp_path: Path) -> None:
    folder = project(tmp_path)
    edit(folder, "def compute", "import os\nos.system('true')\n\ndef compute")
    with pytest.raises(ProjectStopped, match="another process"):
        build(folder)


@pytest.mark.parametrize(
    "answer",
    [
        None, [], {}, {"circuit": 1},
        {"circuit": "", "names": ["a"], "maxima": [], "folds": ["sum"], "constraints": 1,
         "results": []},
        {"circuit": "", "names": ["a"], "maxima": ["x"], "folds": ["sum"], "constraints": 1,
         "results": []},
        {"circuit": "", "names": ["a"], "maxima": ["-1"], "folds": ["sum"], "constraints": 1,
         "results": []},
        {"circuit": "", "names": ["a"] * 300, "maxima": ["1"] * 300, "folds": ["sum"] * 300,
         "constraints": 1, "results": []},
    ],
)  # fmt: skip
def test_an_answer_that_is_no_trace_is_refused(answer: object) -> None:
    with pytest.raises(TraceRejected):
        checked(answer)


def test_what_a_save_changed_is_said(tmp_path: Path) -> None:
    folder = project(tmp_path)
    before, first = stamp(folder), build(folder)
    edit(folder, '"total": total', '"amount": total')
    edit(folder, "DEVICES = 4", "DEVICES = 3")
    assert saved(before, stamp(folder)) == ["project.py"]
    said = "\n".join(differences(first, build(folder)))
    assert "new      amount = 448,547" in said
    assert "gone     total" in said
    assert "gone     units[3]" in said
    assert "circuit  " in said
    assert differences(first, first) == []


@pytest.mark.parametrize("name", ["My-net", "9net", "net_work", "x" * 41, "taken"])
def test_a_project_is_made_in_a_new_folder_of_a_good_name(name: str, tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").touch()
    with pytest.raises(ScaffoldRefused):
        scaffold(tmp_path / name, "blank")
    with pytest.raises(ScaffoldRefused, match="there are air, blank, weather"):
        scaffold(tmp_path / "good", "none")


def test_the_commands_speak_json(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()
    made = runner.invoke(app, ["new", "my-net", "--template", "blank", "--json"])
    assert json.loads(made.stdout)["template"] == "blank"
    monkeypatch.chdir(tmp_path / "my-net")
    ran = runner.invoke(app, ["run", "--json", "--cost"])
    found = json.loads(ran.stdout)
    assert found["outputs"]["readings"] == "72"
    assert found["cost"][0]["file"] == "project.py"
    shown = runner.invoke(app, ["run"])
    assert "estimate" in shown.stdout
    again = runner.invoke(app, ["new", "my-net", "--project", "x"])
    assert again.exit_code == 2
