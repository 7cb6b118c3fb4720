"""Recompute one trail from raw bytes, believing only genesis parameters and one L1 block hash."""

from opendepin.verify.anchor import Anchor, anchor_of_genesis
from opendepin.verify.errors import BundleRejected
from opendepin.verify.form import Bundle
from opendepin.verify.reading import read_bundle
from opendepin.verify.steps import Outcome, Report, Step
from opendepin.verify.trail import check, require_subject

__all__ = [
    "Anchor",
    "Bundle",
    "BundleRejected",
    "Outcome",
    "Report",
    "Step",
    "anchor_of_genesis",
    "check",
    "read_bundle",
    "require_subject",
]
