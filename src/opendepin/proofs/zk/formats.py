"""The files of circom's tools, for other provers: `.r1cs` version 1, `.wtns` version 2.

Source: iden3/r1csfile `doc/r1cs_bin_format.md` and snarkjs `src/wtns_utils.js`. The engine itself
never reads them on the product's way: it takes a `Program`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from opendepin.core.statement import FIELD_MODULUS
from opendepin.proofs.zk.circuit import Block, Circuit
from opendepin.proofs.zk.field import ELEMENT_BYTES, pack
from opendepin.proofs.zk.trace import Template

_PRIME = struct.pack("<I", ELEMENT_BYTES) + FIELD_MODULUS.to_bytes(ELEMENT_BYTES, "little")


def r1cs(circuit: Circuit) -> Iterator[bytes]:
    """Yield the pieces of the circuit's `.r1cs` file (79 MB for 187,000 rows)."""
    public, rows_bytes = len(circuit.public), sum(_size(block) for block in circuit.blocks)
    private = circuit.wires - 1 - public
    header = _PRIME + struct.pack(
        "<IIIIQI", circuit.wires, 0, public, private, circuit.wires, circuit.constraints
    )
    yield b"r1cs" + struct.pack("<II", 1, 3)
    yield struct.pack("<IQ", 1, len(header)) + header
    yield struct.pack("<IQ", 2, rows_bytes)
    for block in circuit.blocks:
        yield from _rows(block)
    yield struct.pack("<IQ", 3, 8 * circuit.wires) + struct.pack(
        f"<{circuit.wires}Q", *range(circuit.wires)
    )


def wtns(wires: Sequence[int]) -> bytes:
    """Return a witness as a `.wtns` file."""
    body = pack(wires)
    header = _PRIME + struct.pack("<I", len(wires))
    first, second = (
        struct.pack("<IQ", 1, len(header)) + header,
        struct.pack("<IQ", 2, len(body)) + body,
    )
    return b"wtns" + struct.pack("<II", 2, 2) + first + second


def _size(block: Block) -> int:
    per_instance = sum(4 + 36 * len(terms) for row in block.template.rows for terms in row)
    return per_instance * len(block.inputs)


def _rows(block: Block) -> Iterator[bytes]:
    pieces, rest = _pieces(block.template)
    for instance in range(len(block.inputs)):
        wires = [struct.pack("<I", wire) for wire in block.wires(instance)]
        yield b"".join(before + wires[local] + factor for before, local, factor in pieces) + rest


def _pieces(component: Template) -> tuple[list[tuple[bytes, int, bytes]], bytes]:
    """Cut the template's rows at each wire number: (bytes before it, local wire, its coefficient);
    and what is left.
    """
    pieces: list[tuple[bytes, int, bytes]] = []
    before = b""
    for row in component.rows:
        for terms in row:
            before += struct.pack("<I", len(terms))
            for local, factor in terms:
                pieces.append((before, local, factor.to_bytes(ELEMENT_BYTES, "little")))
                before = b""
    return pieces, before
