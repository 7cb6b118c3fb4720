"""Run every step over a bundle and report each, whatever became of the ones before it.

In: a bundle, an `Anchor`, a Groth16 verifier. Out: a `Report`. Nothing in the bundle is believed: a
claimed value is only ever what a recomputed one is compared with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from opendepin.core.errors import DepinError
from opendepin.verify import layer1, order, outcome
from opendepin.verify.anchor import Anchor
from opendepin.verify.context import Context, NotReached
from opendepin.verify.errors import StepFailed
from opendepin.verify.form import Bundle
from opendepin.verify.outcome import ProofCheck
from opendepin.verify.steps import STEPS, Found, Outcome, Report, Step

Check = Callable[[Context], Found]

CHECKS: dict[str, Check] = {**order.CHECKS, **outcome.CHECKS, **layer1.CHECKS}


async def check(bundle: Bundle, anchor: Anchor, proof_check: ProofCheck) -> Report:
    """Recompute the whole trail of a bundle."""
    context = Context(bundle, anchor)
    steps: list[Step] = []
    for name, meaning in STEPS:
        if name == "proof":
            steps.append(await _proof(context, meaning, proof_check))
        else:
            steps.append(_run(name, meaning, lambda check=CHECKS[name]: check(context)))
    subject = bundle.subject
    return Report(subject.kind, subject.id, tuple(bundle.labels), tuple(steps))


def first_failure(steps: Sequence[Step]) -> Step | None:
    """Return the first step that fails, the one to look at."""
    return next((step for step in steps if step.outcome is Outcome.FAILS), None)


async def _proof(context: Context, meaning: str, proof_check: ProofCheck) -> Step:
    try:
        key, proof, public = outcome.proof_inputs(context)
        holds = await proof_check(key, proof, public)
    except DepinError as error:
        refused = error
        return _run("proof", meaning, lambda: _raise(refused))
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
    except DepinError as error:
        return Step(name, meaning, Outcome.FAILS, why=f"{error} [{error.code}]", source="bundle")
    return Step(name, meaning, Outcome.HOLDS, found.computed, found.expected, found.source)
