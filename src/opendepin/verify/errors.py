"""What goes wrong when a trail is checked.

DepinError
└── Rejected
    ├── BundleRejected   bundle   the file is not of the form of `docs/spec/bundle.md`
    └── StepFailed       (step)   one step does not hold; `computed` and `expected` say how
"""

from __future__ import annotations

from opendepin.core.errors import Rejected


class BundleRejected(Rejected):
    """A bundle file that cannot be read."""

    code = "bundle"


class StepFailed(Rejected):
    """One step of a trail does not hold."""

    code = "step"

    def __init__(self, why: str, *, computed: str = "", expected: str = "") -> None:
        super().__init__(why)
        self.computed = computed
        self.expected = expected
