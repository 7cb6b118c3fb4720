# pragma version ==0.4.3
# @license Apache-2.0
"""
@title The Merkle tree of the results of one transaction
@notice One leaf per settled task, in the order they were settled; the shape is that of RFC 9162, leaves hash
    160 bytes and nodes 64. `opendepin.core.merkle` has the same.
"""

RESULT_DOMAIN: constant(bytes32) = keccak256("opendepin/result/1")
MAX_RESULTS: constant(uint256) = 16
MAX_DEPTH: constant(uint256) = 4


@internal
@pure
def leaf(task: bytes32, outputs_hash: bytes32, pay_root: bytes32, producer: address) -> bytes32:
    """
    @notice Hash one result.
    """
    return keccak256(abi_encode(RESULT_DOMAIN, task, outputs_hash, pay_root, producer))


@internal
@pure
def root(leaves: DynArray[bytes32, MAX_RESULTS]) -> bytes32:
    """
    @notice Return the root over at least one leaf.
    """
    level: DynArray[bytes32, MAX_RESULTS] = leaves
    width: uint256 = len(level)
    for depth: uint256 in range(MAX_DEPTH):
        if width == 1:
            break
        half: uint256 = width >> 1
        for i: uint256 in range(half, bound=MAX_RESULTS):
            level[i] = keccak256(abi_encode(level[2 * i], level[2 * i + 1]))
        if width & 1 == 1:
            level[half] = level[width - 1]
            half += 1
        width = half
    return level[0]
