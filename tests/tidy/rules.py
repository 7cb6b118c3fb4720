"""The rules that no linter has, as pure functions from a file's text or tree to its faults."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

MAX_FILE_LINES = 600
MAX_FUNCTION_LINES = 70
AIM_MEDIAN_LINES, AIM_P95_LINES = 120, 350

BANNED_STEMS = {"util", "utils", "helper", "helpers", "manager", "common", "misc"}
BANNED_ENDINGS = ("Util", "Utils", "Helper", "Helpers", "Manager", "Misc")

LEFTOVER_WORDS = ("TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK", "for " + "now")
LEFTOVERS = re.compile(r"\b(" + "|".join(LEFTOVER_WORDS) + r")\b")

# The world's package registries, in pieces, since this file is searched too.
REGISTRY_HOSTS = tuple(
    ".".join(host)
    for host in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("registry", "npmjs", "org"),
        ("registry", "yarnpkg", "com"),
        ("proxy", "golang", "org"),
        ("sum", "golang", "org"),
        ("crates", "io"),
        ("repo1", "maven", "org"),
        ("deb", "debian", "org"),
    )
)
MACHINE_PATH = re.compile(r"(?<![\w.~$}{)/-])/(?:root|home|work|Users)/[\w.-]+")

LINK = re.compile(r"(?<!\\)\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)")
HEADING = re.compile(r"^#{1,6}\s+(.*?)\s*#*$", re.MULTILINE)
FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions(tree: ast.Module) -> Iterator[Function]:
    """Give every function and method, nested ones too."""
    for node in ast.walk(tree):
        if isinstance(node, Function):
            yield node


def function_lines(node: Function) -> int:
    """Count a function's lines without its docstring and decorators."""
    first = node.body[0]
    documented = ast.get_docstring(node, clean=False) is not None
    docstring = (first.end_lineno or 0) - first.lineno + 1 if documented else 0
    return (node.end_lineno or node.lineno) - node.lineno + 1 - docstring


def vyper_functions(text: str) -> Iterator[tuple[str, int]]:
    """Give each Vyper function's name and lines, its docstring not counted."""
    lines = text.splitlines()
    starts = [n for n, line in enumerate(lines) if line.startswith("def ")]
    for start in starts:
        end = start + 1
        while end < len(lines) and (lines[end][:1] in {"", " ", ")"}):
            end += 1
        body = "\n".join(lines[start:end]).rstrip()
        bare = re.sub(r'\n\s+""".*?"""', "", body, count=1, flags=re.DOTALL)
        yield lines[start][4:].split("(")[0], bare.count("\n") + 1


def late_imports(tree: ast.Module) -> list[int]:
    """Give the lines of imports that stand inside a function."""
    return sorted(
        inner.lineno
        for outer in functions(tree)
        for inner in ast.walk(outer)
        if isinstance(inner, ast.Import | ast.ImportFrom)
    )


def undocumented(tree: ast.Module) -> list[str]:
    """Name the public things without a docstring: the module, classes, functions, methods."""
    missing = [] if ast.get_docstring(tree) else ["the module"]

    def visit(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            if not isinstance(node, Function | ast.ClassDef) or node.name.startswith("_"):
                continue
            if not ast.get_docstring(node) and not _is_overload(node):
                missing.append(prefix + node.name)
            if isinstance(node, ast.ClassDef):
                visit(node.body, f"{prefix}{node.name}.")

    visit(tree.body, "")
    return missing


def _is_overload(node: Function | ast.ClassDef) -> bool:
    return any(
        getattr(each, "id", getattr(each, "attr", "")) in {"overload", "setter", "override"}
        for each in node.decorator_list
    )


def top_level_imports(tree: ast.Module) -> set[str]:
    """Give the first part of each absolute import."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def bad_name(name: str) -> bool:
    """Tell whether a file, folder or class name says nothing of what the thing is."""
    return name.lower() in BANNED_STEMS or name.endswith(BANNED_ENDINGS)


def bad_class_names(tree: ast.Module) -> list[str]:
    """Name the classes that are called manager, helper and the like."""
    return [n.name for n in ast.walk(tree) if isinstance(n, ast.ClassDef) and bad_name(n.name)]


def leftovers(text: str) -> list[str]:
    """Give the words that say a piece of work was left undone."""
    return LEFTOVERS.findall(text)


def registry_hosts(text: str) -> list[str]:
    """Give the package registries' hosts that a text names."""
    return [host for host in REGISTRY_HOSTS if host in text]


def machine_paths(text: str) -> list[str]:
    """Give the paths of one person's machine that a text names."""
    return MACHINE_PATH.findall(text)


def face_faults(tree: ast.Module) -> list[str]:
    """Compare a package's `__all__` with the public names that its `__init__` brings in."""
    listed = _literal_all(tree)
    brought = {
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and node.module != "__future__"
        for alias in node.names
    }
    brought |= {
        node.name
        for node in tree.body
        if isinstance(node, Function | ast.ClassDef) and not node.name.startswith("_")
    }
    brought = {name for name in brought if not name.startswith("_")}
    if listed is None:
        return ["no __all__"] if brought else []
    faults = [f"{name} is listed twice" for name in set(listed) if listed.count(name) > 1]
    reexported = {
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom) and (node.level or _is_ours(node.module))
        for alias in node.names
        if not alias.name.startswith("_")
    }
    faults += [f"{name} is brought in but not listed" for name in reexported - set(listed)]
    return sorted(faults)


def _is_ours(module: str | None) -> bool:
    return module is not None and module.split(".")[0] == "opendepin"


def _literal_all(tree: ast.Module) -> list[str] | None:
    for node in tree.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else None
        target = node.target if isinstance(node, ast.AnnAssign) else target
        if isinstance(target, ast.Name) and target.id == "__all__":
            assert isinstance(node, ast.Assign | ast.AnnAssign)
            assert node.value is not None
            return list(ast.literal_eval(node.value))
    return None


def error_tree_faults(tree: ast.Module) -> list[str]:
    """Tell what the error tree on top of an `errors.py` lacks."""
    drawing = ast.get_docstring(tree) or ""
    faults = [] if ("├" in drawing or "└" in drawing) else ["no tree is drawn"]
    classes = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
    faults += [
        f"{name} is not in the tree"
        for name in classes
        if not re.search(rf"\b{re.escape(name)}\b", drawing)
    ]
    return faults


def local_links(text: str) -> list[str]:
    """Give a page's links to other files and headings of this repository."""
    found = LINK.findall(FENCE.sub("", text))
    return [link for link in found if not re.match(r"[a-z][a-z0-9+.-]*:", link)]


def anchors(text: str) -> set[str]:
    """Give the anchors that a page's headings make."""
    found: set[str] = set()
    for heading in HEADING.findall(FENCE.sub("", text)):
        plain = re.sub(r"[^\w\- ]", "", re.sub(r"[`*]|\]\([^)]*\)", "", heading).lower())
        found.add(plain.strip().replace(" ", "-"))
    return found
