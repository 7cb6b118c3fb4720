# pragma version ==0.4.3
# @license Apache-2.0
"""
@title An account with code that refuses money, or calls back when it gets some
"""

refuses: public(bool)
target: public(address)
data: public(Bytes[8192])
inner_ok: public(bool)
inner_answer: public(Bytes[256])


@external
def behave(refuses: bool, target: address, data: Bytes[8192]):
    """
    @notice Say what happens when money comes.
    """
    self.refuses = refuses
    self.target = target
    self.data = data


@external
@payable
def call(target: address, data: Bytes[8192], amount: uint256) -> Bytes[1024]:
    """
    @notice Call somebody with money of this account.
    """
    return raw_call(target, data, value=amount, max_outsize=1024)


@external
@view
def onERC721Received(
    operator: address, sender: address, token_id: uint256, data: Bytes[1024]
) -> bytes4:
    """
    @notice Take any token.
    """
    return 0x150b7a02


@external
@payable
def __default__():
    assert not self.refuses, "no money, please"
    if self.target != empty(address):
        self.inner_ok, self.inner_answer = raw_call(
            self.target, self.data, max_outsize=256, revert_on_failure=False
        )
