"""Steps from the segment to the result: program, outputs, statement, proof, pay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from opendepin.core import merkle, statement
from opendepin.core.layout import Layout
from opendepin.proofs.zk.keys import VerificationKey
from opendepin.proofs.zk.solver import outputs_of
from opendepin.verify.context import Context, agree
from opendepin.verify.errors import NotReached, StepFailed
from opendepin.verify.steps import Found

KIND = "zk"
"""The one proof kind that is checked here."""


class ProofCheck(Protocol):
    """Says whether a Groth16 proof verifies; the native engine does it."""

    async def __call__(self, vk: VerificationKey, proof: bytes, public: Sequence[int]) -> bool:
        """Return whether the pairing equation holds for these public inputs."""
        ...


def program(c: Context) -> Found:
    """Recompute program id and task id from manifest, circuit, key, batch and segment."""
    task = c.task
    agree(task.kind, KIND, "a proof kind that is not known here")
    agree(c.manifest.hash(), bytes(task.manifest_hash), "the manifest has another hash")
    vk_hash = c.verification_key.hash
    agree(vk_hash, bytes(task.vk_hash), "the verification key has another hash")
    source = _circuit(c)
    agree(c.program_id, bytes(task.program_id), "these parts make another program")
    agree(c.batch.header.number, task.batch, "the task is over another batch")
    agree(c.batch.segment_index, task.segment_index, "the task is over another segment")
    agree(c.body.project, task.project, "the task is of another project")
    pair = agree(c.task_id, bytes(task.task_id), "this is the id of another task")
    if c.bundle.subject.kind == "task":
        agree(c.task_id, bytes(c.bundle.subject.id), "the bundle is about another task")
    return Found(*pair, f"task.task_id; {source}")


def _circuit(c: Context) -> str:
    """Open the circuit's text, which holds its frame against the standard one, and compare what it
    takes; say so when it is not here.
    """
    if c.program is None:
        return "the circuit's hash is claimed: its text is not here, its frame is not checked"
    tree, manifest = c.program.tree, c.manifest
    agree(tree.capacity, manifest.capacity, "the program takes another number of readings")
    layout = Layout.of(manifest.schema)
    agree(str(tree.layout.bounds), str(layout.bounds), "the program takes other readings")
    return "circuit opened by its hash, its frame is the standard one"


def outputs(c: Context) -> Found:
    """Run the program over the readings again; compare outputs and their hash."""
    task = c.task
    given = tuple(int(value) for value in task.outputs)
    digest = statement.outputs_hash(given)
    pair = agree(digest, bytes(task.outputs_hash), "the outputs hash to another value")
    agree(digest, bytes(task.result.outputs_hash), "the contract holds another outputs hash")
    if c.program is None:
        raise NotReached(
            "the program's text is not here: the outputs' hash holds, the proof alone says that "
            "they follow from the readings"
        )
    found = outputs_of(c.program, c.checked.readings)
    if found != given:
        at = next((i for i, (a, b) in enumerate(zip(found, given, strict=False)) if a != b), None)
        where = "another number of outputs" if at is None else f"output {at} differs"
        raise StepFailed(
            f"the program over these readings gives other outputs: {where}",
            computed=str(len(found) if at is None else found[at]),
            expected=str(len(given) if at is None else given[at]),
        )
    return Found(*pair, "task.outputs_hash; held against L1 by l1-storage")


def bound(c: Context) -> statement.Statement:
    """Return the statement from recomputed and anchored parts."""
    return statement.Statement(
        network_id=c.anchor.network_id,
        settlement=c.anchor.contracts["Settlement"],
        task_id=c.task_id,
        program_id=c.program_id,
        segment_root=c.segment_root,
        field_root=int(c.segment.field_root),
        count=c.body.count,
        outputs_hash=statement.outputs_hash(c.task.outputs),
        producer=bytes(c.task.producer),
    )


def statement_step(c: Context) -> Found:
    """Recompute the statement and the evaluation of the outputs at it."""
    task = c.task
    number = bound(c).number()
    pair = agree(number, int(task.statement), "these parts make another statement")
    evaluation = statement.evaluation(task.outputs, number)
    agree(evaluation, int(task.evaluation), "the outputs evaluate to another value")
    return Found(*pair, "task.statement")


def proof_inputs(c: Context) -> tuple[VerificationKey, bytes, tuple[int, int, int]]:
    """Return key, proof and recomputed public inputs."""
    task = c.task
    agree(task.kind, KIND, "a proof kind that is not known here")
    number = bound(c).number()
    evaluation = statement.evaluation(task.outputs, number)
    public = (number, evaluation, int(c.segment.field_root))
    return c.verification_key, bytes(task.proof), public


def proof_found(holds: bool, public: Sequence[int]) -> Found:
    """Report the pairing check."""
    if not holds:
        raise StepFailed(
            "the proof does not verify for the recomputed public inputs",
            computed="pairing ≠ 1",
            expected="pairing = 1",
        )
    inputs = ", ".join(str(value) for value in public)
    return Found("pairing = 1", "pairing = 1", f"public inputs {inputs}")


def pay_root(c: Context) -> Found:
    """Recompute the tree that devices are paid by."""
    task, manifest = c.task, c.manifest
    first = manifest.pay_offset
    units = [int(value) for value in task.outputs[first : first + manifest.pay_count]]
    agree(len(units), manifest.pay_count, "there are fewer outputs than devices to pay")
    leaves = [merkle.pay_leaf(c.task_id, i, each) for i, each in enumerate(units)]
    found = merkle.root(leaves, merkle.pay_node)
    pair = agree(found, bytes(task.result.pay_root), "the outputs give another pay root")
    agree(bytes(task.producer), bytes(task.result.producer), "another operator was paid")
    return Found(*pair, "result.pay_root; held against L1 by l1-storage")


CHECKS: dict[str, Callable[[Context], Found]] = {
    "program": program,
    "outputs": outputs,
    "statement": statement_step,
    "pay-root": pay_root,
}
