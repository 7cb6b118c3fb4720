# pragma version ==0.4.3
# @license Apache-2.0
"""
@title Issuance
@notice Holds the reserve the network was funded with at genesis and releases it with events, so
    `supply = genesis - reserve + released - burned`, exact to the wei on every engine. The base fee
    that blocks burn is no contract's business: readers take it from the block headers.
"""

from .interfaces import IBurner
from .interfaces import IIssuance

implements: IIssuance

BURNER: public(immutable(IBurner))
GENESIS: immutable(uint256)
RESERVE: immutable(uint256)

authority: public(address)
offered: public(address)
released: public(uint256)
released_for: public(HashMap[bytes32, uint256])


@deploy
@payable
def __init__(authority: address, burner: address, genesis_supply: uint256):
    """
    @notice Take the reserve, which is the money sent along.
    @param authority Who may release.
    @param burner Whose total counts as burned.
    @param genesis_supply All money that exists at genesis, the reserve included, wei.
    """
    assert authority != empty(address), "authority"
    assert burner.is_contract, "burner"
    assert msg.value <= genesis_supply, "genesis"
    self.authority = authority
    BURNER = IBurner(burner)
    GENESIS = genesis_supply
    RESERVE = msg.value
    log IIssuance.AuthorityChanged(before=empty(address), authority=authority)


@external
@nonreentrant
def release(to: address, amount: uint256, reason: bytes32):
    """
    @notice Release money of the reserve into circulation; the authority alone.
    @param to Receiver; not this contract, which would release nothing.
    @param amount Wei, above zero and at most what remains.
    @param reason Short ASCII name, left-aligned, that the amount is counted under.
    """
    assert msg.sender == self.authority, "authority"
    assert to != empty(address) and to != self, "receiver"
    assert amount != 0 and amount <= RESERVE - self.released, "amount"
    self.released += amount
    self.released_for[reason] += amount
    log IIssuance.Released(to=to, reason=reason, amount=amount)
    raw_call(to, b"", value=amount)


@external
def offer_authority(to: address):
    """
    @notice Offer the authority to another account, which must accept; zero takes an offer back.
    @param to Who may accept.
    """
    assert msg.sender == self.authority, "authority"
    self.offered = to
    log IIssuance.AuthorityOffered(authority=msg.sender, offered_to=to)


@external
def accept_authority():
    """
    @notice Take over the authority that was offered to the caller.
    """
    assert msg.sender == self.offered and msg.sender != empty(address), "offer"
    before: address = self.authority
    self.authority = msg.sender
    self.offered = empty(address)
    log IIssuance.AuthorityChanged(before=before, authority=msg.sender)


@external
@view
def genesis_supply() -> uint256:
    """
    @notice All money that existed at genesis, wei.
    """
    return GENESIS


@external
@view
def reserve() -> uint256:
    """
    @notice The reserve at genesis, wei.
    """
    return RESERVE


@external
@view
def remaining() -> uint256:
    """
    @notice What may still be released, wei.
    """
    return RESERVE - self.released


@external
@view
def supply() -> uint256:
    """
    @notice Money in circulation: genesis - reserve + released - burned, wei; base fees not counted.
    """
    return GENESIS - RESERVE + self.released - staticcall BURNER.total_burned()
