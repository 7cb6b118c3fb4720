# pragma version ==0.4.3
# @license Apache-2.0
"""
@title Deposits of the projects, reserves of their tasks
@notice Every wei that came in is in exactly one place: a project's free balance, the reserve of a task
        that runs, the pay held for a settled task's devices, paid, burned, or withdrawn.
        A task has one account; it goes from reserved to held or away, once.
@dev Immutable, no administrator, no pause. Value leaves to whoever is owed it; nothing else is called on
     the way out but `Burner`, which takes everything.
"""

from .interfaces import IBurner
from .interfaces import IEscrow
from .interfaces import IProjects

implements: IEscrow

BPS: constant(uint256) = 10_000
MAX_PROTOCOL_BPS: constant(uint256) = 5_000
# What the protocol's share is counted under: "settlement" in ASCII.
BURN_REASON: constant(bytes32) = 0x736574746c656d656e7400000000000000000000000000000000000000000000

# Enough for a contract wallet; an operator cannot make whoever sends its proof pay for more.
OPERATOR_PAY_GAS: constant(uint256) = 50_000

# A task's account is one word: amount | project << 128 | phase << 192.
AMOUNT_MASK: constant(uint256) = 2**128 - 1
PROJECT_MASK: constant(uint256) = 2**64 - 1
RESERVED: constant(uint256) = 1
HELD: constant(uint256) = 2

MAX_SETTLED: constant(uint256) = 16
MAX_CLAIMED: constant(uint256) = 32

projects: public(immutable(address))
burner: public(immutable(address))
protocol_bps: public(immutable(uint256))
_deployer: immutable(address)

settlement: public(address)
balance_of: public(HashMap[uint64, uint256])
owed: public(HashMap[address, uint256])
_accounts: HashMap[bytes32, uint256]

# What `pay` left to `pay_due`; empty again before the transaction of settlement ends.
_due: transient(HashMap[address, uint256])
_unburned: transient(uint256)


@deploy
def __init__(projects_: address, burner_: address, protocol_bps_: uint256):
    """
    @notice Bind the registry of projects, the sink, and the protocol's share for good.
    @param projects_ The ERC-721 whose token owners are the projects' owners.
    @param burner_ The contract everything burned goes to.
    @param protocol_bps_ Share of operator and device pay that is burned on top, in 1/10,000.
    """
    assert projects_ != empty(address) and burner_ != empty(address), "address"
    assert protocol_bps_ <= MAX_PROTOCOL_BPS, "bps"
    projects = projects_
    burner = burner_
    protocol_bps = protocol_bps_
    _deployer = msg.sender
    extcall IBurner(burner_).set_up(BURN_REASON)


@external
def bind(settlement: address):
    """
    @notice Name the settlement contract, once and for good. Only whoever deployed this contract.
    @param settlement The only contract that may reserve, pay and release.
    """
    assert msg.sender == _deployer, "deployer"
    assert self.settlement == empty(address), "bound"
    assert settlement.is_contract, "settlement"
    self.settlement = settlement
    log IEscrow.SettlementBound(settlement=settlement)


@external
@payable
def deposit(project: uint64):
    """
    @notice Add to a project's balance. Anyone.
    @param project An existing project.
    """
    assert msg.value > 0, "value"
    assert self._owner(project) != empty(address), "project"
    self.balance_of[project] += msg.value
    log IEscrow.Deposited(project=project, sender=msg.sender, amount=msg.value)


@external
@nonreentrant
def withdraw(project: uint64, amount: uint256):
    """
    @notice Take from a project's balance, never from what is reserved or held. Only the project's owner.
    @param project The project.
    @param amount Wei.
    """
    assert msg.sender == self._owner(project), "owner"
    assert 0 < amount and amount <= self.balance_of[project], "balance"
    self.balance_of[project] = unsafe_sub(self.balance_of[project], amount)
    log IEscrow.Withdrawn(project=project, owner=msg.sender, amount=amount)
    raw_call(msg.sender, b"", value=amount)


@external
def reserve(task: bytes32, project: uint64, work: uint256):
    """
    @notice Set aside what a task can cost at most: the work and the protocol's share of it. Only settlement.
    @param task The task; it must have no account yet.
    @param project Who pays.
    @param work Wei for the operator and for every reading as a paid unit.
    """
    self._only_settlement()
    amount: uint256 = work + self._share(work)
    assert self._accounts[task] == 0, "account"
    assert amount <= AMOUNT_MASK and amount <= self.balance_of[project], "funds"
    self.balance_of[project] = unsafe_sub(self.balance_of[project], amount)
    self._accounts[task] = self._account(amount, project, RESERVED)
    log IEscrow.Reserved(task=task, project=project, amount=amount)


@external
@nonreentrant
def pay(
    task: bytes32, operator: address, fee: uint256, held: uint256, later: bool
) -> (uint256, uint256):
    """
    @notice Close a task's reserve: pay the operator, hold the devices' pay, burn the protocol's share, and
            give the rest back to the project's balance. Only settlement.
    @param task A task with a reserve.
    @param operator Who proved it.
    @param fee Wei for the operator.
    @param held Wei for the devices, pulled later.
    @param later Leave what leaves to `pay_due`, in the same transaction.
    @return Wei burned, wei given back.
    """
    self._only_settlement()
    amount: uint256 = 0
    project: uint64 = 0
    amount, project = self._open(task, RESERVED)
    burned: uint256 = self._share(fee + held)
    refunded: uint256 = amount - (fee + held + burned)
    self._accounts[task] = 0 if held == 0 else self._account(held, project, HELD)
    if refunded > 0:
        self.balance_of[project] += refunded
    log IEscrow.TaskPaid(
        task=task,
        project=project,
        operator=operator,
        paid=fee,
        held=held,
        burned=burned,
        refunded=refunded,
    )
    if later:
        self._due[operator] += fee
        self._unburned += burned
        return burned, refunded
    if fee > 0:
        raw_call(operator, b"", value=fee, gas=OPERATOR_PAY_GAS)
    if burned > 0:
        extcall IBurner(burner).burn(BURN_REASON, value=burned)
    return burned, refunded


