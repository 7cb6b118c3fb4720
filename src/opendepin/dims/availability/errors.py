"""What goes wrong between sequencer, stores and readers.

    DepinError ├── Rejected │   ├── BatchRefused        (code of the check)   a store does not
    attest this batch │   ├── ChunkUnknown        unknown-chunk         a store holds no such chunk
    │   ├── BatchUnknown        unknown-batch         a store attested no batch of this number │
    └── WrongCodeFound      wrong-erasure-code    the chunks are no code of a body; has the proof
    ├── PeerFault │   ├── IdentityBehind      identity-behind       the L1 view has not reached an
    identity block │   ├── ChunkLost           chunk-lost            a chunk rotted here and is
    fetched anew │   ├── StoreAway           store-away            a store does not answer │   ├──
    StoreFaulty         store-faulty          a store's answer does not verify │   ├── TooFewChunks
    too-few-chunks        fewer than k chunks were to be had │   └── TooFewAttestations
    too-few-attestations  so many refused that t cannot be reached └── Broken
        └── RecordsBroken       records-broken        a store's own records contradict each other

Codes of `BatchRefused`: `sequencer network number-gap second-header parent time data-bytes
data-root segments-root body segment-count segment-project segment-root segment-messages
segment-ranges field-root unknown-project capacity unknown-gateway group-signature group-root range
identity-order replayed` and every code of a message (`message.md`), of its schema, device state and
signature.
"""

from __future__ import annotations

from opendepin.core.chunks import WrongCode
from opendepin.core.errors import Broken, PeerFault, Rejected


class BatchRefused(Rejected):
    """A batch that is not attested; the code says which check it failed.

    Args:
        expected: the number that is due, with code `number-gap`.
    """

    code = "batch"

    def __init__(self, text: str, *, code: str, expected: int | None = None) -> None:
        super().__init__(text, code=code)
        self.expected = expected


class ChunkUnknown(Rejected):
    """The store holds no such chunk."""

    code = "unknown-chunk"


class BatchUnknown(Rejected):
    """The store attested no batch of this number."""

    code = "unknown-batch"


class WrongCodeFound(Rejected):
    """The chunks under a data root are not the code of any body; `proof` shows it to anybody."""

    code = "wrong-erasure-code"

    def __init__(self, text: str, proof: WrongCode) -> None:
        super().__init__(text)
        self.proof = proof


class IdentityBehind(PeerFault):
    """The view of the L1 has not reached an identity block that the batch names."""

    code = "identity-behind"


class ChunkLost(PeerFault):
    """A chunk is missing or has changed on disk; it is being fetched from the other stores."""

    code = "chunk-lost"


class StoreAway(PeerFault):
    """A store does not answer, or asks for a later try."""

    code = "store-away"


class StoreFaulty(PeerFault):
    """A store answered with something that does not verify."""

    code = "store-faulty"


class TooFewChunks(PeerFault):
    """Fewer chunks than restore the body could be had."""

    code = "too-few-chunks"


class TooFewAttestations(PeerFault):
    """So many stores refused a batch that the threshold cannot be reached now."""

    code = "too-few-attestations"

    def __init__(self, text: str, refusals: dict[str, str]) -> None:
        super().__init__(text)
        self.refusals = refusals
        """Store → code of its refusal."""


class RecordsBroken(Broken):
    """A store's own records contradict each other."""

    code = "records-broken"
