# pragma version ==0.4.3
# @license Apache-2.0
"""
@title A verifier whose proof is the statement itself
@notice For tests of settlement alone: shows which statement was asked, and takes a settable lot of gas.
"""

from ..interfaces import IVerifier

implements: IVerifier

output_count: public(immutable(uint256))
gas_used: immutable(uint256)


@deploy
def __init__(outputs: uint256, gas_to_use: uint256):
    output_count = outputs
    gas_used = gas_to_use


@external
@view
def check(
    statement: uint256, field_root: uint256, outputs: DynArray[uint256, 256], proof: Bytes[2048]
) -> bool:
    """
    @notice Take exactly the proof `abi.encode(statement, field_root)`, after using the gas.
    """
    start: uint256 = msg.gas
    for i: uint256 in range(100_000):
        if start - msg.gas >= gas_used:
            break
    return proof == abi_encode(statement, field_root)
