"""The part of a generated verifier that checks several proofs by one pairing.

Every proof i must hold e(A_i, B_i) · e(alpha, -beta) · e(L_i, -gamma) · e(C_i, -delta) = 1. With
coefficients r_i (r_0 = 1, the others 128 bits of a hash over all claims and proofs) the product of
the i-th equation to the r_i is one equation of n + 3 pairs. When one of the equations does not
hold, at most one in 2**128 choices of the coefficients lets the product pass; who tries q
transcripts passes with at most q / 2**128.
"""

from __future__ import annotations

COMBINED = """

MANY: constant(uint256) = 16
MANY_GAS: constant(uint256) = 1_000_000  # the price at 16 is 691,000


@external
@view
def fold(statement: uint256, outputs: DynArray[uint256, {bound}]) -> uint256:
    \"\"\" @notice The outputs as one public input of a statement; 2**256 - 1, which no proof
    takes, when one is out of its range or their number is not the program's.
    \"\"\"
    if len(outputs) != OUTPUTS:
        return max_value(uint256)
    evaluation: uint256 = 0
    out: uint256 = 0
{folding}
    return evaluation


@external
@view
def check_many(claims: DynArray[uint256, 48], proofs: DynArray[Bytes[512], 16]) -> bool:
    \"\"\" @notice Whether every proof verifies for its claim: statement, `fold` and field root,
    in order. False says that at least one does not.
    \"\"\"
    count: uint256 = len(proofs)
    if count == 0 or len(claims) != {inputs} * count:
        return False
    for proof: Bytes[512] in proofs:
        if len(proof) != PROOF_BYTES:
            return False
    seed: bytes32 = keccak256(abi_encode(claims, proofs))
    words: uint256[96] = empty(uint256[96])  # a pair per proof
    sums: uint256[{inputs} + 1] = empty(uint256[{inputs} + 1])
    cx: uint256 = 0
    cy: uint256 = 0
    px: uint256 = 0
    py: uint256 = 0
    ok: bool = False
    for i: uint256 in range(count, bound=MANY):
        factor: uint256 = 1
        if i != 0:
            factor = convert(keccak256(abi_encode(seed, i)), uint256) >> 128
        sums[0] = unsafe_add(sums[0], factor)
        for j: uint256 in range({inputs}):
            given: uint256 = claims[unsafe_add(unsafe_mul(i, {inputs}), j)]
            if given >= R:
                return False
            sums[j + 1] = uint256_addmod(sums[j + 1], uint256_mulmod(given, factor, R), R)
        point: uint256[8] = abi_decode(proofs[i], uint256[8])
        at: uint256 = unsafe_mul(i, 6)
        ax: uint256 = point[0]
        ay: uint256 = point[1]
        px = point[6]
        py = point[7]
        if i != 0:
            ax, ay, ok = self._scaled(ax, ay, factor)
            if not ok:
                return False
            px, py, ok = self._scaled(px, py, factor)
            if not ok:
                return False
        words[at] = ax
        words[unsafe_add(at, 1)] = ay
        words[unsafe_add(at, 2)] = point[2]
        words[unsafe_add(at, 3)] = point[3]
        words[unsafe_add(at, 4)] = point[4]
        words[unsafe_add(at, 5)] = point[5]
        cx, cy, ok = self._added(cx, cy, px, py)
        if not ok:
            return False
    x: uint256 = 0
    y: uint256 = 0
    x, y, ok = self._scaled(K0X, K0Y, sums[0])
    if not ok:
        return False
{accumulate_sums}
    px, py, ok = self._scaled({alpha_point}, sums[0])
    if not ok:
        return False
    result: Bytes[32] = b""
    ok, result = raw_call(
        {pairing},
        concat(
            abi_encode(
                px, py,
                {neg_beta},
                x, y,
                {neg_gamma},
                cx, cy,
                {neg_delta},
            ),
            slice(abi_encode(words), 0, unsafe_mul(192, count)),
        ),
        max_outsize=32,
        gas=MANY_GAS,
        is_static_call=True,
        revert_on_failure=False,
    )
    return ok and len(result) == 32 and convert(result, uint256) == 1


@internal
@view
def _scaled(px: uint256, py: uint256, factor: uint256) -> (uint256, uint256, bool):
    ok: bool = False
    point: Bytes[64] = b""
    ok, point = raw_call(
        {multiply},
        abi_encode(px, py, factor),
        max_outsize=64,
        is_static_call=True,
        revert_on_failure=False,
    )
    if not ok or len(point) != 64:
        return 0, 0, False
    return convert(slice(point, 0, 32), uint256), convert(slice(point, 32, 32), uint256), True


@internal
@view
def _added(
    x: uint256, y: uint256, px: uint256, py: uint256
) -> (uint256, uint256, bool):
    ok: bool = False
    point: Bytes[64] = b""
    ok, point = raw_call(
        {add},
        abi_encode(x, y, px, py),
        max_outsize=64,
        is_static_call=True,
        revert_on_failure=False,
    )
    if not ok or len(point) != 64:
        return 0, 0, False
    return convert(slice(point, 0, 32), uint256), convert(slice(point, 32, 32), uint256), True
"""
"""Joined to the verifier's source, and filled in with it."""
