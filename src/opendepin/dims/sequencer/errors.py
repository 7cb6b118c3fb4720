"""What goes wrong between gateways, sequencer and inbox.

    DepinError
    ├── Rejected
    │   └── GroupSetAside     (code of the check)  a group that can be in no batch; kept as evidence
    ├── PeerFault
    │   └── InboxRefused      inbox-refused        the inbox refused a batch; `reason` is its own
    └── Broken
        ├── ForkFound         fork                 the inbox holds a header that we did not seal
        └── LogBehind         log-behind           our log and our snapshots or the inbox contradict

Codes of `GroupSetAside`: `group wrong-gateway unknown-project identity-stale capacity
unknown-gateway group-signature group-root range identity-order replayed` and a message's own.
"""

from __future__ import annotations

from opendepin.core.errors import Broken, PeerFault, Rejected


class GroupSetAside(Rejected):
    """A group fails a check that every store makes too: with it in a batch nothing would be
    attested.
    """

    code = "group"


class InboxRefused(PeerFault):
    """The inbox contract refused a batch; it is sent again, since the L1 may roll back or move
    on.
    """

    code = "inbox-refused"

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(text)
        self.reason = reason
        """`number parent time range identity block count sequencer attesters`."""


class ForkFound(Broken):
    """The inbox holds another header at a number that we sealed: our key was used elsewhere."""

    code = "fork"


class LogBehind(Broken):
    """The log lacks batches that are known to exist, or cannot be read: sealing on would fork."""

    code = "log-behind"
