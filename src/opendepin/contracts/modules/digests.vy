# pragma version ==0.4.3
# @license Apache-2.0
"""
@title Digests of tasks
@notice Byte for byte those of docs/spec/encodings.md, as `opendepin.core` computes them.
"""

from ..interfaces import IBatchInbox

SEGMENT_DOMAIN: constant(bytes32) = keccak256("opendepin/segment/1")
PROGRAM_DOMAIN: constant(bytes32) = keccak256("opendepin/program/1")
TASK_DOMAIN: constant(bytes32) = keccak256("opendepin/task/1")
STATEMENT_DOMAIN: constant(bytes32) = keccak256("opendepin/statement/1")


@internal
@pure
def segment_hash(segment: IBatchInbox.Segment) -> bytes32:
    """
    @notice Hash a segment as the inbox keeps it.
    """
    return keccak256(
        abi_encode(
            SEGMENT_DOMAIN,
            segment.project,
            segment.root,
            segment.field_root,
            segment.count,
            segment.ranges,
        )
    )


@internal
@pure
def program_id(manifest_hash: bytes32, circuit_hash: bytes32, vk_hash: bytes32) -> bytes32:
    """
    @notice Name a program version by what it computes and what verifies it.
    """
    return keccak256(abi_encode(PROGRAM_DOMAIN, manifest_hash, circuit_hash, vk_hash))


@internal
@pure
def task_id(
    network_id: bytes32,
    inbox: address,
    batch: uint64,
    segment_index: uint64,
    project: uint64,
    program: bytes32,
) -> bytes32:
    """
    @notice Name the task of one segment under one program version.
    """
    return keccak256(
        abi_encode(TASK_DOMAIN, network_id, inbox, batch, segment_index, project, program)
    )


@internal
@pure
def statement(
    network_id: bytes32,
    settlement: address,
    task: bytes32,
    program: bytes32,
    segment_root: bytes32,
    field_root: uint256,
    count: uint256,
    outputs_hash: bytes32,
    producer: address,
) -> uint256:
    """
    @notice Return the number a proof is bound to: every field of the task, below 2**248.
    """
    digest: bytes32 = keccak256(
        abi_encode(
            STATEMENT_DOMAIN,
            network_id,
            settlement,
            task,
            program,
            segment_root,
            field_root,
            count,
            outputs_hash,
            producer,
        )
    )
    return convert(digest, uint256) >> 8
