"""Load a project's own file inside the sandbox."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import cast

from opendepin.core.errors import Rejected


def load(file: str) -> ModuleType:
    """Execute a file of the working directory as the module of its name.

    Raises:
        Rejected: code `project-file-missing`: there is none.
    """
    path = Path.cwd() / file
    if not path.is_file():
        raise Rejected(f"the project has no {file}", code="project-file-missing")
    folder = str(path.parent)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise Rejected(f"{file} is no Python file", code="project-file-missing")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def named(entry: str) -> object:
    """Return what `file.py:name` names.

    Raises:
        Rejected: no such file or name.
    """
    file, _, name = entry.partition(":")
    module = load(file)
    if not name or not hasattr(module, name):
        raise Rejected(f"{file} has no {name or 'name to call'}", code="project-file-missing")
    return getattr(module, name)


def call(argument: object) -> object:
    """Call a project's function: `{"entry": "file.py:name", "argument": …}`."""
    asked = cast("dict[str, object]", argument)
    function = named(str(asked["entry"]))
    if not callable(function):
        raise Rejected(f"{asked['entry']} is no function", code="project-file-missing")
    return function(asked.get("argument"))
