"""An operator's settlement: from accepted batches and proofs to final, paid results.

In: what Layer 1 tells (`View`), `Proven` values. Out: `Settled` values once final. Promises:
whatever is sent goes by the outbox, once; what another operator did first is done; one segment or
task that cannot go on stops no other; a restart goes on from what Layer 1 says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from opendepin.chain.errors import Reverted
from opendepin.chain.outbox import Intent, State
from opendepin.core.batch import Segment
from opendepin.core.errors import DepinError, PeerFault
from opendepin.core.journey import Proven, Settled
from opendepin.core.task import TaskState
from opendepin.dims.settlement import rules
from opendepin.dims.settlement.config import SettlementConfig
from opendepin.dims.settlement.errors import NOBODY, OVERTAKEN
from opendepin.dims.settlement.ports import Contracts, Now, Segments, Sending
from opendepin.dims.settlement.rules import Ready, Reopening
from opendepin.dims.settlement.view import FinalTask, View
from opendepin.runtime.clock import Clock
from opendepin.runtime.service import Stop
from opendepin.runtime.telemetry import Counters

NONE = bytes(32)
SHORT_PROOF = 512
"""Bytes of a proof that is settled together with others, at most."""


class Settlement:
    """Brings tasks of one network to their end, for one operator."""

    def __init__(
        self,
        config: SettlementConfig,
        *,
        view: View,
        contracts: Contracts,
        segments: Segments,
        outbox: Sending,
        clock: Clock,
        counters: Counters,
        log: Any,
        on_settled: Callable[[Settled], None] = lambda _settled: None,
    ) -> None:
        self._config = config
        self._view, self._contracts, self._segments = view, contracts, segments
        self._outbox, self._clock = outbox, clock
        self._counters, self._log, self._on_settled = counters, log, on_settled
        self._proven: dict[bytes, Proven] = {}
        self._watched: dict[str, tuple[bytes, ...]] = {}
        """Intents that have not ended, and the tasks each is about."""
        self._alone: set[bytes] = set()
        """Tasks that did not settle with others: each is settled by a call that says why not."""
        self._nobody: set[bytes] = set()
        """Tasks in whose snapshot nobody was free."""
        self._declined: dict[bytes, int] = {}
        """Tasks to be given back, and the attempt."""
        self._later: dict[int, float] = {}
        """Batch → when to look at its unopened segments again."""
        self._looked: dict[bytes, int] = {}
        """Live task → in which look it was seen to last."""
        self._looks = 0
        self._since: dict[str, float] = {}
        """When a call that another operator should make was first due."""
        self._operators: Sequence[bytes] = ()

    def put(self, proven: Proven) -> None:
        """Take a proof; the same one again changes nothing."""
        self._proven[proven.task_id] = proven

    def decline(self, task_id: bytes, attempt: int) -> None:
        """Give a task back that cannot be proven here; the same one again changes nothing."""
        self._declined[task_id] = attempt

    async def run(self, stop: Stop) -> None:
        """Settle until the stop."""
        while not stop.is_set():
            try:
                await self.look()
            except PeerFault as error:
                self._counters.add(f"waits.{error.code}")
                self._log.warning("layer 1 not read", code=error.code, text=str(error))
            await stop.sleep(self._config.poll_s)

    async def look(self) -> None:
        """Do once what is due."""
        self._looks += 1
        now = await self._contracts.now()
        self._operators = await self._contracts.operators()
        for batch, missing in self._openable()[: self._config.batches_at_once]:
            await self._guarded(self._open(batch, missing), batch)
        ready = list[Ready]()
        for task in self._movable()[: self._config.tasks_at_once]:
            await self._guarded(self._advance(task, now, ready), task)
        self._settle(ready)
        await self._outcomes()
        for final in self._view.take_final():
            await self._guarded(self._finish(final), final.settled.task_id)
        self._forget_turns()

    def status(self) -> dict[str, Any]:
        """Return what the status page adds to counts and latencies."""
        return {
            "tasks_live": len(self._view.live()),
            "batches_unopened": len(self._view.unopened()),
            "proofs_waiting": len(self._proven),
            "calls_waiting": len(self._watched),
        }

    async def _guarded(self, step: Any, trace: object) -> None:
        """Do a step for one batch or task; its failure is said and stops no other."""
        try:
            await step
        except DepinError as error:
            self._counters.add(f"waits.{error.code}")
            self._log.warning("waits", trace=trace, code=error.code, text=str(error))

    def _openable(self) -> list[tuple[int, list[int]]]:
        """Return batches with segments to open, those that were not looked at for longest first."""
        unopened, now = self._view.unopened(), self._clock.monotonic()
        self._later = {n: self._later.get(n, 0.0) for n, _ in unopened}
        due = [row for row in unopened if self._later[row[0]] <= now]
        return sorted(due, key=lambda row: self._later[row[0]])

    def _movable(self) -> list[bytes]:
        """Return live tasks: those with a proof first, then those not looked at for longest."""
        live = [task for task, _ in self._view.live()]
        self._looked = {task: self._looked.get(task, 0) for task in live}
        return sorted(live, key=lambda task: (task not in self._proven, self._looked[task]))

    async def _open(self, batch: int, missing: Sequence[int]) -> None:
        if not self._my_turn(f"open/{batch}", batch):
            return
        self._later[batch] = self._clock.monotonic() + self._config.retry_s
        segments = await self._segments.segments(batch)
        hashes = [
            await self._contracts.segment_hash(batch, index) for index in range(len(segments))
        ]
        rules.check_segments(segments, hashes)
        for index in missing:
            if index < len(segments):
                await self._open_segment(batch, index, segments[index])

    async def _open_segment(self, batch: int, index: int, segment: Segment) -> None:
        if segment.field_root == 0:
            self._view.forget(batch, index)  # no program can ever be proven over it
            return
        program = await self._contracts.program_in_force(segment.project, batch)
        if program == NONE or await self._contracts.task_at(batch, index) != NONE:
            return
        terms = await self._contracts.terms(segment.project, program)
        work = terms.operator_fee + segment.count * terms.unit_rate
        if not await self._contracts.affordable(segment.project, work):
            self._counters.add("unfunded")
            self._log.warning("project without funds", trace=batch, project=segment.project)
            return
        self._send(self._contracts.open_intent(batch, index, segment, program))

    async def _advance(self, identifier: bytes, now: Now, ready: list[Ready]) -> None:
        self._looked[identifier] = self._looks
        task = await self._contracts.task(identifier)
        proven = self._proven.get(identifier)
        if task.state in (TaskState.SETTLED, TaskState.RECALLED):
            return
        if (
            proven is not None
            and task.state is TaskState.ASSIGNED
            and task.assignee == proven.producer
        ):
            ready.append(Ready(identifier, task, proven.outputs, proven.proof))
            return
        given_back = self._declined.pop(identifier, None) == task.attempt
        if given_back and task.state is TaskState.ASSIGNED and now.time < task.deadline:
            self._send(self._contracts.decline_intent(identifier, task.attempt), identifier)
            return
        config = self._config
        nobody = identifier in self._nobody
        step = rules.due_step(
            task, now.height, now.time, config.draw_delay, config.window_s, nobody
        )
        if step is None:
            return
        again = isinstance(step, Reopening)
        place = f"{'reopen' if again else 'assign'}/{identifier.hex()}/{step.attempt}"
        if self._my_turn(place, task.batch + step.attempt):
            made = self._contracts.reopen_intent if again else self._contracts.assign_intent
            self._nobody.discard(identifier)
            self._send(made(identifier, step.attempt), identifier)

    def _settle(self, ready: Sequence[Ready]) -> None:
        """Send what can be settled: several of one program by one call, others each alone."""
        on_the_way = {task for tasks in self._watched.values() for task in tasks}
        waiting = [each for each in ready if each.id not in on_the_way]
        together = [each for each in waiting if each.id not in self._alone and _is_short(each)]
        groups = rules.batches_of(together, self._config.settle_at_once)
        several = [group for group in groups if len(group) > 1]
        for group in several:
            self._send(self._contracts.settle_many_intent(group), *(each.id for each in group))
        sent = {each.id for group in several for each in group}
        for each in waiting:
            if each.id not in sent:
                intent = self._contracts.settle_intent(
                    each.id, each.task.attempt, each.outputs, each.proof
                )
                self._send(intent, each.id)

    def _my_turn(self, place: str, number: int) -> bool:
        """Say whether those whose turn is before ours have had their time."""
        now = self._clock.monotonic()
        since = self._since.setdefault(place, now)
        before = rules.turn(number, self._config.operator, self._operators)
        return now - since >= before * self._config.stagger_s

    def _forget_turns(self) -> None:
        about = {f"{n}" for n in self._later} | {task.hex() for task in self._looked}
        self._since = {p: at for p, at in self._since.items() if p.split("/")[1] in about}

    def _send(self, intent: Intent, *about: bytes) -> None:
        """Hand an intent over, unless it is on its way or done; one that failed is tried anew."""
        if intent.key in self._watched:
            return
        if self._outbox.state(intent.key) is not State.DONE:
            self._outbox.submit(intent)
            self._watched[intent.key] = about
            for task in about or (NONE,):
                self._log.info("sent", trace=task, call=intent.kind, key=intent.key)
        elif intent.kind == "settle_many":  # done, yet these are not settled
            self._alone.update(about)

    async def _outcomes(self) -> None:
        """See which intents have ended."""
        for key in list(self._watched):
            state, kind = self._outbox.state(key), key.partition("/")[0]
            if state not in (State.DONE, State.FAILED):
                continue
            about = self._watched.pop(key)
            try:
                outcome = await self._outbox.wait(key)
            except Reverted as error:
                self._refused(kind, about, error.reason)
                continue
            self._counters.add("gas", outcome.gas_used)
            self._counters.add(f"{kind}.done")
            if kind == "settle_many":
                self._alone.update(about)  # those that did settle are not looked at again
            if kind.startswith("settle") and outcome.transaction is not None:
                self._counters.add("settle_gas", outcome.gas_used)

    def _refused(self, kind: str, about: Sequence[bytes], reason: str) -> None:
        if kind == "assign" and reason == NOBODY:
            self._nobody.update(about)
            self._counters.add("assign.nobody")
            self._log.warning("nobody is free", trace=about[0])
            return
        benign = reason in OVERTAKEN
        self._counters.add(f"{kind}.{'overtaken' if benign else 'refused'}")
        if not benign:
            self._log.error("refused", trace=about[0] if about else NONE, call=kind, reason=reason)
        if kind == "settle_many":
            self._alone.update(about)
        if kind == "settle" and not benign:
            self._proven.pop(about[0], None)
            self._counters.add("failed")

    async def _finish(self, final: FinalTask) -> None:
        """Tell of a task that is final, and claim what is ours to claim."""
        identifier = final.settled.task_id
        proven = self._proven.pop(identifier, None)
        self._alone.discard(identifier)
        self._nobody.discard(identifier)
        self._counters.add("settled")
        if final.event.producer == self._config.operator:
            self._counters.add("settled_here")
            self._log.info("settled", trace=identifier, block=final.settled.block)
        self._on_settled(final.settled)
        if proven is not None and self._config.claims:
            await self._claim(final, proven)

    async def _claim(self, final: FinalTask, proven: Proven) -> None:
        opened = final.opened
        terms = await self._contracts.terms(opened.project, opened.program)
        outputs = proven.outputs
        for pay in rules.pay_of(proven.task_id, outputs, terms.pay_offset, terms.pay_count):
            owner = await self._contracts.owner_at(opened.project, pay.device_index)
            if owner in self._config.owners:
                intent = self._contracts.claim_intent(
                    proven.task_id, pay.device_index, pay.units, pay.path
                )
                self._send(intent, proven.task_id)


def _is_short(ready: Ready) -> bool:
    return len(ready.proof) <= SHORT_PROOF
