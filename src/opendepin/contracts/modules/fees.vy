# pragma version ==0.4.3
# @license Apache-2.0
"""
@title A flat fee, part of it burned
@notice Takes exactly the fee and gives the rest back. The burn share goes to the Burner in the same
    transaction; the treasury's part waits here until it is pulled. The treasury may propose other
    terms, which hold only after a delay that everybody can see coming.
"""

from ..interfaces import IBurner

event FeePaid:
    payer: indexed(address)
    fee: uint256
    burned: uint256
    refunded: uint256


event FeesCollected:
    treasury: indexed(address)
    amount: uint256


event TermsProposed:
    fee: uint256
    burn_bps: uint256
    effective: uint256


struct Terms:
    fee: uint256
    burn_bps: uint256
    effective: uint256


BPS: constant(uint256) = 10_000
TERMS_DELAY: public(constant(uint256)) = 7 * 86_400
# Seconds between a proposal of terms and their first use.

BURNER: public(immutable(IBurner))
TREASURY: public(immutable(address))

fees_held: public(uint256)
_terms: Terms
_next: Terms


@deploy
def __init__(burner: address, treasury: address, fee: uint256, burn_bps: uint256):
    assert burner.is_contract, "burner"
    assert treasury != empty(address), "treasury"
    assert burn_bps <= BPS, "share"
    BURNER = IBurner(burner)
    TREASURY = treasury
    self._terms = Terms(fee=fee, burn_bps=burn_bps, effective=block.timestamp)
    log TermsProposed(fee=fee, burn_bps=burn_bps, effective=block.timestamp)


@external
def propose_terms(fee: uint256, burn_bps: uint256):
    """
    @notice Propose another fee and burn share; they hold `TERMS_DELAY` seconds later. A newer
        proposal replaces one that does not hold yet.
    @param fee Wei.
    @param burn_bps Share of the fee that is burned, basis points.
    """
    assert msg.sender == TREASURY, "treasury"
    assert burn_bps <= BPS, "share"
    self._terms = self._now()
    effective: uint256 = block.timestamp + TERMS_DELAY
    self._next = Terms(fee=fee, burn_bps=burn_bps, effective=effective)
    log TermsProposed(fee=fee, burn_bps=burn_bps, effective=effective)


@external
@nonreentrant
def collect_fees():
    """
    @notice Send the treasury's part of the fees to the treasury; anyone may ask.
    """
    amount: uint256 = self.fees_held
    self.fees_held = 0
    log FeesCollected(treasury=TREASURY, amount=amount)
    raw_call(TREASURY, b"", value=amount)


@external
@view
def fee() -> uint256:
    """
    @notice The fee that holds now, wei.
    """
    return self._now().fee


@external
@view
def burn_bps() -> uint256:
    """
    @notice The share of the fee that is burned now, basis points.
    """
    return self._now().burn_bps


@external
@view
def next_terms() -> Terms:
    """
    @notice The latest proposal: fee, burn share and from when on it holds (0 when there was none).
    """
    return self._next


@internal
@view
def _now() -> Terms:
    if self._next.effective != 0 and block.timestamp >= self._next.effective:
        return self._next
    return self._terms


@internal
@payable
def _charge(reason: bytes32):
    """
    @dev Take the fee out of what was sent and give the rest back. The refund is the last thing that
        happens: callers are `@nonreentrant` and have changed all their state before.
    """
    terms: Terms = self._now()
    assert msg.value >= terms.fee, "fee"
    burned: uint256 = terms.fee * terms.burn_bps // BPS
    refund: uint256 = msg.value - terms.fee
    self.fees_held += terms.fee - burned
    log FeePaid(payer=msg.sender, fee=terms.fee, burned=burned, refunded=refund)
    extcall BURNER.burn(reason, value=burned)
    if refund != 0:
        raw_call(msg.sender, b"", value=refund)
