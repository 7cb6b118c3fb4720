"""What can go wrong in the explorer.

Rejected
└── RequestRejected     a visitor's request that can't be answered: code `cursor`, `limit`,
    │                   `identifier`, `parameter`, `busy`
    └── NotThere        nothing under that identifier: code `not-found`
PeerFault
├── SourceAway          L1, gateway or availability did not answer (asked again next round)
└── SourceDisagrees     an answer contradicts what the L1 says: code `body`, `header`, `fork`
Broken
└── StoreBroken         the index on disk is not of this form, or refuses to be read
"""

from __future__ import annotations

from opendepin.core.errors import Broken, PeerFault, Rejected


class RequestRejected(Rejected):
    """A request of a visitor that can't be answered as it stands."""

    code = "parameter"


class NotThere(RequestRejected):
    """Nothing is known under that identifier."""

    code = "not-found"


class SourceAway(PeerFault):
    """A source did not answer; the next round asks again."""

    code = "source-away"


class SourceDisagrees(PeerFault):
    """A source's answer contradicts what the L1 says."""

    code = "source-disagrees"


class StoreBroken(Broken):
    """The index on disk can't be used; deleting it is safe, it is rebuilt from its sources."""

    code = "store-broken"
