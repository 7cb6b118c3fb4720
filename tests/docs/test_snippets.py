"""What the pages tell people to type exists: commands, options, Python, and the line itself."""

from __future__ import annotations

import ast
import importlib
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer.main

from opendepin.cli.app import app
from tests.tidy import tree

PAGES = [path for path in tree.files() if path.suffix == ".md" and "docs" in path.parts]
PAGES += [tree.ROOT / "README.md"]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(depin [^`]+)`")
ROOT_COMMAND = typer.main.get_command(app)


def blocks(path: Path, language: str) -> list[str]:
    """Return a page's code blocks of a language; without one they are what people type."""
    text = path.read_text(encoding="utf-8")
    return [body for name, body in FENCE.findall(text) if name == language]


def commands(path: Path) -> list[str]:
    """Return the `depin` lines of a page."""
    typed = [line.strip() for body in blocks(path, "") for line in body.splitlines()]
    found = [line for line in typed if line.startswith("depin ")]
    return found + INLINE.findall(path.read_text(encoding="utf-8"))


def fault(line: str) -> str | None:
    """Say what is wrong with a command line: no such command, or no such option."""
    words = shlex.split(re.split(r"\s{2,}|…|\||→", line)[0].replace("<", "'<").replace(">", ">'"))
    command: Any = ROOT_COMMAND
    for word in words[1:]:
        if word.startswith("-"):
            known = {option for p in command.params for option in (*p.opts, *p.secondary_opts)}
            if word.split("=")[0] not in known | {"--help"}:
                return f"{line!r}: no option {word}"
        elif hasattr(command, "commands"):
            below = command.commands.get(word)
            if below is None:
                return f"{line!r}: no command {word}"
            command = below
    return None


@pytest.mark.parametrize("path", PAGES, ids=tree.shown)
def test_commands_exist(path: Path) -> None:
    assert [found for line in commands(path) if (found := fault(line))] == []


def test_a_wrong_command_is_seen() -> None:
    assert fault("depin verify --bundle x") is None
    assert fault("depin task show <task id>") is None
    assert fault("depin verify --nothing") is not None
    assert fault("depin verfy x") is not None
    assert fault("depin task shown x") is not None
    assert sum(len(commands(path)) for path in PAGES) > 30


@pytest.mark.parametrize("path", PAGES, ids=tree.shown)
def test_python_can_be_read_and_its_imports_exist(path: Path) -> None:
    for body in blocks(path, "python"):
        for node in ast.walk(ast.parse(body)):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("opendepin"):
                module = importlib.import_module(node.module or "")
                assert [a.name for a in node.names if not hasattr(module, a.name)] == []


def test_the_line_is_told_as_it_is() -> None:
    (told,) = blocks(tree.ROOT / "docs" / "explanation" / "architecture.md", "python")
    assert told.strip() in (tree.ROOT / "src" / "opendepin" / "line.py").read_text()
