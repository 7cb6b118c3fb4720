"""How commands speak: ids whole, values in words, an error with its code."""

from __future__ import annotations

import pytest

from opendepin.cli.output import out, print_error, print_table, said
from opendepin.core.errors import DepinError
from opendepin.network.errors import HomeRefused, NotRunning

ID = "0x" + "ab" * 32


@pytest.fixture(params=[40, 80, 200])
def width(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """A terminal's width."""
    monkeypatch.setattr(out, "width", request.param)
    return int(request.param)


def test_an_id_stands_whole_on_its_row_however_narrow_the_terminal(
    width: int, capsys: pytest.CaptureFixture[str]
) -> None:
    print_table("tasks", ["batch", "state", "task"], [[1, "settled", ID], [2, None, ID]])
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["1", "settled", ID] in rows
    assert ["2", "–", ID] in rows


def test_words_without_ids_are_folded_into_the_terminal(
    width: int, capsys: pytest.CaptureFixture[str]
) -> None:
    print_table("services", ["service", "counts"], [["gateway", "groups 1 " * 30]])
    assert max(map(len, capsys.readouterr().out.splitlines())) <= width


@pytest.mark.parametrize(
    ("value", "word"), [(None, "–"), (True, "yes"), (False, "no"), (0, "0"), ("a", "a")]
)
def test_values_are_said_in_words(value: object, word: str) -> None:
    assert said(value) == word


@pytest.mark.parametrize(
    "error",
    [
        HomeRefused("'x' is no name: letters, digits", code="device-name"),
        NotRunning("nothing runs here"),
    ],
)
def test_an_error_shows_its_code_and_where_to_read_more(
    error: DepinError, capsys: pytest.CaptureFixture[str]
) -> None:
    print_error(error)
    told = capsys.readouterr().err
    assert f"[{error.code}]" in told
    assert f"errors.md#{error.code}" in told
