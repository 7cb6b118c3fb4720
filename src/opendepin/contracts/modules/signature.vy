# pragma version ==0.4.3
# @license Apache-2.0
"""
@title Signatures as this network takes them
@notice 65 bytes r, s, v over a 32-byte digest: v is 27 or 28 and s low (EIP-2), so that a signature
    has one form only. What does not fit gives the zero address, which no caller accepts.
"""

SIZE: constant(uint256) = 65
HALF_ORDER: constant(
    uint256
) = 57896044618658097711785492504343953926418782139537452191302581570759080747168
# Half the order of secp256k1 (SEC 2 §2.4.1), rounded down.

MAX_OWNER_SIGNATURE: constant(uint256) = 1024
# Longest signature that a contract wallet may judge, bytes.

ACCEPTED: constant(bytes4) = 0x1626ba7e
# What `isValidSignature` answers for yes (EIP-1271).


@internal
@pure
def _signer(digest: bytes32, signed: Bytes[SIZE]) -> address:
    """
    @dev Return who signed `digest`, or the zero address when nobody did in the one accepted form.
    """
    if len(signed) != SIZE:
        return empty(address)
    r: uint256 = extract32(signed, 0, output_type=uint256)
    s: uint256 = extract32(signed, 32, output_type=uint256)
    v: uint256 = convert(slice(signed, 64, 1), uint256)
    if s > HALF_ORDER or (v != 27 and v != 28):
        return empty(address)
    return ecrecover(digest, v, r, s)


@internal
@view
def _agreed(owner: address, digest: bytes32, signed: Bytes[MAX_OWNER_SIGNATURE]) -> bool:
    """
    @dev Whether `owner` agreed: it sends the call itself (then the signature may be empty), signed
        the digest, or is a contract that accepts the signature (EIP-1271).
    """
    if owner == empty(address):
        return False
    if len(signed) == 0 and msg.sender == owner:
        return True
    if len(signed) == SIZE and self._signer(digest, slice(signed, 0, SIZE)) == owner:
        return True
    if not owner.is_contract:
        return False
    success: bool = False
    answer: Bytes[32] = b""
    success, answer = raw_call(
        owner,
        abi_encode(digest, signed, method_id=method_id("isValidSignature(bytes32,bytes)")),
        max_outsize=32,
        is_static_call=True,
        revert_on_failure=False,
    )
    return success and len(answer) == 32 and convert(slice(answer, 0, 4), bytes4) == ACCEPTED
