"""What goes wrong between us and Layer 1.

DepinError
├── Rejected
│   ├── Reverted            revert        a contract refused; `reason` is the decoded one
│   ├── RpcRejected         rpc           the node refused a request as it stands
│   ├── HeaderRejected      header        a block header is not of the known form, or of its hash
│   ├── StateProofRejected  state-proof   a Merkle–Patricia proof does not hold
│   └── BindingRejected     binding       a typed binding does not fit the contract's ABI
├── PeerFault
│   ├── NodeAway            node-away     the node does not answer, or is being restored
│   └── NodeFault           node-fault    the node answers what cannot be
└── Broken
    ├── EngineMissing       engine-…      the engine's program is missing or of another version
    ├── EngineFailed        engine-failed the engine does not start from any state we hold
    ├── WrongCode           wrong-code    a contract's code is not the one the book names
    ├── FinalTakenBack      final-…       a final block is gone: another chain answers
    ├── DeployFailed        deploy        a contract could not be deployed
    └── ArtifactsMissing    artifacts     a contract was not compiled, or does not compile
"""

from __future__ import annotations

from opendepin.core.errors import Broken, PeerFault, Rejected


class Reverted(Rejected):
    """A contract refused the call."""

    code = "revert"

    def __init__(self, reason: str, *, data: bytes = b"", transaction: bytes | None = None) -> None:
        super().__init__(f"the contract refused: {reason}")
        self.reason = reason
        """The contract's own word, e.g. `deadline`; or a sentence when it gave none."""
        self.data = data
        """Raw return data of the revert."""
        self.transaction = transaction
        """Hash, when it was mined."""


class RpcRejected(Rejected):
    """The node refused a request as it stands."""

    code = "rpc"

    def __init__(self, message: str, *, number: int = 0, data: object = None) -> None:
        super().__init__(message)
        self.number = number
        """The JSON-RPC error code."""
        self.data = data


class HeaderRejected(Rejected):
    """A block header is not of the known form, or does not hash to the block's hash."""

    code = "header"


class StateProofRejected(Rejected):
    """A Merkle–Patricia proof does not lead from the state root to the value."""

    code = "state-proof"


class BindingRejected(Rejected):
    """A typed binding names what the contract's ABI does not have."""

    code = "binding"


class NodeAway(PeerFault):
    """The node does not answer; a later try may help."""

    code = "node-away"


class NodeFault(PeerFault):
    """The node answers what cannot be."""

    code = "node-fault"


class EngineMissing(Broken):
    """The engine's program is missing or of another version; the text says how to get it."""

    code = "engine-missing"


class EngineFailed(Broken):
    """The engine does not start from any state we hold."""

    code = "engine-failed"


class WrongCode(Broken):
    """A contract's code is not the one the address book names."""

    code = "wrong-code"


class ArtifactsMissing(Broken):
    """A contract was not compiled, or does not compile."""

    code = "artifacts"


class DeployFailed(Broken):
    """A contract of the network could not be deployed; the text says which and why."""

    code = "deploy"


class FinalTakenBack(Broken):
    """A block that was final is gone: another chain answers, or its folder was replaced."""

    code = "final-taken-back"
