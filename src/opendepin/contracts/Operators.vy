# pragma version ==0.4.3
# @license Apache-2.0
"""
@title Operators
@notice Who computes: accounts with equal bonds. Every change of membership makes a new version with
    its whole list, so that a task drawn under one version is drawn the same for ever. A bond comes
    back after the exit delay, and nobody can stop that.
"""

from .interfaces import IOperators

implements: IOperators

MAX_MEMBERS: constant(uint256) = 64
MAX_EXIT_DELAY: constant(uint256) = 365 * 86_400

BOND: immutable(uint256)
EXIT_DELAY: immutable(uint256)

version: public(uint256)
is_member: public(HashMap[address, bool])
withdrawable_at: public(HashMap[address, uint256])
bonds_held: public(uint256)
_members: HashMap[uint256, DynArray[address, MAX_MEMBERS]]


@deploy
def __init__(bond: uint256, exit_delay: uint256):
    """
    @notice Start at version 0 without members.
    @param bond What each operator bonds, wei, above zero.
    @param exit_delay Seconds between leaving and withdrawing, above zero.
    """
    assert bond != 0, "bond"
    assert exit_delay != 0 and exit_delay <= MAX_EXIT_DELAY, "exit delay"
    BOND = bond
    EXIT_DELAY = exit_delay


@external
@payable
def join():
    """
    @notice Become an operator by bonding exactly the bond.
    """
    assert msg.value == BOND, "bond"
    assert not self.is_member[msg.sender], "member"
    assert self.withdrawable_at[msg.sender] == 0, "withdraw first"
    members: DynArray[address, MAX_MEMBERS] = self._members[self.version]
    assert len(members) < MAX_MEMBERS, "full"
    members.append(msg.sender)
    self.is_member[msg.sender] = True
    self.bonds_held += BOND
    self._renew(members)
    log IOperators.Joined(operator=msg.sender, version=self.version)


@external
def leave():
    """
    @notice Stop being drawn from the next version on; the bond may be withdrawn after the exit delay.
    """
    assert self.is_member[msg.sender], "member"
    members: DynArray[address, MAX_MEMBERS] = []
    for member: address in self._members[self.version]:
        if member != msg.sender:
            members.append(member)
    self.is_member[msg.sender] = False
    at: uint256 = block.timestamp + EXIT_DELAY
    self.withdrawable_at[msg.sender] = at
    self._renew(members)
    log IOperators.Left(operator=msg.sender, version=self.version, withdrawable_at=at)


@external
@nonreentrant
def withdraw(to: address = msg.sender):
    """
    @notice Take the caller's bond back after the exit delay.
    @param to Who receives it: the caller unless it says otherwise, so that an operator that cannot
        receive money is not stuck.
    """
    at: uint256 = self.withdrawable_at[msg.sender]
    assert at != 0, "leave first"
    assert block.timestamp >= at, "exit delay"
    assert to != empty(address) and to != self, "receiver"
    self.withdrawable_at[msg.sender] = 0
    self.bonds_held -= BOND
    log IOperators.Withdrawn(operator=msg.sender, to=to, amount=BOND)
    raw_call(to, b"", value=BOND)


@external
@view
def bond() -> uint256:
    """
    @notice What each operator bonds, wei.
    """
    return BOND


@external
@view
def exit_delay() -> uint256:
    """
    @notice Seconds between leaving and withdrawing.
    """
    return EXIT_DELAY


@external
@view
def member_count(version: uint256) -> uint256:
    """
    @notice How many operators a version has.
    @param version The version; none above the present one has any.
    """
    return len(self._members[version])


@external
@view
def member(version: uint256, i: uint256) -> address:
    """
    @notice An operator of a version; reverts above the last.
    @param version The version.
    @param i Place in its list, from 0.
    """
    assert i < len(self._members[version]), "member"
    return self._members[version][i]


@internal
def _renew(members: DynArray[address, MAX_MEMBERS]):
    self.version += 1
    self._members[self.version] = members
