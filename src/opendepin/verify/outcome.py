"""Steps from the segment to the result: program, outputs, statement, proof, pay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from opendepin.core import merkle, statement
from opendepin.proofs.zk.integers import outputs as outputs_of
from opendepin.proofs.zk.keys import VerificationKey
from opendepin.verify.context import Context, agree
from opendepin.verify.errors import StepFailed
from opendepin.verify.steps import Found


class ProofCheck(Protocol):
    """Says whether a Groth16 proof verifies; the native engine does it."""

    async def __call__(self, vk: VerificationKey, proof: bytes, public: Sequence[int]) -> bool:
        """Return whether the pairing equation holds for these public inputs."""
        ...


def program(c: Context) -> Found:
    """Recompute program id and task id from manifest, circuit, key, batch and segment."""
    task, anchor = c.task, c.anchor
    manifest_hash = c.manifest.hash()
    agree(manifest_hash, bytes(task.manifest_hash), "the manifest has another hash")
    vk_hash = VerificationKey(task.verification_key.raw()).hash
    agree(vk_hash, bytes(task.vk_hash), "the verification key has another hash")
    program_id = statement.program_id(manifest_hash, bytes(task.circuit_hash), vk_hash)
    agree(program_id, bytes(task.program_id), "these parts make another program")
    agree(task.batch, c.batch.header.number, "the task is over another batch")
    agree(task.segment_index, c.batch.segment_index, "the task is over another segment")
    agree(task.project, c.segment.project, "the task is of another project")
    place = (task.batch, task.segment_index, task.project)
    found = statement.task_id(anchor.network_id, _contract(c, "BatchInbox"), *place, program_id)
    pair = agree(found, bytes(task.task_id), "this is the id of another task")
    if c.bundle.subject.kind == "task":
        agree(found, c.bundle.subject.id, "the bundle is about another task")
    return Found(*pair, "task.task_id")


def outputs(c: Context) -> Found:
    """Run the rule over the readings again; compare outputs and their hash."""
    task = c.task
    given = tuple(int(value) for value in task.outputs)
    found = outputs_of(c.rule, c.checked.readings)
    if found != given:
        at = next((i for i, (a, b) in enumerate(zip(found, given, strict=False)) if a != b), None)
        where = "another number of outputs" if at is None else f"output {at} differs"
        raise StepFailed(
            f"the rule over these readings gives other outputs: {where}",
            computed=str(len(found) if at is None else found[at]),
            expected=str(len(given) if at is None else given[at]),
        )
    digest = statement.outputs_hash(given)
    pair = agree(digest, bytes(task.outputs_hash), "the outputs hash to another value")
    if task.result is not None:
        agree(digest, bytes(task.result.outputs_hash), "the contract holds another outputs hash")
    return Found(*pair, "task.outputs_hash; held against L1 by l1-storage")


def bound(c: Context) -> statement.Statement:
    """Return the statement from recomputed and anchored parts."""
    task = c.task
    return statement.Statement(
        network_id=c.anchor.network_id,
        settlement=_contract(c, "Settlement"),
        task_id=bytes(task.task_id),
        program_id=bytes(task.program_id),
        segment_root=c.checked.root,
        field_root=int(c.segment.field_root),
        count=c.body.count,
        outputs_hash=statement.outputs_hash(task.outputs),
        producer=bytes(task.producer),
    )


def statement_step(c: Context) -> Found:
    """Recompute the statement and the evaluation of the outputs at it."""
    number = bound(c).number()
    pair = agree(number, int(c.task.statement), "these parts make another statement")
    evaluation = statement.evaluation(c.task.outputs, number)
    agree(evaluation, int(c.task.evaluation), "the outputs evaluate to another value")
    return Found(*pair, "task.statement")


def proof_inputs(c: Context) -> tuple[VerificationKey, bytes, tuple[int, int, int]]:
    """Return key, proof and recomputed public inputs."""
    number = bound(c).number()
    evaluation = statement.evaluation(c.task.outputs, number)
    key = VerificationKey(c.task.verification_key.raw())
    return key, bytes(c.task.proof), (number, evaluation, int(c.segment.field_root))


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
    if task.result is None:
        raise StepFailed("the task is settled, but its result is not in the bundle")
    first = manifest.pay_offset
    units = [int(value) for value in task.outputs[first : first + manifest.pay_count]]
    leaves = [merkle.pay_leaf(bytes(task.task_id), i, each) for i, each in enumerate(units)]
    found = merkle.root(leaves, merkle.pay_node)
    pair = agree(found, bytes(task.result.pay_root), "the outputs give another pay root")
    agree(bytes(task.producer), bytes(task.result.producer), "another operator was paid")
    return Found(*pair, "result.pay_root; held against L1 by l1-storage")


def _contract(c: Context, name: str) -> bytes:
    found = c.anchor.contracts.get(name)
    if found is None:
        raise StepFailed(f"the genesis file names no contract {name}")
    return found


CHECKS: dict[str, Callable[[Context], Found]] = {
    "program": program,
    "outputs": outputs,
    "statement": statement_step,
    "pay-root": pay_root,
}
