"""What is simulated or weak on this network, in words; shown wherever its results show."""

from __future__ import annotations

from opendepin.runtime.settings import NetworkSettings

EMBEDDED_L1 = (
    "embedded L1: one development node (anvil), no consensus; a restart may lose the last block"
)
DEVELOPMENT_KEYS = "development proving keys: one party made them and could forge proofs"
SINGLE_SEQUENCER = "single sequencer: it orders alone, it cannot invent messages"
ONE_MACHINE = "every service runs on this machine under one owner"


def labels(settings: NetworkSettings) -> list[str]:
    """Return the labels of a network."""
    found = [EMBEDDED_L1, SINGLE_SEQUENCER, ONE_MACHINE]
    return [*found, DEVELOPMENT_KEYS] if settings.network.local else found
