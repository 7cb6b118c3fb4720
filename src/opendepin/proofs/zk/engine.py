"""The native engine as a client sees it: one child, one request at a time, new after a fault.

In: requests. Out: answers, or an `EngineFault` that concerns that request alone: a crash, garbage,
a refusal or a time-out ends the child, and the next request starts another.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from opendepin.core.errors import PeerFault
from opendepin.proofs.errors import EngineFault, ProverMissing
from opendepin.proofs.zk.pipe import Answer, Child, Spawn, ask
from opendepin.runtime.processes import spawn

BINARY = "opendepin-groth16"
ENVIRONMENT = "OPENDEPIN_GROTH16"


@dataclass(frozen=True)
class Timeouts:
    """How long one request may take, seconds."""

    setup: float = 900.0
    """Making keys for 2**18 constraints took 23 to 38 s on two shared cores."""
    prove: float = 180.0
    other: float = 60.0

    def of(self, op: str) -> float:
        """Return the limit of one op."""
        return {"setup": self.setup, "prove": self.prove}.get(op, self.other)


def locate(environment: Mapping[str, str] | None = None) -> Path:
    """Find the engine: by `OPENDEPIN_GROTH16`, in the checkout's `.build/bin`, or beside this
    module.

    Raises:
        ProverMissing: it is in none of these places.
    """
    named = (os.environ if environment is None else environment).get(ENVIRONMENT)
    here = Path(__file__).resolve()
    places = (
        [Path(named)]
        if named
        else [here.parents[4] / ".build" / "bin" / BINARY, here.parent / "bin" / BINARY]
    )
    for place in places:
        if place.is_file() and os.access(place, os.X_OK):
            return place
    tried = ", ".join(map(str, places))
    raise ProverMissing(
        f"no proof engine at {tried}: run `make setup`, which builds it, or set {ENVIRONMENT} to it"
    )


async def _spawned(arguments: Sequence[str]) -> Child:
    return await spawn("proof engine", arguments, pipes=True)


class Engine:
    """One engine process; safe to share between tasks of one loop."""

    def __init__(
        self, binary: Path, *, start: Spawn = _spawned, timeouts: Timeouts | None = None
    ) -> None:
        self._binary, self._start = binary, start
        self._timeouts = timeouts or Timeouts()
        self._child: Child | None = None
        self._turn = asyncio.Lock()

    async def call(self, op: str, *blobs: bytes, **header: object) -> Answer:
        """Ask the engine one thing.

        Raises:
            EngineFault: code `engine-garbage`, `engine-timeout`, `engine-crash`, or `engine-` and
            the engine's own
                code where it refuses: `refused`, `unsatisfied`, `not-loaded`, `no-keys`, `bad-key`,
                `panic`.
        """
        async with self._turn:
            answer = await self._exchange(op, header, blobs)
        if "error" in answer.header:
            refusal = f"engine-{answer.header.get('code', 'refused')}"
            raise EngineFault(
                f"the proof engine refuses to {op}: {answer.header['error']}", code=refusal
            )
        return answer

    async def close(self) -> None:
        """End the process; a later call starts another."""
        async with self._turn:
            await self._end()

    async def _exchange(
        self, op: str, header: Mapping[str, object], blobs: Sequence[bytes]
    ) -> Answer:
        limit = self._timeouts.of(op)
        try:
            if self._child is None:
                self._child = await self._start([str(self._binary)])
            return await asyncio.wait_for(ask(self._child, op, header, blobs), limit)
        except TimeoutError as error:
            await self._end()
            raise EngineFault(
                f"the proof engine took over {limit:g} s to {op}", code="engine-timeout"
            ) from error
        except EngineFault:
            await self._end()
            raise
        except PeerFault as error:
            await self._end()
            raise EngineFault(
                f"the proof engine ended while asked to {op}: {error}", code="engine-crash"
            ) from error
        except BaseException:  # a cancelled request leaves half a frame behind
            await self._end()
            raise

    async def _end(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            await asyncio.shield(child.wait())
