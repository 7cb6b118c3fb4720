"""What goes wrong between an accepted batch and its settled tasks.

DepinError
└── PeerFault
    └── SegmentsFault     segments         segments we were given are not those the inbox accepted

A contract's refusal is `chain.errors.Reverted`; some of its reasons (`OVERTAKEN`) mean that another
operator was faster.
"""

from __future__ import annotations

from opendepin.core.errors import PeerFault


class SegmentsFault(PeerFault):
    """Somebody gave segments that do not hash to what the inbox keeps; another may give them."""

    code = "segments"


NOBODY = "operators"
"""Reason of a draw's revert that says: nobody in the task's snapshot is free."""

OVERTAKEN = frozenset({"state", "opened", "deadline", "claimed"})
"""Reasons of reverts that say: somebody else did it."""
