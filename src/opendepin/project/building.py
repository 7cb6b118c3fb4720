"""Build a project: read its file and sample, trace its rule in the sandbox, check what came back.

In: the folder. Out: a `Built`: circuit text, outputs over the sample, what a task will cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import msgspec

from opendepin.core.encodings import sha256
from opendepin.core.limits import MAX_OUTPUTS
from opendepin.core.manifest import Manifest
from opendepin.project.config import MAX_SAMPLE_BYTES, Config, load, read_inside
from opendepin.project.errors import ConfigRejected, TraceRejected
from opendepin.project.sample import Sample, read_sample
from opendepin.project.tracing import Asked, Traced
from opendepin.runtime.sandbox.limits import Limits
from opendepin.runtime.sandbox.run import Call, run

TRACING = "opendepin.project.tracing"
LIMITS = Limits(cpu_s=60, wall_s=180.0, memory_bytes=3 << 30)
MAX_TRIED = 4_096
"""Most readings of the sample that the rule is tried on."""

SECONDS_PER_CONSTRAINT = 7.0e-6
"""Of a proof on two cores, keys in memory."""
SETTLING_GAS, GAS_PER_OUTPUT, GAS_PER_DEVICE, VERIFYING_GAS = 170_000, 250, 530, 265_000
"""Settling without outputs and pay; an output hashed, checked and handed on; a pay leaf; proof."""


@dataclass(frozen=True)
class Built:
    """A project whose rule was traced."""

    folder: Path
    config: Config
    sample: Sample
    traced: Traced
    pay_offset: int
    pay_count: int
    printed: str
    """What the project printed."""
    seconds: float
    """Time in the sandbox."""

    @property
    def circuit_hash(self) -> bytes:
        """The circuit's name."""
        return sha256(self.traced.circuit.encode())

    @property
    def manifest(self) -> Manifest:
        """The manifest that is registered."""
        program = self.config.program
        return Manifest(
            name=self.config.project.name,
            version=self.config.project.version,
            schema=self.config.message_schema(),
            compute=program.rule,
            capacity=program.capacity,
            pay_offset=self.pay_offset,
            pay_count=self.pay_count,
        )

    @property
    def proof_s(self) -> float:
        """Estimated seconds of a proof on two cores."""
        return self.traced.constraints * SECONDS_PER_CONSTRAINT

    @property
    def gas(self) -> int:
        """Estimated gas of settling a task, the hook excluded."""
        own = len(self.traced.names) * GAS_PER_OUTPUT + self.pay_count * GAS_PER_DEVICE
        return SETTLING_GAS + VERIFYING_GAS + own

    def totals(self) -> list[int]:
        """Return each output over the whole sample, the segments' results folded."""
        results = [[int(value) for value in each] for each in self.traced.results]
        return [
            _folded(fold, [each[at] for each in results])
            for at, fold in enumerate(self.traced.folds)
        ]


def build(folder: Path, *, cost: bool = False, forge: bool = False, walled: bool = True) -> Built:
    """Read and trace a project.

    Raises:
        ConfigRejected, SampleRejected: the project's files are not as they should be.
        ProjectStopped, ProjectFailed: its Python did what it may not, or raised.
        SandboxMissing: this machine cannot wall it in, and `walled` asks for it.
        TraceRejected: the rule's outputs do not fit the file.
    """
    config = load(folder)
    sample = read_sample(read_inside(folder, config.data.sample, MAX_SAMPLE_BYTES), config)
    readings = sample.readings(config.message_schema(), MAX_TRIED)
    asked = Asked(
        name=config.project.name,
        entry=config.program.rule,
        schema=config.schema,
        capacity=config.program.capacity,
        readings=[(r.device_index, r.seq, r.observed_s, list(r.values)) for r in readings],
        cost=cost,
        forge=forge,
    )
    call = Call(TRACING, "trace", msgspec.to_builtins(asked))
    outcome = run(call, folder, LIMITS, walled=walled)
    traced = checked(outcome.result)
    offset, count = _units(traced, config)
    return Built(folder, config, sample, traced, offset, count, outcome.printed, outcome.seconds)


def checked(result: object) -> Traced:
    """Check the form of what the sandbox gave back.

    Raises:
        TraceRejected: it is not a trace.
    """
    try:
        traced = msgspec.convert(result, Traced)
        sizes = {len(traced.names), len(traced.maxima), len(traced.folds)}
        sizes |= {len(each) for each in traced.results}
        numbers = [int(value) for each in (traced.maxima, *traced.results) for value in each]
    except (msgspec.ValidationError, ValueError) as error:
        raise TraceRejected(f"the project's answer is no trace of a rule: {error}") from error
    if len(sizes) != 1 or not 0 < len(traced.names) <= MAX_OUTPUTS or min(numbers) < 0:
        raise TraceRejected(
            f"the project's answer has outputs that do not fit each other: {sorted(sizes)}"
        )
    return traced


def _units(traced: Traced, config: Config) -> tuple[int, int]:
    """Return where the outputs that count units stand."""
    wanted = config.pay.units
    own = [at for at, name in enumerate(traced.names) if _base(name) == wanted]
    if not own:
        there = ", ".join(dict.fromkeys(_base(name) for name in traced.names))
        raise ConfigRejected(
            f"depin.toml: pay.units = {wanted!r} is no output of the rule; there are: {there}. "
            'Return one counter per device index, as in {"units": counts(device)}',
            code="config-value",
        )
    return own[0], len(own)


def _base(name: str) -> str:
    return name.partition("[")[0]


def _folded(fold: str, values: list[int]) -> int:
    if fold == "sum":
        return sum(values)
    there = [value for value in values if value]
    return max(there, default=0) if fold == "largest" else min(there, default=0)
