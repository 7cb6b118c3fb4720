"""Each error code of the source has its line in docs/reference/errors.md, each line its code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from tests.tidy import tree

PAGE = tree.ROOT / "docs" / "reference" / "errors.md"
LINE = re.compile(r'^\| <a id="([a-z0-9-]+)"></a>`([a-z0-9-]+)` \| (.+?) \| (.+?) \|$')
KEBAB = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
ANSWERS = {"problem": 1, "Problem": 1, "Refusal": 0}
"""Callable → place of the code among its arguments."""

OUTSIDE = {"key", "method", "engine-refused", "engine-unsatisfied", "engine-not-loaded"}
OUTSIDE |= {"engine-no-keys", "engine-bad-key", "engine-panic", "frame-size", "signature-range"}
"""Codes that no literal names: table entries, and those that the proof engine gives."""


def texts(node: ast.AST) -> Iterator[str]:
    """Give the kebab-case literals that an expression can be; not what it is compared with."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        if KEBAB.fullmatch(node.value):
            yield node.value
    elif isinstance(node, ast.IfExp):
        yield from texts(node.body)
        yield from texts(node.orelse)


def codes_of(module: ast.Module) -> Iterator[str]:
    """Give the codes that a module names: class attributes, `code=` arguments, answers."""
    for node in ast.walk(module):
        if isinstance(node, ast.ClassDef):
            for line in node.body:
                if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "code":
                    yield from texts(line.value)
        elif isinstance(node, ast.Call):
            for keyword in node.keywords:
                if keyword.arg == "code":
                    yield from texts(keyword.value)
            name = ast.unparse(node.func).rpartition(".")[2]
            if name in ANSWERS and len(node.args) > ANSWERS[name]:
                yield from texts(node.args[ANSWERS[name]])


def named() -> dict[str, str]:
    """Return every code of the source with the first file that names it."""
    found: dict[str, str] = {}
    for path in tree.source():
        for code in codes_of(tree.parsed(path)):
            found.setdefault(code, tree.shown(path))
    return found


def rows() -> list[tuple[str, str, str, str]]:
    """Return anchor, code, meaning and remedy of each line of the page."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    return [match.groups() for line in lines if (match := LINE.match(line))]  # type: ignore[misc]


def test_each_code_has_its_line() -> None:
    known = {anchor for anchor, *_ in rows()}
    missing = {code: path for code, path in named().items() if code not in known}
    assert missing == {}, "say what they mean, and what to do, in docs/reference/errors.md"


def test_each_line_has_its_code() -> None:
    known = set(named()) | OUTSIDE
    assert [anchor for anchor, *_ in rows() if anchor not in known] == []


def test_each_line_is_whole_and_stands_once() -> None:
    anchors = [anchor for anchor, *_ in rows()]
    assert len(anchors) == len(set(anchors)) > 150
    assert all(anchor == code and what and fix for anchor, code, what, fix in rows())
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    assert sum(line.startswith("| <a id=") for line in lines) == len(anchors)


def test_codes_are_found_where_they_stand() -> None:
    module = ast.parse(
        'class A:\n    code = "one"\n'
        'raise B("x", code="two" if c == "no" else "three")\n'
        'raise Problem(404, "four", "x")\nRefusal("five", "six seven")\nB("x", code=c)\n'
    )
    assert sorted(codes_of(module)) == ["five", "four", "one", "three", "two"]
