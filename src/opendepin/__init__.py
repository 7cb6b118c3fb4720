"""OpenDePIN: a modular open platform for decentralised physical infrastructure networks."""

__version__ = "0.1.0"
