# pragma version ==0.4.3
# @license Apache-2.0
"""
@title ERC-721 tokens that are minted once and never burned
@notice The ownership part of EIP-721 with EIP-165. Every move of a token is counted, so that a
    contract can make what an earlier owner signed worthless.
"""

from ..interfaces import IERC721Receiver

event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    token_id: indexed(uint256)


event Approval:
    owner: indexed(address)
    approved: indexed(address)
    token_id: indexed(uint256)


event ApprovalForAll:
    owner: indexed(address)
    operator: indexed(address)
    approved: bool


ERC165_ID: constant(bytes4) = 0x01ffc9a7
ERC721_ID: constant(bytes4) = 0x80ac58cd
RECEIVED: constant(bytes4) = 0x150b7a02
# What `onERC721Received` answers for yes.

NAME: immutable(String[32])
SYMBOL: immutable(String[8])

isApprovedForAll: public(HashMap[address, HashMap[address, bool]])
_owners: HashMap[uint256, address]
_balances: HashMap[address, uint256]
_approved: HashMap[uint256, address]
_moves: HashMap[uint256, uint256]


@deploy
def __init__(name_: String[32], symbol_: String[8]):
    NAME = name_
    SYMBOL = symbol_


@external
@view
def name() -> String[32]:
    """
    @notice Name of the collection.
    """
    return NAME


@external
@view
def symbol() -> String[8]:
    """
    @notice Symbol of the collection.
    """
    return SYMBOL


@external
@pure
def supportsInterface(interface_id: bytes4) -> bool:
    """
    @notice Whether the contract has an interface (EIP-165).
    @param interface_id The interface's id.
    """
    return interface_id in [ERC165_ID, ERC721_ID]


@external
@view
def balanceOf(owner: address) -> uint256:
    """
    @notice How many tokens an account owns.
    @param owner The account, not zero.
    """
    assert owner != empty(address), "owner"
    return self._balances[owner]


@external
@view
def ownerOf(token_id: uint256) -> address:
    """
    @notice Who owns a token; reverts when it does not exist.
    @param token_id The token.
    """
    return self._owner_of(token_id)


@external
@view
def getApproved(token_id: uint256) -> address:
    """
    @notice Who besides the owner may move a token.
    @param token_id The token.
    """
    self._owner_of(token_id)
    return self._approved[token_id]


@external
def approve(approved: address, token_id: uint256):
    """
    @notice Let one account move one token; zero takes it back.
    @param approved The account.
    @param token_id The token.
    """
    owner: address = self._owner_of(token_id)
    assert msg.sender == owner or self.isApprovedForAll[owner][msg.sender], "owner"
    self._approved[token_id] = approved
    log Approval(owner=owner, approved=approved, token_id=token_id)


@external
def setApprovalForAll(operator: address, approved: bool):
    """
    @notice Let an account move all tokens of the caller, or stop that.
    @param operator The account.
    @param approved Whether it may.
    """
    self.isApprovedForAll[msg.sender][operator] = approved
    log ApprovalForAll(owner=msg.sender, operator=operator, approved=approved)


@external
def transferFrom(sender: address, receiver: address, token_id: uint256):
    """
    @notice Move a token.
    @param sender Its owner.
    @param receiver Its next owner, not zero.
    @param token_id The token.
    """
    self._move(sender, receiver, token_id)


@external
def safeTransferFrom(
    sender: address, receiver: address, token_id: uint256, data: Bytes[1024] = b""
):
    """
    @notice Move a token; a contract must answer that it takes it.
    @param sender Its owner.
    @param receiver Its next owner, not zero.
    @param token_id The token.
    @param data Handed to the receiving contract.
    """
    self._move(sender, receiver, token_id)
    if receiver.is_contract:
        answer: bytes4 = extcall IERC721Receiver(receiver).onERC721Received(
            msg.sender, sender, token_id, data
        )
        assert answer == RECEIVED, "receiver"


@internal
@view
def _owner_of(token_id: uint256) -> address:
    owner: address = self._owners[token_id]
    assert owner != empty(address), "token"
    return owner


@internal
def _mint(owner: address, token_id: uint256):
    """
    @dev The caller makes sure that `token_id` is fresh and `owner` not zero.
    """
    self._owners[token_id] = owner
    self._balances[owner] += 1
    log Transfer(sender=empty(address), receiver=owner, token_id=token_id)


@internal
def _move(sender: address, receiver: address, token_id: uint256):
    owner: address = self._owner_of(token_id)
    allowed: bool = msg.sender == owner or self.isApprovedForAll[owner][msg.sender]
    assert allowed or msg.sender == self._approved[token_id], "owner"
    assert sender == owner, "sender"
    assert receiver != empty(address), "receiver"
    self._approved[token_id] = empty(address)
    self._balances[owner] -= 1
    self._balances[receiver] += 1
    self._owners[token_id] = receiver
    self._moves[token_id] += 1
    log Transfer(sender=sender, receiver=receiver, token_id=token_id)
