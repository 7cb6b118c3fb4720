"""Plain words: what is proven, who is believed for what, what each figure is called."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Trust:
    """One row of the trust table."""

    who: str
    believed_for: str
    cannot: str
    checked_by: str


TRUST = (
    Trust(
        "Device key",
        "that the reading is what the sensor showed",
        "be used by others: the key never leaves the device",
        "anyone, by the signature and the key history",
    ),
    Trust(
        "Gateway",
        "taking messages in promptly",
        "forge, alter or silently drop one: every sender holds a signed receipt",
        "anyone who holds a receipt",
    ),
    Trust(
        "Sequencer",
        "the order of messages",
        "invent messages or change a sealed batch: headers are chained and kept by the L1",
        "the attesters, and the inbox contract",
    ),
    Trust(
        "Attesters, t of n",
        "that signatures and roots were recomputed and the data can be had",
        "pass a wrong batch unless t of them collude",
        "anyone who fetches the data and recomputes it",
    ),
    Trust(
        "Operator",
        "answering in time",
        "give a wrong result: the contract checks the proof",
        "the settlement contract, by the proof",
    ),
    Trust(
        "Circuit",
        "being bound to all readings and to the outputs: this page compares its hash, and neither "
        "opens it nor computes the outputs anew",
        "be changed unnoticed: its hash is part of the program id",
        "every operator before it proves, and anyone with `depin verify`",
    ),
    Trust(
        "Proving key",
        "having been made honestly: a development key's maker could forge proofs",
        "be changed unnoticed: its hash is part of the program id",
        "anyone, by the program id; a ceremony replaces it before real use",
    ),
    Trust(
        "L1",
        "the finality of its blocks",
        "change a batch or a result without all readers seeing it",
        "every reader, by storage proofs under one block hash",
    ),
)

FIGURES = {
    "count": "valid readings",
    "exceedances": "above the limit",
    "sum": "sum",
    "minimum": "lowest",
    "maximum": "highest",
    "units": "paid units",
}

NOT_PROVEN = (
    "The proof says: these outputs follow, by the published rule, from exactly the readings under "
    "this field root. That each reading was signed by its device is checked outside the proof, by "
    "the attesters, and by you when you verify here. That a sensor measured truly is not proven by "
    "anything on this page."
)

STATES = {
    "open": "waits for its operator to be drawn",
    "assigned": "its operator is proving",
    "settled": "proven, checked by the contract, paid",
    "recalled": "taken back by the project",
}
