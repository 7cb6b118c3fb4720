"""Proof kinds: one envelope, one port, one conformance kit; knows no chain."""
