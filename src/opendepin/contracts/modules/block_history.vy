# pragma version ==0.4.3
# @license Apache-2.0
"""
@title Hashes of earlier blocks
@notice Read from the history contract of EIP-2935 and not by BLOCKHASH: it is storage, so an engine that
    was restored from a copy of its state gives the true hashes too, and it serves 8,191 blocks, not 256.
"""

HISTORY: constant(address) = 0x0000F90827F1C53a10cb7A02335B175320002935

# How many block hashes it serves.
HASHES: constant(uint256) = 8_191


@internal
@view
def hash_of(height: uint256) -> bytes32:
    """
    @notice Return a block's hash. A chain without the history contract is refused.
    @param height One of the last `HASHES` blocks before this one.
    """
    success: bool = False
    answer: Bytes[32] = b""
    success, answer = raw_call(
        HISTORY,
        abi_encode(height),
        max_outsize=32,
        is_static_call=True,
        revert_on_failure=False,
    )
    assert success and len(answer) == 32, "history"
    found: bytes32 = convert(answer, bytes32)
    assert found != empty(bytes32), "history"
    return found
