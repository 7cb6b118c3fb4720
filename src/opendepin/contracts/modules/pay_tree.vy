# pragma version ==0.4.3
# @license Apache-2.0
"""
@title The Merkle tree of a task's device pay
@notice One leaf per paid device index; the shape is that of RFC 9162 (an odd node goes up unhashed), leaves
        hash 128 bytes and nodes 64, so neither passes for the other. `opendepin.core.merkle` has the same.
"""

PAY_DOMAIN: constant(bytes32) = keccak256("opendepin/pay/1")
MAX_PAIRS: constant(uint256) = 128
MAX_DEPTH: constant(uint256) = 8


@internal
@pure
def leaf(task: bytes32, device_index: uint256, units: uint256) -> bytes32:
    """
    @notice Hash one device's pay.
    """
    return keccak256(abi_encode(PAY_DOMAIN, task, device_index, units))


@internal
@pure
def root(
    task: bytes32,
    encoded: Bytes[8_256],
    offset: uint256,
    count: uint256,
    most: uint256,
) -> (bytes32, uint256):
    """
    @notice Return the root over `count` leaves, at least one, and the sum of their units, at most `most`.
        `encoded` is abi.encode(outputs): the first output stands 64 bytes in.
    @dev `most` is below 2**32, so no sum here can overflow. Leaves are hashed in pairs: an array access
        costs as much as half a hash.
    """
    level: bytes32[MAX_PAIRS] = empty(bytes32[MAX_PAIRS])
    total: uint256 = 0
    width: uint256 = count >> 1
    start: uint256 = unsafe_add(64, offset << 5)
    for i: uint256 in range(width, bound=MAX_PAIRS):
        even: uint256 = i << 1
        odd: uint256 = unsafe_add(even, 1)
        units: uint256 = convert(extract32(encoded, unsafe_add(start, even << 5)), uint256)
        others: uint256 = convert(extract32(encoded, unsafe_add(start, odd << 5)), uint256)
        assert units <= most and others <= most, "units"
        total = unsafe_add(total, unsafe_add(units, others))
        level[i] = keccak256(
            abi_encode(
                keccak256(abi_encode(PAY_DOMAIN, task, even, units)),
                keccak256(abi_encode(PAY_DOMAIN, task, odd, others)),
            )
        )
    if count & 1 == 1:
        place: uint256 = unsafe_sub(count, 1)
        units: uint256 = convert(extract32(encoded, unsafe_add(start, place << 5)), uint256)
        assert units <= most, "units"
        total = unsafe_add(total, units)
        level[width] = keccak256(abi_encode(PAY_DOMAIN, task, place, units))
        width = unsafe_add(width, 1)
    assert total <= most, "units"
    for depth: uint256 in range(MAX_DEPTH):
        if width == 1:
            break
        half: uint256 = width >> 1
        for i: uint256 in range(half, bound=MAX_PAIRS):
            left: uint256 = i << 1
            level[i] = keccak256(abi_encode(level[left], level[unsafe_add(left, 1)]))
        if width & 1 == 1:
            level[half] = level[unsafe_sub(width, 1)]
            half = unsafe_add(half, 1)
        width = half
    return level[0], total


@internal
@pure
def root_of_path(
    start: bytes32, index: uint256, count: uint256, path: DynArray[bytes32, 8]
) -> bytes32:
    """
    @notice Return the root that a path leads to; refuse one that is too short or too long.
    """
    reached: bytes32 = start
    at: uint256 = index
    last: uint256 = count - 1
    used: uint256 = 0
    for depth: uint256 in range(MAX_DEPTH):
        if last == 0:
            break
        if at ^ 1 <= last:
            assert used < len(path), "path"
            if at & 1 == 1:
                reached = keccak256(abi_encode(path[used], reached))
            else:
                reached = keccak256(abi_encode(reached, path[used]))
            used += 1
        at >>= 1
        last >>= 1
    assert used == len(path), "path"
    return reached
