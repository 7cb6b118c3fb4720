"""An operator's compute: proves the tasks it was drawn for.

In: assignments of Layer 1, batch bodies, key histories. Out: `Proven` values, each verified here
before it is handed over. Promises: a task that fails (engine, batch, time) is tried again with
growing pauses and stops no other; what is no longer ours is dropped; a restart goes on from what
Layer 1 says.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, TypeVar

from opendepin.core.errors import DepinError, PeerFault
from opendepin.core.journey import Proven, Reading
from opendepin.dims.compute import rules
from opendepin.dims.compute.config import ComputeConfig
from opendepin.dims.compute.errors import BatchRejected, ProofLate
from opendepin.dims.compute.ports import (
    Assignment,
    Assignments,
    Bodies,
    Headers,
    Identity,
    Prepared,
    Programs,
    Results,
)
from opendepin.runtime.clock import Clock
from opendepin.runtime.service import Stop
from opendepin.runtime.telemetry import Counters

T = TypeVar("T")
Place = tuple[bytes, int]
"""Task id and attempt: what one assignment is."""

HOPELESS = frozenset({"unknown-program", "program-text", "program-frame"})
"""Codes of failures that no other try mends: the task is given back, the bond stays whole."""


@dataclass
class _Failures:
    count: int = 0
    until: float = 0.0


class Compute:
    """Proves what one operator was drawn for."""

    def __init__(
        self,
        config: ComputeConfig,
        *,
        assignments: Assignments,
        headers: Headers,
        bodies: Bodies,
        identity: Identity,
        programs: Programs,
        results: Results,
        clock: Clock,
        counters: Counters,
        log: Any,
    ) -> None:
        self._config = config
        self._assignments, self._headers, self._bodies = assignments, headers, bodies
        self._identity, self._programs, self._results = identity, programs, results
        self._clock, self._counters, self._log = clock, counters, log
        self._proving = asyncio.Semaphore(config.proofs)
        self._jobs: dict[Place, asyncio.Task[None]] = {}
        self._failures: dict[Place, _Failures] = {}
        self._proven: dict[Place, tuple[Proven, float]] = {}
        self._seen: set[Place] = set()
        self._lost: set[Place] = set()
        """Assignments whose deadline passed before they were begun."""

    async def run(self, stop: Stop) -> None:
        """Prove until the stop."""
        try:
            while not stop.is_set():
                try:
                    await self.look()
                except PeerFault as error:
                    self._log.warning("assignments not read", code=error.code, text=str(error))
                await stop.sleep(self._config.poll_s)
        finally:
            await self.drop(set())

    async def look(self) -> None:
        """Compare what is ours with what is being done, and begin what is due."""
        ours = {(each.id, each.task.attempt): each for each in await self._assignments.current()}
        await self.drop(set(ours))
        for place, assignment in ours.items():
            if place not in self._seen:
                self._seen.add(place)
                self._counters.add("assigned")
                self._log.info("assigned", trace=place[0], attempt=place[1])
            if place in self._proven:
                self._hand_over_again(place)
            elif place not in self._jobs and self._due(place, assignment):
                self._jobs[place] = asyncio.create_task(self._work(place, assignment))

    async def drop(self, ours: set[Place]) -> None:
        """Stop and forget everything about assignments that are not ours (any more)."""
        gone = [job for place, job in self._jobs.items() if place not in ours]
        for job in gone:
            job.cancel()
        await asyncio.gather(*gone, return_exceptions=True)
        self._failures = {p: f for p, f in self._failures.items() if p in ours}
        self._proven = {p: found for p, found in self._proven.items() if p in ours}
        self._seen &= ours
        self._lost &= ours

    def status(self) -> dict[str, Any]:
        """Return what the status page adds to counts and latencies."""
        return {
            "operator": "0x" + self._config.operator.hex(),
            "working": len(self._jobs),
            "waiting_for_settlement": len(self._proven),
        }

    async def prove(self, assignment: Assignment) -> Proven:
        """Read, compute, prove and verify one task.

        Raises:
            DepinError: whatever kept this task from being proven.
        """
        task, config = assignment.task, self._config
        prepared = await self._programs.program(task.project, task.program)
        readings = await self._limited(
            self._readings(assignment, prepared), config.read_timeout_s, "reading"
        )
        outputs = await prepared.kind.outputs(readings)
        statement = task.statement(assignment.id, config.network_id, config.settlement, outputs)
        number = statement.number()
        async with self._proving:
            started = self._clock.monotonic()
            envelope = await self._limited(
                prepared.kind.prove(number, readings), config.prove_timeout_s, "the proof"
            )
            seconds = self._clock.monotonic() - started
        self._counters.observe("proof", seconds * 1000)
        said = {"trace": assignment.id, "readings": len(readings), "seconds": round(seconds, 3)}
        self._log.info("proof", kind=envelope.kind, **said)
        await prepared.kind.verify(number, task.field_root, envelope)
        return Proven(
            assignment.id,
            task.batch,
            task.segment_index,
            config.operator,
            envelope.outputs,
            envelope.kind,
            envelope.proof,
        )

    async def _readings(self, assignment: Assignment, prepared: Prepared) -> tuple[Reading, ...]:
        task, config = assignment.task, self._config
        header = await self._headers.header(task.batch)
        if header.hash() != await self._assignments.header_hash(task.batch):
            raise BatchRejected(f"this header of batch {task.batch} is not the inbox's")
        body = await self._bodies.read(header)
        segment = rules.segment_body(body, task, config.network_id)
        await self._identity.reach(rules.identity_block(segment))
        return await asyncio.to_thread(
            rules.readings_of_segment,
            segment,
            task,
            config.gateways,
            prepared.rules,
            self._identity.history,
        )

    async def _limited(self, step: Awaitable[T], seconds: float, name: str) -> T:
        try:
            return await asyncio.wait_for(step, seconds)
        except TimeoutError as error:
            raise ProofLate(f"{name} took longer than {seconds} s") from error

    async def _work(self, place: Place, assignment: Assignment) -> None:
        started = self._clock.monotonic()
        try:
            proven = await self.prove(assignment)
        except DepinError as error:
            self._failed(place, error.code, str(error))
            if error.code in HOPELESS:
                self._counters.add("declined")
                self._results.decline(*place)
        except Exception as error:  # noqa: BLE001 - a plug-in's defect is one task's failure
            self._failed(place, "unexpected", repr(error))
        else:
            self._failures.pop(place, None)
            self._proven[place] = proven, self._clock.monotonic()
            self._counters.add("proven")
            self._counters.observe("task", (self._clock.monotonic() - started) * 1000)
            self._log.info("proven", trace=place[0], kind=proven.kind, bytes=len(proven.proof))
            self._results.put(proven)
        finally:
            self._jobs.pop(place, None)

    def _failed(self, place: Place, code: str, text: str) -> None:
        failures = self._failures.setdefault(place, _Failures())
        failures.count += 1
        pause = rules.wait_s(failures.count, self._config.retry_s, self._config.max_retry_s)
        failures.until = self._clock.monotonic() + pause
        self._counters.add("failed")
        self._counters.add(f"failed.{code}")
        self._log.warning(
            "not proven", trace=place[0], code=code, text=text, failures=failures.count
        )

    def _due(self, place: Place, assignment: Assignment) -> bool:
        if len(self._jobs) >= self._config.proofs + self._config.ahead:
            return False
        failures = self._failures.get(place)
        if failures is not None and self._clock.monotonic() < failures.until:
            return False
        return not self._expired(place, assignment)

    def _expired(self, place: Place, assignment: Assignment) -> bool:
        """Say whether the task will be another's before a proof is there; count it once."""
        task = assignment.task
        if self._clock.now_s() + self._config.finish_s <= task.deadline:
            return False
        if place not in self._lost:
            self._lost.add(place)
            self._counters.add("expired")
            self._log.warning("expired", trace=place[0], attempt=place[1])
        return True

    def _hand_over_again(self, place: Place) -> None:
        proven, at = self._proven[place]
        now = self._clock.monotonic()
        if now - at >= self._config.again_s:
            self._proven[place] = proven, now
            self._results.put(proven)
