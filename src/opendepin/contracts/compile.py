"""Compile contracts into artifacts: ABI, code, runtime code, storage layout.

`python -m opendepin.contracts.compile CACHE NAME…` is started as a child process, so that nobody
else pays for the compiler's import and memory; a NAME that ends in `.vy` is the path of another
source. Files are written whole and renamed: several may compile at once.
"""

# The compiler has no types: what comes out of it is given one where it enters.
# pyright: reportMissingTypeStubs=false, reportUnknownVariableType=false, reportUnknownMemberType=false

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, cast

from vyper.compiler import compile_from_file_input
from vyper.compiler.input_bundle import FilesystemInputBundle
from vyper.compiler.settings import OptimizationLevel, Settings
from vyper.exceptions import VyperException

from opendepin.contracts.sources import EVM_VERSION, OPTIMIZE, ROOT, artifact_of, source_of

OUTPUTS = ("abi", "bytecode", "bytecode_runtime", "layout")


def compile_source(path: Path) -> dict[str, Any]:
    """Compile one source file; return its artifact as a JSON value."""
    bundle = FilesystemInputBundle([ROOT.resolve()])
    settings = Settings(optimize=OptimizationLevel.from_string(OPTIMIZE), evm_version=EVM_VERSION)
    made: Any = compile_from_file_input(
        bundle.load_file(path.resolve()),
        input_bundle=bundle,
        settings=settings,
        output_formats=OUTPUTS,
    )
    return {
        "name": path.stem,
        "compiler": metadata.version("vyper"),
        "abi": made["abi"],
        "bytecode": made["bytecode"],
        "runtime": made["bytecode_runtime"],
        "layout": _slots(made["layout"].get("storage_layout", {})),
    }


def _slots(layout: Mapping[str, Any]) -> dict[str, Any]:
    """Keep type and slot of each variable, without this machine's paths."""
    found: dict[str, Any] = {}
    for name, entry in layout.items():
        row = cast(Mapping[str, Any], entry)
        if "slot" in row:
            found[name] = {
                "type": row["type"].replace(f"{ROOT.resolve()}/", ""),
                "slot": row["slot"],
            }
        else:
            found[name] = _slots(row)
    return found


def main(arguments: list[str]) -> int:
    """Compile the named contracts into the cache folder; return the exit code."""
    if len(arguments) < 2:
        sys.stderr.write("usage: python -m opendepin.contracts.compile CACHE NAME...\n")
        return 2
    folder = Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    for name in arguments[1:]:
        target = artifact_of(name, folder)
        try:
            made = compile_source(source_of(name))
        except VyperException as error:
            sys.stderr.write(f"{name}: {error}\n")
            return 1
        temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        temporary.write_text(json.dumps(made, separators=(",", ":")))
        temporary.replace(target)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
