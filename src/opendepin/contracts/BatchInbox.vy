# pragma version ==0.4.3
# @license Apache-2.0
"""
@title BatchInbox
@notice The one chain of batch headers. A batch is taken when it continues the header before, when
    each of its ranges continues what its gateway had covered in that project, when its identity
    blocks are past, recent and never go back, and when the sequencer and enough attesters signed
    the header that this contract computes itself from what it was given. Anyone may submit.
"""

from .interfaces import IAttesters
from .interfaces import IBatchInbox
from .modules import signature

implements: IBatchInbox

MAX_SEGMENTS: constant(uint256) = 16
MAX_ATTESTATIONS: constant(uint256) = 16
MAX_SEGMENT_MESSAGES: constant(uint256) = 1024
MAX_SECONDS_AHEAD: constant(uint256) = 60
LOW_64: constant(uint256) = 2**64 - 1

SEGMENT_DOMAIN: constant(bytes32) = keccak256("opendepin/segment/1")
HEADER_DOMAIN: constant(bytes32) = keccak256("opendepin/header/1")
SEQUENCE_DOMAIN: constant(bytes32) = keccak256("opendepin/sequence/1")
ATTEST_DOMAIN: constant(bytes32) = keccak256("opendepin/attest/1")

NETWORK_ID: immutable(bytes32)
SEQUENCER: immutable(address)
ATTESTERS: immutable(IAttesters)
MAX_IDENTITY_AGE: immutable(uint64)

count: public(uint64)
last_time: public(uint64)
header_hash: public(HashMap[uint64, bytes32])
segment_hash: public(HashMap[uint64, HashMap[uint256, bytes32]])
inbox_block: public(HashMap[uint64, uint64])
_covered: HashMap[address, HashMap[uint64, uint256]]
# Per gateway and project in one slot: identity block above the low 64 bits, position in them.


@deploy
def __init__(
    network_id: bytes32, sequencer: address, attesters: address, max_identity_age: uint64
):
    """
    @notice Start before batch 1, whose parent is the network id.
    @param network_id The network's id.
    @param sequencer Whose signature orders.
    @param attesters The contract of the availability set.
    @param max_identity_age How many L1 blocks an identity block may be old.
    """
    assert network_id != empty(bytes32), "network"
    assert sequencer != empty(address), "sequencer"
    assert attesters.is_contract, "attesters"
    assert max_identity_age != 0, "identity age"
    NETWORK_ID = network_id
    SEQUENCER = sequencer
    ATTESTERS = IAttesters(attesters)
    MAX_IDENTITY_AGE = max_identity_age


@external
def submit(
    number: uint64,
    parent: bytes32,
    data_root: bytes32,
    data_bytes: uint64,
    time: uint64,
    segments: DynArray[IBatchInbox.Segment, MAX_SEGMENTS],
    sequencer_signature: Bytes[65],
    attestations: DynArray[Bytes[65], MAX_ATTESTATIONS],
):
    """
    @notice Add the next batch.
    @param number The batch's number, one above the last.
    @param parent Hash of the header before; the network id for batch 1.
    @param data_root Root over the body's coded chunks.
    @param data_bytes Length of the body.
    @param time When it was sealed, Unix seconds: not before the last, at most a minute ahead.
    @param segments Its segments, one to sixteen.
    @param sequencer_signature By the sequencer over the header.
    @param attestations By attesters over the header, ascending by their address.
    """
    assert number == self.count + 1, "number"
    assert parent == self._head(), "parent"
    assert time >= self.last_time, "time"
    assert convert(time, uint256) <= block.timestamp + MAX_SECONDS_AHEAD, "time"
    assert len(segments) != 0, "count"

    hashes: DynArray[bytes32, MAX_SEGMENTS] = []
    for segment: IBatchInbox.Segment in segments:
        self._cover(segment)
        hashed: bytes32 = keccak256(
            abi_encode(
                SEGMENT_DOMAIN,
                segment.project,
                segment.root,
                segment.field_root,
                segment.count,
                segment.ranges,
            )
        )
        self.segment_hash[number][len(hashes)] = hashed
        hashes.append(hashed)
    header: bytes32 = keccak256(
        abi_encode(
            HEADER_DOMAIN,
            NETWORK_ID,
            number,
            parent,
            keccak256(abi_encode(hashes)),
            data_root,
            data_bytes,
            time,
        )
    )
    self.count = number
    self.last_time = time
    self.header_hash[number] = header
    self.inbox_block[number] = convert(block.number, uint64)
    log IBatchInbox.BatchAccepted(
        number=number, header_hash=header, data_root=data_root, segments=len(segments)
    )

    sequenced: bytes32 = keccak256(abi_encode(SEQUENCE_DOMAIN, header))
    assert signature._signer(sequenced, sequencer_signature) == SEQUENCER, "sequencer"
    attested: bytes32 = keccak256(abi_encode(ATTEST_DOMAIN, header))
    assert staticcall ATTESTERS.check(attested, attestations), "attesters"


@external
@view
def head() -> bytes32:
    """
    @notice Hash of the last header; the network id while there is none.
    """
    return self._head()


@external
@view
def covered(gateway: address, project: uint64) -> IBatchInbox.Covered:
    """
    @notice Up to which position a gateway's messages of a project stand in batches, and the identity
        block of the last of them.
    @param gateway The gateway.
    @param project The project.
    """
    packed: uint256 = self._covered[gateway][project]
    return IBatchInbox.Covered(
        position=convert(packed & LOW_64, uint64),
        identity_block=convert(packed >> 64, uint64),
    )


@external
@view
def network_id() -> bytes32:
    """
    @notice The network's id, parent of batch 1.
    """
    return NETWORK_ID


@external
@view
def sequencer() -> address:
    """
    @notice Whose signature orders.
    """
    return SEQUENCER


@external
@view
def attesters() -> address:
    """
    @notice The contract of the availability set.
    """
    return ATTESTERS.address


@external
@view
def max_identity_age() -> uint64:
    """
    @notice How many L1 blocks an identity block may be old.
    """
    return MAX_IDENTITY_AGE


@internal
@view
def _head() -> bytes32:
    if self.count == 0:
        return NETWORK_ID
    return self.header_hash[self.count]


@internal
def _cover(segment: IBatchInbox.Segment):
    """
    @dev Check a segment's ranges against what was covered, and cover them.
    """
    assert segment.project != 0, "range"
    assert segment.count != 0 and convert(segment.count, uint256) <= MAX_SEGMENT_MESSAGES, "count"
    messages: uint256 = 0
    for part: IBatchInbox.Span in segment.ranges:
        packed: uint256 = self._covered[part.gateway][segment.project]
        assert convert(part.first, uint256) == (packed & LOW_64) + 1, "range"
        assert part.last >= part.first, "range"
        assert convert(part.identity_first, uint256) >= packed >> 64, "identity block"
        assert part.identity_last >= part.identity_first, "identity block"
        assert convert(part.identity_last, uint256) < block.number, "identity block"
        oldest: uint256 = convert(part.identity_first, uint256) + convert(MAX_IDENTITY_AGE, uint256)
        assert oldest >= block.number, "identity block"
        messages += convert(part.last - part.first, uint256) + 1
        self._covered[part.gateway][segment.project] = (
            convert(part.identity_last, uint256) << 64 | convert(part.last, uint256)
        )
    assert messages == convert(segment.count, uint256), "count"
