# pragma version ==0.4.3
# @license Apache-2.0
"""
@title A verifier whose proof is the statement itself, and which checks several at once
@notice For tests of settlement alone.
"""

from ..interfaces import IManyVerifier
from ..interfaces import IVerifier

implements: IManyVerifier
implements: IVerifier

output_count: public(immutable(uint256))


@deploy
def __init__(outputs: uint256):
    output_count = outputs


@external
@view
def check(
    statement: uint256, field_root: uint256, outputs: DynArray[uint256, 256], proof: Bytes[2048]
) -> bool:
    """
    @notice Take exactly the proof `abi.encode(statement, field_root)`.
    """
    return proof == abi_encode(statement, field_root)


@external
@view
def fold(statement: uint256, outputs: DynArray[uint256, 256]) -> uint256:
    """
    @notice Name the outputs by their hash.
    """
    return convert(keccak256(abi_encode(outputs)), uint256)


@external
@view
def check_many(claims: DynArray[uint256, 48], proofs: DynArray[Bytes[512], 16]) -> bool:
    """
    @notice Take proofs that `check` would take, each.
    """
    for i: uint256 in range(len(proofs), bound=16):
        if proofs[i] != abi_encode(claims[3 * i], claims[3 * i + 2]):
            return False
    return True
