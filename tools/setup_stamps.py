"""Stamps, which say what is already done, and the progress lines of set-up."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / ".build"
STAMPS = BUILD / "stamps"


@dataclass(frozen=True)
class Step:
    """One piece of set-up.

    `also` are steps of a smaller profile that this one does as well: a development install
    holds everything that a plain one does.
    """

    name: str
    title: str
    run: Callable[[], None]
    inputs: Sequence[Path]
    outputs: Sequence[Path]
    salt: str = ""
    profile: str = "main"
    also: Sequence[Step] = ()


def digest(step: Step) -> str:
    """Hash the step's inputs: names, bytes and salt. A missing input hashes as absent."""
    total = hashlib.sha256(f"{step.salt}\0".encode())
    for path in sorted(_files(step.inputs)):
        total.update(f"{path.relative_to(ROOT)}\0".encode())
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


def is_fresh(step: Step) -> bool:
    """Tell whether the stamp matches the inputs and every output still exists."""
    return stamped(step.name).get(step.profile) == digest(step) and all(
        path.exists() for path in step.outputs
    )


def stamped(name: str) -> dict[str, str]:
    """Read the digests that the last run of the step `name` left, by profile."""
    try:
        return dict(json.loads((STAMPS / f"{name}.json").read_text()))
    except (OSError, ValueError):
        return {}


def write_stamp(step: Step) -> None:
    """Record that `step` is done, and each step in its `also`."""
    STAMPS.mkdir(parents=True, exist_ok=True)
    draft = STAMPS / f"{step.name}.tmp"
    draft.write_text(json.dumps({each.profile: digest(each) for each in (step, *step.also)}))
    draft.replace(STAMPS / f"{step.name}.json")


def clear_stamp(step: Step) -> None:
    """Forget that `step` was done, before its outputs are touched."""
    (STAMPS / f"{step.name}.json").unlink(missing_ok=True)


class Progress:
    """Progress lines with the time since start."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._start = time.monotonic()
        self._worked = False

    def say(self, text: str) -> None:
        """Print one line."""
        elapsed = time.monotonic() - self._start
        print(f"set-up {elapsed:6.1f} s  {text}", file=self._out, flush=True)

    @contextlib.contextmanager
    def during(self, title: str) -> Iterator[None]:
        """Print a line before and after the work inside."""
        self._worked = True
        begun = time.monotonic()
        self.say(f"{title} ...")
        yield
        self.say(f"{title}: done in {time.monotonic() - begun:.1f} s")

    def fail(self, reason: str) -> None:
        """Print why set-up stopped."""
        self.say(f"failed: {reason}")

    def finish(self) -> None:
        """Print the closing line, if anything had to be done."""
        if self._worked:
            self.say("complete")


def _files(inputs: Sequence[Path]) -> Iterator[Path]:
    for path in inputs:
        if path.is_dir():
            yield from (
                each
                for each in path.rglob("*")
                if each.is_file() and "__pycache__" not in each.parts
            )
        elif path.is_file():
            yield path