@external
@nonreentrant
def pay_due(operators: DynArray[address, MAX_SETTLED]):
    """
    @notice Pay and burn at once what `pay` left for later. Only settlement.
    @dev An operator that does not take its pay stops nobody's; it is owed, see `collect`.
    @param operators Who is paid; the same one again changes nothing.
    """
    self._only_settlement()
    burned: uint256 = self._unburned
    self._unburned = 0
    for operator: address in operators:
        due: uint256 = self._due[operator]
        if due > 0:
            self._due[operator] = 0
            taken: bool = raw_call(
                operator, b"", value=due, gas=OPERATOR_PAY_GAS, revert_on_failure=False
            )
            if not taken:
                self.owed[operator] += due
                log IEscrow.PayOwed(operator=operator, amount=due)
    if burned > 0:
        extcall IBurner(burner).burn(BURN_REASON, value=burned)


@external
@nonreentrant
def collect(operator: address):
    """
    @notice Pay an operator what it did not take before. Anyone.
    @param operator Who is owed.
    """
    amount: uint256 = self.owed[operator]
    assert amount > 0, "owed"
    self.owed[operator] = 0
    log IEscrow.OwedPaid(operator=operator, amount=amount)
    raw_call(operator, b"", value=amount)


@external
def release(task: bytes32):
    """
    @notice Give a task's whole reserve back to its project's balance and delete the account. Only settlement.
    @param task A task with a reserve.
    """
    self._only_settlement()
    amount: uint256 = 0
    project: uint64 = 0
    amount, project = self._open(task, RESERVED)
    self._accounts[task] = 0
    self.balance_of[project] += amount
    log IEscrow.Released(task=task, project=project, amount=amount)


@external
@nonreentrant
def pay_device(task: bytes32, owner: address, amount: uint256):
    """
    @notice Pay a device's owner out of what is held for a settled task. Only settlement.
    @param task A settled task.
    @param owner Who is paid.
    @param amount Wei.
    """
    self._only_settlement()
    self._take_held(task, owner, amount)
    raw_call(owner, b"", value=amount)


@external
@nonreentrant
def pay_device_many(
    tasks: DynArray[bytes32, MAX_CLAIMED], amounts: DynArray[uint256, MAX_CLAIMED], owner: address
):
    """
    @notice Pay a device's owner out of what is held for several tasks, at once. Only settlement.
    @param tasks Settled tasks.
    @param amounts Wei out of each.
    @param owner Who is paid.
    """
    self._only_settlement()
    total: uint256 = 0
    for i: uint256 in range(len(tasks), bound=MAX_CLAIMED):
        self._take_held(tasks[i], owner, amounts[i])
        total += amounts[i]
    raw_call(owner, b"", value=total)


@external
@view
def reserved(task: bytes32) -> uint256:
    """
    @notice Return what is set aside for a task that runs.
    @param task The task.
    @return Wei; 0 when it has no reserve (any more).
    """
    return self._amount(task, RESERVED)


@external
@view
def held(task: bytes32) -> uint256:
    """
    @notice Return what is still held for the devices of a settled task.
    @param task The task.
    @return Wei.
    """
    return self._amount(task, HELD)


@external
@view
def cost(work: uint256) -> uint256:
    """
    @notice Return what a task with this work sets aside.
    @param work Wei for operator and devices.
    @return Wei, the protocol's share included.
    """
    return work + self._share(work)


@internal
@view
def _amount(task: bytes32, phase: uint256) -> uint256:
    account: uint256 = self._accounts[task]
    return account & AMOUNT_MASK if account >> 192 == phase else 0


@internal
@view
def _open(task: bytes32, phase: uint256) -> (uint256, uint64):
    account: uint256 = self._accounts[task]
    assert account >> 192 == phase, "account"
    return account & AMOUNT_MASK, convert((account >> 128) & PROJECT_MASK, uint64)


@internal
def _take_held(task: bytes32, owner: address, amount: uint256):
    held: uint256 = 0
    project: uint64 = 0
    held, project = self._open(task, HELD)
    assert 0 < amount and amount <= held, "held"
    rest: uint256 = unsafe_sub(held, amount)
    self._accounts[task] = 0 if rest == 0 else self._account(rest, project, HELD)
    log IEscrow.HeldPaid(task=task, owner=owner, amount=amount)


@internal
@pure
def _account(amount: uint256, project: uint64, phase: uint256) -> uint256:
    return amount | convert(project, uint256) << 128 | phase << 192


@internal
@view
def _share(amount: uint256) -> uint256:
    return amount * protocol_bps // BPS


@internal
@view
def _only_settlement():
    assert msg.sender == self.settlement, "settlement"


@internal
@view
def _owner(project: uint64) -> address:
    return staticcall IProjects(projects).ownerOf(convert(project, uint256))
