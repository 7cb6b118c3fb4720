# pragma version ==0.4.3
# @license Apache-2.0
"""
@title Burner
@notice The only sink of the network: what comes in never leaves, and is counted by reason. No call
    takes money out and nobody has rights here, so `supply = issued - burned` is exact to the wei.
@dev Kept counts are one more than what was burned, from when they are set up: to write a slot from zero
    costs 17,100 gas more, which is paid when the network is laid and not by who burns first.
"""

from .interfaces import IBurner

implements: IBurner

FORCED: constant(bytes32) = 0x666f726365640000000000000000000000000000000000000000000000000000
# Reason "forced": money that came without a call (a block reward, a dying contract).

_counts: HashMap[bytes32, uint256]
_total: uint256


@deploy
def __init__():
    """
    @notice Start with nothing burned.
    """
    self._total = 1


@external
def set_up(reason: bytes32):
    """
    @notice Set up a reason's count, which stays 0: the first burn is then as cheap as the others. Anyone.
    @param reason Short ASCII name, left-aligned.
    """
    if self._counts[reason] == 0:
        self._counts[reason] = 1


@external
@payable
def burn(reason: bytes32):
    """
    @notice Burn the money sent along. Never reverts, so that paying contracts can rely on it;
        nothing sent is nothing burned.
    @param reason Short ASCII name, left-aligned, that the amount is counted under.
    """
    if msg.value != 0:
        self._count(reason, msg.value)


@external
def count_forced() -> uint256:
    """
    @notice Count what reached the contract without a call as burned too; anyone may ask.
    @return The amount newly counted, wei.
    """
    amount: uint256 = self.balance - (self._total - 1)
    if amount != 0:
        self._count(FORCED, amount)
    return amount


@external
@view
def burned(reason: bytes32) -> uint256:
    """
    @notice Return what was burned under a reason, wei.
    @param reason Short ASCII name, left-aligned.
    """
    count: uint256 = self._counts[reason]
    return 0 if count == 0 else count - 1


@external
@view
def total_burned() -> uint256:
    """
    @notice Return what was burned in all, wei.
    """
    return self._total - 1


@internal
def _count(reason: bytes32, amount: uint256):
    self._counts[reason] = max(self._counts[reason], 1) + amount
    self._total += amount
    log IBurner.Burned(sender=msg.sender, reason=reason, amount=amount)
