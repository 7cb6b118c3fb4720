"""What goes wrong between an assignment and its proof. Each is an error of one task only.

DepinError
├── Rejected
│   └── SegmentRejected   segment          a body's segment is not the one the task is about
└── PeerFault
    ├── BatchRejected     batch-header     the header we were given is not the inbox's
    └── ProofLate         proof-late       reading, identity or proof took longer than allowed
"""

from __future__ import annotations

from opendepin.core.errors import PeerFault, Rejected


class SegmentRejected(Rejected):
    """The segment in the body does not have the root, count or project of the task."""

    code = "segment"


class BatchRejected(PeerFault):
    """Somebody gave a header that the inbox did not accept; another may give the true one."""

    code = "batch-header"


class ProofLate(PeerFault):
    """A step of a task took longer than its limit."""

    code = "proof-late"
