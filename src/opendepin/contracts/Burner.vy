# pragma version ==0.4.3
# @license Apache-2.0
"""
@title Burner
@notice The only sink of the network: what comes in never leaves, and is counted by reason. No call
    takes money out and nobody has rights here, so `supply = issued - burned` is exact to the wei.
"""

from .interfaces import IBurner

implements: IBurner

FORCED: constant(bytes32) = 0x666f726365640000000000000000000000000000000000000000000000000000
# Reason "forced": money that came without a call (a block reward, a dying contract).

burned: public(HashMap[bytes32, uint256])
total_burned: public(uint256)


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
    amount: uint256 = self.balance - self.total_burned
    if amount != 0:
        self._count(FORCED, amount)
    return amount


@internal
def _count(reason: bytes32, amount: uint256):
    self.burned[reason] += amount
    self.total_burned += amount
    log IBurner.Burned(sender=msg.sender, reason=reason, amount=amount)
