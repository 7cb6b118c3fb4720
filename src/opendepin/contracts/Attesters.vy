# pragma version ==0.4.3
# @license Apache-2.0
"""
@title Attesters
@notice Who confirms that a batch is right and kept: a fixed set, of which a threshold must sign.
"""

from .interfaces import IAttesters
from .modules import signature

implements: IAttesters

MAX_MEMBERS: constant(uint256) = 16

THRESHOLD: immutable(uint256)

is_member: public(HashMap[address, bool])
_members: DynArray[address, MAX_MEMBERS]


@deploy
def __init__(members: DynArray[address, MAX_MEMBERS], threshold: uint256):
    """
    @notice Fix the set for good.
    @param members By ascending address, without zero.
    @param threshold How many of them must sign, at least one.
    """
    assert threshold != 0 and threshold <= len(members), "threshold"
    last: address = empty(address)
    for member: address in members:
        assert convert(member, uint160) > convert(last, uint160), "order"
        self.is_member[member] = True
        last = member
    self._members = members
    THRESHOLD = threshold
    log IAttesters.AttestersSet(members=members, threshold=threshold)


@external
@view
def check(digest: bytes32, signatures: DynArray[Bytes[65], MAX_MEMBERS]) -> bool:
    """
    @notice Whether enough attesters signed a digest, and nobody else did.
    @param digest What they signed.
    @param signatures By strictly ascending address of the signer, each by a member; low s.
    @return False when any of them is wrong, so a batch has no form with rubbish in it.
    """
    if len(signatures) < THRESHOLD:
        return False
    last: address = empty(address)
    for signed: Bytes[65] in signatures:
        signer: address = signature._signer(digest, signed)
        if convert(signer, uint160) <= convert(last, uint160) or not self.is_member[signer]:
            return False
        last = signer
    return True


@external
@view
def threshold() -> uint256:
    """
    @notice How many attesters must sign.
    """
    return THRESHOLD


@external
@view
def member_count() -> uint256:
    """
    @notice How many attesters there are.
    """
    return len(self._members)


@external
@view
def member(i: uint256) -> address:
    """
    @notice An attester; reverts above the last.
    @param i Place in the ascending list, from 0.
    """
    assert i < len(self._members), "member"
    return self._members[i]
