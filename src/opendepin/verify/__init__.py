"""Recompute one trail from raw bytes, believing only genesis parameters and one L1 block hash."""

from opendepin.verify.anchor import Anchor
from opendepin.verify.form import Bundle, read_bundle
from opendepin.verify.steps import Outcome, Report, Step
from opendepin.verify.trail import check

__all__ = ["Anchor", "Bundle", "Outcome", "Report", "Step", "check", "read_bundle"]
