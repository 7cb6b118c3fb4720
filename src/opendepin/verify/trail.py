"""Run every step over a bundle and report each, whatever became of the ones before it.

In: a bundle, an `Anchor`, a Groth16 verifier. Out: a `Report`. Nothing in the bundle is believed: a
claimed value is only ever what a recomputed one is compared with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from opendepin.core.errors import Broken, DepinError, PeerFault
from opendepin.verify import draw, layer1, order, outcome
from opendepin.verify.anchor import Anchor
from opendepin.verify.context import Context, ProgramSource, text
from opendepin.verify.errors import NotReached, StepFailed, SubjectRejected
from opendepin.verify.form import Bundle
from opendepin.verify.outcome import ProofCheck
from opendepin.verify.steps import STEPS, Found, Outcome, Report, Step

Check = Callable[[Context], Found]

CHECKS: dict[str, Check] = {**order.CHECKS, **outcome.CHECKS, **layer1.CHECKS, **draw.CHECKS}

BAD_KEY = "engine-bad-key"
"""The engine's code for a verification key whose points are none: the bundle's fault."""


def require_subject(bundle: Bundle, identifier: bytes) -> None:
    """Demand that a bundle is about the message, task or device that was asked for.

    Whoever serves bundles could answer with another one that holds.

    Raises:
        SubjectRejected: it is about something else.
    """
    of_message = bytes(bundle.message.device) if bundle.message is not None else None
    if identifier not in (bytes(bundle.subject.id), of_message):
        subject = f"{bundle.subject.kind} {text(bytes(bundle.subject.id))}"
        raise SubjectRejected(f"asked for {text(identifier)}, this bundle is about {subject}")


async def check(
    bundle: Bundle,
    anchor: Anchor,
    proof_check: ProofCheck,
    programs: ProgramSource = lambda _: None,
) -> Report:
    """Recompute the whole trail of a bundle; where `programs` gives the task's circuit, outputs are
    computed anew too.

    Raises:
        PeerFault, Broken: the proof engine failed; this says nothing of the bundle.
    """
    context = Context(bundle, anchor, programs)
    steps: list[Step] = []
    for name, meaning in STEPS:
        if name == "proof":
            steps.append(await _proof(context, meaning, proof_check))
        else:
            steps.append(_run(name, meaning, lambda check=CHECKS[name]: check(context)))
    subject = bundle.subject
    return Report(subject.kind, text(bytes(subject.id)), _labels(bundle, anchor), tuple(steps))


def first_failure(steps: Sequence[Step]) -> Step | None:
    """Return the first step that fails, the one to look at."""
    return next((step for step in steps if step.outcome is Outcome.FAILS), None)


def _labels(bundle: Bundle, anchor: Anchor) -> tuple[str, ...]:
    """Return what is weak here: by the verifier's own genesis file first, then by the bundle."""
    found = [anchor.label] if anchor.label else []
    if bundle.task is not None and bundle.task.verification_key.development:
        found.append("development proving key: whoever made it can forge proofs")
    elif bundle.task is not None:
        found.append(
            "proving key: nothing in a bundle shows how it was made; its maker could forge"
        )
    return tuple(dict.fromkeys([*found, *bundle.labels]))


async def _proof(context: Context, meaning: str, proof_check: ProofCheck) -> Step:
    try:
        key, proof, public = outcome.proof_inputs(context)
    except DepinError as error:
        refused = error
        return _run("proof", meaning, lambda: _raise(refused))
    try:
        holds = await proof_check(key, proof, public)
    except PeerFault as error:
        if error.code != BAD_KEY:
            raise
        bad_key = StepFailed(f"the verification key is none: {error}")
        return _run("proof", meaning, lambda: _raise(bad_key))
    return _run("proof", meaning, lambda: outcome.proof_found(holds, public))


def _raise(error: DepinError) -> Found:
    raise error


def _run(name: str, meaning: str, step: Callable[[], Found]) -> Step:
    try:
        found = step()
    except NotReached as error:
        return Step(name, meaning, Outcome.ABSENT, why=str(error))
    except StepFailed as error:
        return Step(
            name, meaning, Outcome.FAILS, error.computed, error.expected, "bundle", str(error)
        )
    except Broken:
        raise
    except DepinError as error:
        return Step(name, meaning, Outcome.FAILS, why=f"{error} [{error.code}]", source="bundle")
    ended = Outcome.LATE if found.late else Outcome.HOLDS
    return Step(name, meaning, ended, found.computed, found.expected, found.source, found.late)
