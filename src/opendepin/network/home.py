"""The home directory of one network: where each file stands, who holds the lock, which keys there
are.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from opendepin.core.encodings import from_hex, to_hex
from opendepin.core.errors import EncodingRejected
from opendepin.core.keys import Key
from opendepin.network.errors import HomeRefused, NotRunning
from opendepin.runtime.chance import Chance
from opendepin.runtime.disk import PRIVATE, write_atomic

FORM = "opendepin/home/1"


def default_home() -> Path:
    """Return where a network lives when neither `--home` nor `$DEPIN_HOME` says otherwise."""
    return platformdirs.user_data_path("opendepin") / "default"


@dataclass(frozen=True)
class Home:
    """Paths of one network's files (`docs/spec/services.md`)."""

    root: Path

    @property
    def settings(self) -> Path:
        """All parameters."""
        return self.root / "network.toml"

    @property
    def genesis_file(self) -> Path:
        """The trust anchor."""
        return self.root / "genesis.json"

    @property
    def addresses_file(self) -> Path:
        """Service → URL of the network that runs now."""
        return self.run / "addresses.json"

    @property
    def state_file(self) -> Path:
        """What the supervisor last knew of each service."""
        return self.run / "state.json"

    @property
    def notice(self) -> Path:
        """One sentence on replayed or simulated input, written by whoever replays it."""
        return self.root / "notice.txt"

    @property
    def run(self) -> Path:
        """What only holds while the network runs."""
        return self.root / "run"

    @property
    def peers_file(self) -> Path:
        """Store → its account's address, in the home of an operator that joined from outside."""
        return self.root / "peers.json"

    def log(self, service: str) -> Path:
        """Return a service's structured log."""
        return self.root / "logs" / f"{service}.jsonl"

    def room(self, service: str) -> Path:
        """Return the directory of one service's data, made when absent."""
        path = self.root / service
        path.mkdir(parents=True, exist_ok=True)
        return path

    def project_file(self, project: int) -> Path:
        """Return the file of a project's manifest and program."""
        return self.root / "projects" / f"{project}.json"

    def version_file(self, project: int, program_id: bytes) -> Path:
        """Return the file of one version of a project, which stays when the next one comes."""
        return self.root / "projects" / str(project) / f"{program_id.hex()}.json"

    def program_file(self, circuit_hash: bytes) -> Path:
        """Return the file of a program's text, by its hash."""
        return self.root / "programs" / f"{circuit_hash.hex()}.json"

    def program_files(self) -> list[Path]:
        """Return the files of all versions of all projects and of all programs' texts."""
        versions = (self.root / "projects").glob("*/*.json")
        return sorted([*versions, *(self.root / "programs").glob("*.json")])

    def projects(self) -> list[int]:
        """Return the ids of the projects known here, ascending."""
        folder = self.root / "projects"
        names = [path.stem for path in folder.glob("*.json")] if folder.is_dir() else []
        return sorted(int(name) for name in names if name.isdigit())

    def genesis(self) -> dict[str, Any]:
        """Return the content of `genesis.json`.

        Raises:
            NotRunning: the network was never started.
            HomeRefused: the file is not JSON.
        """
        return read_json(self.genesis_file, "no network was ever started here")

    def addresses(self) -> dict[str, str]:
        """Return service → URL.

        Raises:
            NotRunning: no network runs here.
        """
        return read_json(self.addresses_file, "no network runs here")

    def key(self, name: str, chance: Chance | None = None) -> Key:
        """Return a development key; with `chance` it is drawn when absent.

        Raises:
            HomeRefused: there is no such key and none may be drawn, or the file is malformed.
        """
        path = self.root / "keys" / f"{name}.json"
        if not path.exists() and chance is not None:
            key = Key.from_seed(chance.token(32))
            value = {"form": "opendepin/key/1", "development": True} | _parts(key)
            write_json(path, value, PRIVATE)
        try:
            return Key(from_hex(json.loads(path.read_text())["secret"], 32))
        except FileNotFoundError as error:
            raise HomeRefused(
                f"there is no key {name} in {path.parent}", code="home-key"
            ) from error
        except (ValueError, KeyError, TypeError, EncodingRejected) as error:
            raise HomeRefused(f"{path} is not a key file: {error}", code="home-key") from error

    def address_of(self, name: str) -> bytes:
        """Return the address of a service's account: its key's, or as the network told it."""
        if self.peers_file.exists():
            told: dict[str, str] = read_json(self.peers_file, "no peers are known here")
            if name in told:
                return from_hex(told[name], 20)
        return self.key(name).address

    def key_names(self, prefix: str) -> list[str]:
        """Return the names of the keys that start with `prefix`, sorted."""
        return sorted(path.stem for path in (self.root / "keys").glob(f"{prefix}*.json"))


def _parts(key: Key) -> dict[str, str]:
    return {"address": to_hex(key.address), "secret": to_hex(key.secret)}


def write_json(path: Path, value: object, mode: int = 0o644) -> None:
    """Write a JSON file whole or not at all, in this mode from its first byte on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode(), mode)


def read_json(path: Path, absent: str) -> Any:
    """Read a JSON file of ours.

    Raises:
        NotRunning: it is absent; the text says what that means.
        HomeRefused: it is not JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise NotRunning(f"{absent} ({path}): start it with `depin up`") from error
    except (ValueError, OSError) as error:
        raise HomeRefused(f"{path} cannot be read: {error}") from error
