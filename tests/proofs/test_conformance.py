"""Every kind of ours passes the kit, and the kit tells a kind that does not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio

from opendepin.core.journey import Reading
from opendepin.core.statement import evaluation
from opendepin.demo.clean_air import CLEAN_AIR
from opendepin.proofs.conformance import conform, forgeries
from opendepin.proofs.errors import (
    EnvelopeRejected,
    KindUnknown,
    OutputsRejected,
    ProgramRejected,
    ProofInvalid,
)
from opendepin.proofs.ports import Envelope, ProofKind
from opendepin.proofs.registry import OURS, factory, kinds
from opendepin.proofs.workplace import Workplace
from opendepin.proofs.zk.assembly import assemble
from opendepin.proofs.zk.kind import ZkKind

pytestmark = pytest.mark.asyncio(loop_scope="session")

TEXT = assemble(CLEAN_AIR.resized(4)).program.text
READINGS = [Reading(0, 1, 2, (61_000,)), Reading(1, 1, 2, (7_000,)), Reading(40, 5, 2, (50_000,))]
ROOT = CLEAN_AIR.resized(4).tree.root(READINGS)
STATEMENT = (1 << 246) + 17


@pytest_asyncio.fixture(scope="module", loop_scope="session", params=sorted(OURS))
async def kind(request: pytest.FixtureRequest, keys_dir: Path) -> AsyncIterator[ProofKind]:
    opened = await factory(request.param)(TEXT, Workplace(keys_dir, network_is_local=True))
    yield opened
    await opened.close()


async def test_it_conforms(kind: ProofKind) -> None:
    assert await conform(kind, READINGS, ROOT, STATEMENT) == []


async def test_each_refusal_has_its_reason(kind: ProofKind) -> None:
    envelope = await kind.prove(STATEMENT, READINGS)
    await kind.verify(STATEMENT, ROOT, envelope)
    for each in forgeries(STATEMENT, ROOT, envelope):
        expected = ProofInvalid
        if "kind" in each.name or "program" in each.name:
            expected = EnvelopeRejected
        elif "output" in each.name and "reverse" not in each.name and "one more" not in each.name:
            expected = OutputsRejected
        with pytest.raises((expected, OutputsRejected)):
            await kind.verify(each.statement, each.field_root, each.envelope)


class Gullible:
    """A kind that forgets some checks."""

    kind = "gullible"
    program = bytes(32)

    def __init__(self, forgets: str) -> None:
        self.forgets = forgets

    async def outputs(self, readings: Sequence[Reading]) -> tuple[int, ...]:
        return len(readings), sum(reading.values[0] for reading in readings)

    async def prove(self, statement: int, readings: Sequence[Reading]) -> Envelope:
        outputs = await self.outputs(readings)
        return Envelope("gullible", self.program, outputs, self._proof(statement, ROOT, outputs))

    def _proof(self, statement: int, root: int, outputs: Sequence[int]) -> bytes:
        told = {"statement": statement, "field root": root}
        told["output"] = evaluation(outputs, 12345)
        told.pop(self.forgets, None)
        return repr(sorted(told.items())).encode()

    async def verify(self, statement: int, field_root: int, envelope: Envelope) -> None:
        forgets_label = self.forgets == "label"
        if not forgets_label and (envelope.kind, envelope.program) != (self.kind, self.program):
            raise EnvelopeRejected("another")
        if self.forgets != "range" and (
            len(envelope.outputs) != 2 or not all(0 <= out < 1 << 64 for out in envelope.outputs)
        ):
            raise OutputsRejected("range")
        expected = self._proof(statement, field_root, envelope.outputs)
        if self.forgets != "proof" and envelope.proof != expected:
            raise ProofInvalid("no")

    async def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("forgets", "found"),
    [
        ("statement", "another statement"),
        ("field root", "another field root"),
        ("output", "outputs in reverse"),
        ("range", "an extra zero output"),
        ("range", "shifted by r"),
        ("label", "another kind"),
        ("proof", "a proof of zeros"),
        ("proof", "a reading left out"),
    ],
)
async def test_the_kit_finds_what_a_kind_forgets(forgets: str, found: str) -> None:
    failures = await conform(Gullible(forgets), READINGS, ROOT, STATEMENT)
    assert any(found in failure for failure in failures)


# ------------------------------------------------------------------ the registry


async def test_ours_are_known_and_others_are_not() -> None:
    assert "zk" in kinds()
    with pytest.raises(KindUnknown, match="tarot"):
        factory("tarot")


@pytest.mark.parametrize("text", [b"", b"{}", b"import os", TEXT[:-1], TEXT + b"x"])
async def test_a_text_that_is_no_program_is_refused(text: bytes, keys_dir: Path) -> None:
    with pytest.raises(ProgramRejected):
        await factory("zk")(text, Workplace(keys_dir, network_is_local=True))


async def test_zk_says_what_it_is(kind: ProofKind) -> None:
    if isinstance(kind, ZkKind):
        assert kind.kind == "zk"
        assert kind.program == kind.opened.hash == kind.keys.circuit
