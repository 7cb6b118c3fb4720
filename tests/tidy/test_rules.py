"""Each tidy rule lets a good sample through and catches a bad one."""

from __future__ import annotations

import ast

import pytest

from tests.tidy import rules


def test_function_lines_leave_out_the_docstring() -> None:
    tree = ast.parse('def f():\n    """One.\n\n    More.\n    """\n    a = 1\n    return a\n')
    assert [rules.function_lines(node) for node in rules.functions(tree)] == [3]


def test_vyper_function_lines() -> None:
    text = '@external\ndef f(\n    a: uint256,\n) -> uint256:\n    """\n    @dev x\n    """\n'
    text += "    b: uint256 = a\n\n    return b\n\n\n@internal\ndef g():\n    pass\n"
    assert list(rules.vyper_functions(text)) == [("f", 6), ("g", 2)]


def test_late_imports() -> None:
    assert rules.late_imports(ast.parse("import os\n")) == []
    assert rules.late_imports(ast.parse("def f():\n    import os\n")) == [2]


def test_undocumented() -> None:
    good = '"""M."""\nclass A:\n    """A."""\n    def f(self):\n        """F."""\n'
    assert rules.undocumented(ast.parse(good)) == []
    bad = "class A:\n    def f(self): ...\n    def _g(self): ...\ndef h(): ...\n"
    assert rules.undocumented(ast.parse(bad)) == ["the module", "A", "A.f", "h"]


@pytest.mark.parametrize("name", ["utils", "Helpers", "NonceManager", "misc"])
def test_bad_names(name: str) -> None:
    assert rules.bad_name(name)


@pytest.mark.parametrize("name", ["outbox", "Nonces", "commons_fund", "utility"])
def test_good_names(name: str) -> None:
    assert not rules.bad_name(name)


@pytest.mark.parametrize("word", rules.LEFTOVER_WORDS)
def test_leftovers(word: str) -> None:
    assert rules.leftovers(f"# {word}: later") == [word]
    assert rules.leftovers("# the method of hackneyed todos, forever nowhere") == []


def test_registry_hosts() -> None:
    host = rules.REGISTRY_HOSTS[0]
    assert rules.registry_hosts(f"get it from https://{host}/simple") == [host]
    assert rules.registry_hosts("get it from your registry") == []


def test_machine_paths() -> None:
    for top in ("root", "home", "work"):
        assert rules.machine_paths(f"open('/{top}/someone/x')")
    assert rules.machine_paths("GET /api/home/x and ./work/x and /usr/bin/chromium") == []


def test_faces() -> None:
    good = 'from opendepin.core.keys import Key\n__all__ = ["Key"]\n'
    assert rules.face_faults(ast.parse(good)) == []
    assert rules.face_faults(ast.parse('"""Empty."""\n')) == []
    assert rules.face_faults(ast.parse("from opendepin.core.keys import Key\n")) == ["no __all__"]
    bad = "from opendepin.core.keys import Key\n__all__ = []\n"
    assert rules.face_faults(ast.parse(bad)) == ["Key is brought in but not listed"]


def test_error_trees() -> None:
    good = '"""E.\n\nRejected\n└── TooLong  a text\n"""\nclass TooLong(Exception): ...\n'
    assert rules.error_tree_faults(ast.parse(good)) == []
    bad = '"""E."""\nclass TooLong(Exception): ...\n'
    assert rules.error_tree_faults(ast.parse(bad)) == [
        "no tree is drawn",
        "TooLong is not in the tree",
    ]


def test_links_and_anchors() -> None:
    text = "# A `b` c\n[x](docs/x.md#y) [z](https://example.org)\n```\n[no](no.md)\n```\n"
    assert rules.local_links(text) == ["docs/x.md#y"]
    assert rules.anchors(text) == {"a-b-c"}
