"""Assets in memory: every file with its encodings, under one version so that a browser may keep
them for ever.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, cast

import pmtiles.reader

from opendepin.core.errors import Broken

TYPES = {
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
}
TILES_KEPT = 4_096
TILE_ZOOM_MAX = 14


@dataclass(frozen=True)
class Asset:
    """One file."""

    media_type: str
    plain: bytes
    encoded: dict[str, bytes]
    """Compressed forms by content coding."""

    def choose(self, accepted: str) -> tuple[bytes, str | None]:
        """Return the smallest form that the browser takes and its content coding."""
        for coding in ("br", "gzip"):
            if coding in accepted and coding in self.encoded:
                return self.encoded[coding], coding
        return self.plain, None


class Assets:
    """The built assets and our own scripts and styles.

    Raises:
        Broken: code `assets`, the folder was not built.
    """

    def __init__(self, built: Path) -> None:
        try:
            manifest = json.loads((built / "manifest.json").read_text())
        except (OSError, ValueError) as error:
            text = f"{built} holds no assets: run `python -m opendepin.explorer.assets build`"
            raise Broken(text, code="assets") from error
        self._files: dict[str, Asset] = {}
        for name in manifest["files"]:
            path = built / name
            if path.suffix in TYPES:
                self._files[name] = _built(path)
        total = sha256(str(manifest["version"]).encode())
        for name, content in _own(files("opendepin.explorer") / "static"):
            self._files[name] = _packed(name, content)
            total.update(name.encode() + content)
        self.version = total.hexdigest()[:12]
        # The reader keeps the file mapped as long as it lives.
        self._map = (built / "basemap.pmtiles").open("rb")
        library: Any = pmtiles.reader  # it has no types
        read = cast(
            Callable[[int, int, int], bytes | None],
            library.Reader(library.MmapSource(self._map)).get,
        )
        self._tile = lru_cache(maxsize=TILES_KEPT)(read)

    def close(self) -> None:
        """Let the basemap go."""
        self._map.close()

    def get(self, name: str) -> Asset | None:
        """Return a file by name."""
        return self._files.get(name)

    def tile(self, z: int, x: int, y: int) -> bytes | None:
        """Return a basemap tile, gzip-compressed MVT; None where the map is empty."""
        if not 0 <= z <= TILE_ZOOM_MAX or not (0 <= x < 1 << z and 0 <= y < 1 << z):
            return None
        return self._tile(z, x, y)


def _built(path: Path) -> Asset:
    encoded = {
        coding: path.with_name(path.name + suffix).read_bytes()
        for coding, suffix in (("br", ".br"), ("gzip", ".gz"))
        if path.with_name(path.name + suffix).exists()
    }
    return Asset(TYPES[path.suffix], path.read_bytes(), encoded)


def _packed(name: str, content: bytes) -> Asset:
    suffix = name[name.rindex(".") :]
    return Asset(TYPES[suffix], content, {"gzip": gzip.compress(content, 9, mtime=0)})


def _own(folder: Traversable, prefix: str = "") -> list[tuple[str, bytes]]:
    found: list[tuple[str, bytes]] = []
    for each in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if each.is_dir():
            found += _own(each, f"{prefix}{each.name}/")
        elif each.name.endswith(tuple(TYPES)):
            found.append((prefix + each.name, each.read_bytes()))
    return found
