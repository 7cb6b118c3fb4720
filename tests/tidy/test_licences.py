"""Every dependency's licence fits Apache-2.0, and the page says what is installed."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

import pytest

from tests.tidy.tree import ROOT


@pytest.fixture(scope="module")
def licences() -> ModuleType:
    sys.path.insert(0, str(ROOT / "tools"))
    try:
        return importlib.import_module("licences")
    finally:
        sys.path.remove(str(ROOT / "tools"))


def test_each_licence_fits(licences: ModuleType) -> None:
    unfit = [each for each in licences.dependencies() if not each.allowed]
    assert not unfit


def test_the_page_is_up_to_date(licences: ModuleType) -> None:
    assert licences.PAGE.read_text() == licences.page(licences.dependencies()), (
        "run `make licences`"
    )


@pytest.mark.parametrize(
    ("expression", "fits"),
    [
        ("MIT", True),
        ("MIT OR GPL-3.0", True),
        ("(Apache-2.0 AND MIT)", True),
        ("GPL-2+", False),
        ("AGPL-3.0-only", False),
        ("MIT AND GPL-3.0", False),
        ("none named", False),
        ("not installed", False),
    ],
)
def test_expressions_are_read_right(licences: ModuleType, expression: str, fits: bool) -> None:
    assert licences.Dependency("PyPI", "sample", "1", expression).allowed is fits
