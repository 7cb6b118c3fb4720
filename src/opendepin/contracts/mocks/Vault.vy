# pragma version ==0.4.3
# @license Apache-2.0
"""
@title Vault
@notice For tests: an owner that is a contract. It takes tokens and money, or refuses them, as told,
    and accepts the signature of one digest (EIP-1271).
"""

accepted: public(bytes32)
answer: public(bytes4)
takes_tokens: public(bool)
takes_money: public(bool)
reenters: public(address)
reentry: Bytes[260]
received: public(uint256)


@external
def expect(accepted: bytes32, answer: bytes4):
    """
    @notice Accept signatures of this digest by this answer.
    """
    self.accepted = accepted
    self.answer = answer


@external
def allow(takes_tokens: bool, takes_money: bool):
    """
    @notice Take tokens or money from now on, or refuse them.
    """
    self.takes_tokens = takes_tokens
    self.takes_money = takes_money


@external
def reenter(target: address, data: Bytes[260]):
    """
    @notice Call a contract whenever money comes in, and give its failure on.
    """
    self.reenters = target
    self.reentry = data


@external
@payable
def execute(target: address, data: Bytes[4096]):
    """
    @notice Call a contract with the money sent along.
    """
    raw_call(target, data, value=msg.value)


@external
@view
def isValidSignature(digest: bytes32, signed: Bytes[1024]) -> bytes4:
    """
    @notice Judge a signature: the expected digest gets the set answer.
    """
    assert digest == self.accepted, "digest"
    return self.answer


@external
def onERC721Received(
    operator: address, before: address, token_id: uint256, data: Bytes[1024]
) -> bytes4:
    """
    @notice Answer for a token as told.
    """
    return 0x150b7a02 if self.takes_tokens else 0x00000000


@external
@payable
def __default__():
    """
    @notice Take money as told.
    """
    assert self.takes_money, "money"
    self.received += msg.value
    if self.reenters != empty(address):
        raw_call(self.reenters, self.reentry)
