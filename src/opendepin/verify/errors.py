"""What goes wrong when a trail is checked.

DepinError
└── Rejected
    ├── BundleRejected       bundle   the file is not of the form of `docs/spec/bundle.md`
    │   └── SubjectRejected  bundle-subject   it is about something else than was asked for
    ├── GenesisRejected      genesis-file   the genesis file is not that of a network
    ├── NotReached           absent   the trail has not come as far as a step
    └── StepFailed           step     a step does not hold; `computed` and `expected` say how
"""

from __future__ import annotations

from opendepin.core.errors import Rejected


class BundleRejected(Rejected):
    """A bundle file that cannot be read."""

    code = "bundle"


class SubjectRejected(BundleRejected):
    """A bundle about something else than what was asked for."""

    code = "bundle-subject"


class GenesisRejected(Rejected):
    """A genesis file that is not that of a network."""

    code = "genesis-file"


class NotReached(Rejected):
    """The trail has not come as far as this step, or the anchor brings nothing to compare with."""

    code = "absent"


class StepFailed(Rejected):
    """One step of a trail does not hold."""

    code = "step"

    def __init__(self, why: str, *, computed: str = "", expected: str = "") -> None:
        super().__init__(why)
        self.computed = computed
        self.expected = expected
