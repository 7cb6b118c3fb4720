"""Make a new project's folder from a template.

The files of a template are data of this package; `{{name}}` and `{{title}}` are filled in.
"""

from __future__ import annotations

import re
from pathlib import Path

from opendepin.project.errors import ScaffoldRefused

TEMPLATES = Path(__file__).parent / "templates"
SUFFIX = ".template"
NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")


def templates() -> list[str]:
    """Return the names of the templates, sorted."""
    return sorted(each.name for each in TEMPLATES.iterdir() if each.is_dir())


def scaffold(folder: Path, template: str, title: str | None = None) -> list[str]:
    """Write a template's files into a folder that is not there, or is empty; name them.

    Raises:
        ScaffoldRefused: the name, the folder or the template will not do.
    """
    name = folder.name
    if not NAME.fullmatch(name):
        raise ScaffoldRefused(
            f"{name[:60]!r} is no name of a project: a letter, then letters, digits, -; all small"
        )
    if template not in templates():
        raise ScaffoldRefused(
            f"there is no template {template[:60]!r}; there are {', '.join(templates())}"
        )
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ScaffoldRefused(f"{folder} exists: take another name, or an empty folder")
    words = {"name": name, "title": title or name.replace("-", " ").capitalize()}
    found: list[str] = []
    for source in sorted((TEMPLATES / template).rglob(f"*{SUFFIX}")):
        inside = source.relative_to(TEMPLATES / template).as_posix().removesuffix(SUFFIX)
        text = source.read_text(encoding="utf-8")
        for word, value in words.items():
            text = text.replace("{{" + word + "}}", value)
        target = folder / inside
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        found.append(inside)
    return found
