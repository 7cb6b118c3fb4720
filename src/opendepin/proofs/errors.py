"""Why a proof, a rule, a key or the engine was refused.

DepinError
├── Rejected
│   ├── ProofRejected (core)
│   │   ├── EnvelopeRejected  proof-envelope      another kind, program or shape
│   │   ├── OutputsRejected   proof-outputs       another number, or one out of its range
│   │   └── ProofInvalid      proof-invalid       does not verify for this statement
│   ├── ReadingsRejected      readings            the rule's circuit does not take them
│   ├── ProgramRejected       program-text        no program, or another than the one asked for
│   │   └── FrameRejected     program-frame       its circuit is not bound to its readings
│   └── KeysRefused           keys-refused        development, altered, or of another circuit
├── PeerFault
│   └── EngineFault           engine-…            crash, garbage, refusal, time-out: one task
└── Broken
    ├── ProverMissing         prover-missing      no engine binary where one is due
    ├── RuleBroken            rule-broken         a rule that cannot become a circuit
    └── KindUnknown           proof-kind-unknown  no installed proof kind has this name
"""

from __future__ import annotations

from opendepin.core.errors import Broken, PeerFault, ProofRejected, Rejected


class EnvelopeRejected(ProofRejected):
    """An envelope of another kind or program, or of another shape."""

    code = "proof-envelope"


class OutputsRejected(ProofRejected):
    """Outputs of another number than the program declares, or outside their range."""

    code = "proof-outputs"


class ProofInvalid(ProofRejected):
    """A proof that does not verify for this statement."""

    code = "proof-invalid"


class ReadingsRejected(Rejected):
    """Readings that a rule's circuit does not take."""

    code = "readings"


class ProgramRejected(Rejected):
    """A text that is no program, or not the one that was asked for."""

    code = "program-text"


class FrameRejected(ProgramRejected):
    """A program whose circuit is not the standard one around a rule: what it proves need not be
    about the readings, all of them, or the outputs.
    """

    code = "program-frame"


class KeysRefused(Rejected):
    """Keys that must not be used here: for development only, altered, or of another circuit."""

    code = "keys-refused"


class EngineFault(PeerFault):
    """The engine crashed, answered garbage, refused the request or did not answer in time."""

    code = "engine-fault"


class ProverMissing(Broken):
    """No engine binary was found."""

    code = "prover-missing"


class RuleBroken(Broken):
    """A rule that cannot become a circuit."""

    code = "rule-broken"


class KindUnknown(Broken):
    """No installed proof kind has this name."""

    code = "proof-kind-unknown"
