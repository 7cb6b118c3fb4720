"""Why a proof, a rule, a key or the engine was refused.

Rejected
└── ProofRejected (core)
    ├── EnvelopeRejected     an envelope of another kind, program or shape
    ├── OutputsRejected      outputs of another number, or outside their declared range
    └── ProofInvalid         the proof does not verify for this statement
├── ReadingsRejected         readings the rule's circuit does not take (number, bounds) └──
KeysRefused              keys that must not be used here (development, altered, of another circuit)
PeerFault └── EngineFault              the engine crashed, answered garbage, refused or timed out:
this task only Broken ├── EngineMissing            no engine binary where one is due ├── RuleBroken
a rule that cannot become a circuit └── KindUnknown              no installed proof kind has this
name
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


class KeysRefused(Rejected):
    """Keys that must not be used here: development keys off a local network, altered, or of another
    circuit.
    """

    code = "keys-refused"


class EngineFault(PeerFault):
    """The engine crashed, answered garbage, refused the request or did not answer in time."""

    code = "engine-fault"


class EngineMissing(Broken):
    """No engine binary was found."""

    code = "engine-missing"


class RuleBroken(Broken):
    """A rule that cannot become a circuit."""

    code = "rule-broken"


class KindUnknown(Broken):
    """No installed proof kind has this name."""

    code = "proof-kind-unknown"
