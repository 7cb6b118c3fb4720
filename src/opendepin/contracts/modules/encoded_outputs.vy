# pragma version ==0.4.3
# @license Apache-2.0
"""
@title Calls that carry a program's outputs
@notice The outputs are ABI-encoded once, and that form is hashed, checked and delivered. To let the compiler
    encode them for each use costs 85 gas a word: 11,700 a use at 135 outputs.
@dev In the calls an encoded value keeps its own first word, which the call's offsets pass over.
"""

from . import task_records

# abi.encode(uint256[]): offset, length, up to 256 words.
MAX_ENCODED: constant(uint256) = 8_256
MAX_PROOF: constant(uint256) = 2_048
# Of one transaction: three words a task, and short proofs.
MAX_CLAIMS: constant(uint256) = 48
MAX_SHORT_PROOF: constant(uint256) = 512

# What a project's contract may use, always given in full (EIP-150 passes on 63/64), and how much of its
# answer is read.
CALLBACK_GAS: constant(uint256) = 1_000_000
CALLBACK_GAS_NEEDED: constant(uint256) = 1_050_000
MAX_REASON: constant(uint256) = 256


@internal
@pure
def encode(outputs: DynArray[uint256, 256]) -> Bytes[MAX_ENCODED]:
    """
    @notice Return abi.encode(outputs), whose Keccak is the outputs' hash.
    """
    return abi_encode(outputs)


@internal
@pure
def is_encoded(encoded: Bytes[MAX_ENCODED]) -> bool:
    """
    @notice Say whether it is what `encode` gives for some outputs.
    """
    if len(encoded) < 64:
        return False
    count: uint256 = convert(extract32(encoded, 32), uint256)
    return (
        convert(extract32(encoded, 0), uint256) == 32
        and count <= 256
        and len(encoded) == 64 + 32 * count
    )


@internal
@view
def check(
    verifier: address,
    statement: uint256,
    field_root: uint256,
    encoded: Bytes[MAX_ENCODED],
    proof: Bytes[MAX_PROOF],
) -> bool:
    """
    @notice Ask a verifier: `IVerifier.check(statement, field_root, outputs, proof)`.
    """
    answer: Bytes[32] = raw_call(
        verifier,
        concat(
            method_id("check(uint256,uint256,uint256[],bytes)", output_type=bytes4),
            convert(statement, bytes32),
            convert(field_root, bytes32),
            convert(160, bytes32),
            convert(unsafe_add(160, len(encoded)), bytes32),
            encoded,
            abi_encode(proof),
        ),
        max_outsize=32,
        is_static_call=True,
    )
    return len(answer) == 32 and convert(answer, uint256) == 1


@internal
@view
def fold(
    verifier: address, statement: uint256, encoded: Bytes[MAX_ENCODED]
) -> (bool, uint256):
    """
    @notice Ask a verifier for `IManyVerifier.fold(statement, outputs)`: the outputs as one public input.
    @return Whether it answered, and the answer.
    """
    if not self.is_encoded(encoded):
        return False, 0
    success: bool = False
    answer: Bytes[32] = b""
    success, answer = raw_call(
        verifier,
        concat(
            method_id("fold(uint256,uint256[])", output_type=bytes4),
            convert(statement, bytes32),
            convert(64, bytes32),
            slice(encoded, 32, len(encoded) - 32),
        ),
        max_outsize=32,
        is_static_call=True,
        revert_on_failure=False,
    )
    return success and len(answer) == 32, (
        convert(answer, uint256) if len(answer) == 32 else 0
    )


@internal
@view
def check_many(
    verifier: address, claims: DynArray[uint256, MAX_CLAIMS], proofs: DynArray[Bytes[MAX_SHORT_PROOF], 16]
) -> bool:
    """
    @notice Ask a verifier: `IManyVerifier.check_many(claims, proofs)`; false when it does not answer.
    """
    success: bool = False
    answer: Bytes[32] = b""
    success, answer = raw_call(
        verifier,
        abi_encode(claims, proofs, method_id=method_id("check_many(uint256[],bytes[])")),
        max_outsize=32,
        is_static_call=True,
        revert_on_failure=False,
    )
    return success and len(answer) == 32 and convert(answer, uint256) == 1


@internal
def deliver(
    callback: address,
    task: bytes32,
    origin: uint256,
    encoded: Bytes[MAX_ENCODED],
) -> (bool, Bytes[MAX_REASON]):
    """
    @notice Tell a project's contract, if it has one:
        `IResultReceiver.on_result(task, project, batch, segment, outputs)`.
    @dev Whoever sends the transaction cannot make the call fail by giving too little gas.
    @return Whether it succeeded, and the start of what it answered.
    """
    if callback == empty(address):
        return True, b""
    assert msg.gas >= CALLBACK_GAS_NEEDED, "gas"
    success: bool = False
    answer: Bytes[MAX_REASON] = b""
    success, answer = raw_call(
        callback,
        concat(
            method_id("on_result(bytes32,uint64,uint64,uint256,uint256[])", output_type=bytes4),
            task,
            convert(task_records._project(origin), bytes32),
            convert(task_records._batch(origin), bytes32),
            convert(task_records._segment_index(origin), bytes32),
            convert(192, bytes32),
            encoded,
        ),
        max_outsize=MAX_REASON,
        gas=CALLBACK_GAS,
        revert_on_failure=False,
    )
    return success, answer
