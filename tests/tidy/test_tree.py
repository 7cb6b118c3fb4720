"""The committed tree keeps the rules of CONTRIBUTING.md that no linter has."""

from __future__ import annotations

import importlib
import inspect
import re
import statistics
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from opendepin.core.errors import Broken, DepinError, PeerFault, Rejected
from tests.tidy import rules, tree

BRANCHES = (Rejected, PeerFault, Broken)
SIZED = {".css", ".go", ".html", ".js", ".mjs", ".py", ".vy", ".vyi"}
CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
MOCKS = re.compile(r"^\s*(from|import) (unittest\.)?mock\b|^from unittest import", re.MULTILINE)
DECLARED = re.compile(r"^([A-Za-z0-9._-]+)", re.MULTILINE)


def _list(faults: list[str]) -> str:
    return "\n" + "\n".join(faults)


def test_files_are_short() -> None:
    faults = [
        f"{tree.shown(path)}: {count} lines, at most {rules.MAX_FILE_LINES}"
        for path, text in tree.texts()
        if path.suffix in SIZED and (count := text.count("\n")) > rules.MAX_FILE_LINES
    ]
    assert not faults, _list(faults)


def test_nineteen_of_twenty_source_files_are_short() -> None:
    counts = [path.read_text(encoding="utf-8").count("\n") for path in tree.source()]
    assert statistics.quantiles(counts, n=20)[-1] <= rules.AIM_P95_LINES


def test_functions_are_short() -> None:
    faults = [
        f"{tree.shown(path)}:{node.lineno} {node.name}: {count} lines"
        for path in tree.source()
        for node in rules.functions(tree.parsed(path))
        if (count := rules.function_lines(node)) > rules.MAX_FUNCTION_LINES
    ]
    faults += [
        f"{tree.shown(path)} {name}: {count} lines"
        for path in tree.contracts()
        for name, count in rules.vyper_functions(path.read_text(encoding="utf-8"))
        if count > rules.MAX_FUNCTION_LINES
    ]
    assert not faults, _list(faults)


def test_imports_stand_on_top() -> None:
    faults = [
        f"{tree.shown(path)}:{line}"
        for path in tree.source()
        for line in rules.late_imports(tree.parsed(path))
    ]
    assert not faults, _list(faults)


def test_everything_public_is_documented() -> None:
    faults = [
        f"{tree.shown(path)}: {name}"
        for path in tree.source()
        for name in rules.undocumented(tree.parsed(path))
    ]
    assert not faults, _list(faults)


def test_names_say_what_things_are() -> None:
    faults = [
        tree.shown(path)
        for path in tree.files()
        if any(rules.bad_name(part) for part in Path(tree.shown(path)).with_suffix("").parts)
    ]
    faults += [
        f"{tree.shown(path)}: class {name}"
        for path in tree.source()
        for name in rules.bad_class_names(tree.parsed(path))
    ]
    assert not faults, _list(faults)


def test_nothing_is_left_for_later() -> None:
    faults = [
        f"{tree.shown(path)}: {word}"
        for path, text in tree.texts()
        if path.suffix not in {".lock", ".sum", ".json"}
        for word in rules.leftovers(text)
    ]
    assert not faults, _list(faults)


def test_no_file_names_a_registry_host() -> None:
    faults = [
        f"{tree.shown(path)}: {host}"
        for path, text in tree.texts()
        for host in rules.registry_hosts(text)
    ]
    assert not faults, _list(faults)


def test_no_file_names_a_path_of_one_machine() -> None:
    faults = [
        f"{tree.shown(path)}: {found}"
        for path, text in tree.texts()
        for found in rules.machine_paths(text)
    ]
    assert not faults, _list(faults)


def test_each_package_shows_its_face() -> None:
    faults = [
        f"{tree.shown(path)}: {fault}"
        for path in tree.source()
        if path.name == "__init__.py"
        for fault in rules.face_faults(tree.parsed(path))
    ]
    assert not faults, _list(faults)


def test_each_error_tree_is_drawn() -> None:
    faults = [
        f"{tree.shown(path)}: {fault}"
        for path in tree.source()
        if path.name == "errors.py"
        for fault in rules.error_tree_faults(tree.parsed(path))
    ]
    assert not faults, _list(faults)


def _error_classes() -> list[type[BaseException]]:
    found: list[type[BaseException]] = []
    for path in tree.source():
        if path.name != "errors.py":
            continue
        module = importlib.import_module(tree.module_name(path))
        found += [
            value
            for _, value in inspect.getmembers(module, inspect.isclass)
            if value.__module__ == module.__name__ and issubclass(value, BaseException)
        ]
    return found


def _path(error: type[BaseException]) -> str:
    return f"{error.__module__}.{error.__qualname__}"


def test_each_error_hangs_from_one_branch() -> None:
    faults = [
        _path(each)
        for each in _error_classes()
        if each is not DepinError and sum(issubclass(each, branch) for branch in BRANCHES) != 1
    ]
    assert not faults, _list(faults)


def test_error_codes_are_kebab_case_and_belong_to_one_class() -> None:
    owners: dict[str, str] = {}
    faults: list[str] = []
    for each in _error_classes():
        code = vars(each).get("code")
        if code is None:
            continue
        if not CODE.fullmatch(code):
            faults.append(f"{each.__name__}: {code!r} is not kebab-case")
        if code in owners:
            faults.append(f"{_path(each)} and {owners[code]} share {code!r}")
        owners[code] = _path(each)
    assert not faults, _list(faults)


def test_what_the_product_imports_is_declared() -> None:
    declared = {
        name.lower().replace("_", "-")
        for name in DECLARED.findall((tree.ROOT / "requirements" / "main.in").read_text())
    }
    owners = packages_distributions()
    faults: list[str] = []
    for path in tree.source():
        for name in sorted(rules.top_level_imports(tree.parsed(path))):
            if name in sys.stdlib_module_names or name == "opendepin":
                continue
            distributions = {each.lower().replace("_", "-") for each in owners.get(name, [])}
            if not distributions & declared:
                faults.append(f"{tree.shown(path)}: {name} is not in requirements/main.in")
    assert not faults, _list(faults)


def test_contracts_take_nothing_under_another_licence() -> None:
    faults = [
        tree.shown(path)
        for path in tree.contracts()
        if "snekmate" in (text := path.read_text(encoding="utf-8")) or "GPL" in text
    ]
    assert not faults, _list(faults)


def test_tests_use_no_mocks() -> None:
    faults = [
        tree.shown(path)
        for path in tree.files()
        if path.suffix == ".py" and path.is_relative_to(tree.ROOT / "tests")
        if re.search(
            r"^\s*(from|import) (unittest\.)?mock\b|^from unittest import", path.read_text()
        )
    ]
    assert not faults, _list(faults)


@pytest.mark.parametrize("path", [p for p in tree.files() if p.suffix == ".md"], ids=tree.shown)
def test_links_lead_somewhere(path: Path) -> None:
    faults: list[str] = []
    for link in rules.local_links(path.read_text(encoding="utf-8")):
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        if not target.exists():
            faults.append(f"{link}: no such file")
        elif anchor and anchor not in rules.anchors(target.read_text(encoding="utf-8")):
            faults.append(f"{link}: no such heading")
    assert not faults, _list(faults)
