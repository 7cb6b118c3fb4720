# pragma version ==0.4.3
# @license Apache-2.0
"""
@title Operators
@notice Who computes: accounts with a bond, a capacity and the kinds of proof they make. A task is drawn by
    stake times score out of a snapshot of all of them, which is renewed at most once an epoch and
    never changes; who pauses, is full or leaves is passed over from that moment on. A missed deadline
    costs a share of the bond, which goes to the project; who has less than half of it left is not drawn
    until it adds to its stake. A bond comes back after the exit delay and
    the last task, and nobody can stop that.
@dev An operator is one word:
         stake | score << 96 | load << 104 | capacity << 120 | kinds << 136 | seat << 152 | flags << 160
         | withdrawable at << 168
     A snapshot is a contract without functions that answers with its words, one per operator with a
     weight, in the order of seats: cumulative weight | address << 96. It stands at the CREATE2 address of
     its own content, so that address binds the whole list.
"""

from .interfaces import IEscrow
from .interfaces import IOperators
from .interfaces import ISettlement

implements: IOperators

BPS: constant(uint256) = 10_000
MAX_MEMBERS: constant(uint256) = 64
MAX_DELAY: constant(uint256) = 365 * 86_400
# Wei. Weights count in 10**9 wei; 64 of them times the best score fit 96 bits.
MAX_STAKE: constant(uint256) = 2**96 - 1
WEIGHT_UNIT: constant(uint256) = 10**9
MAX_CAPACITY: constant(uint256) = 2**16 - 1
MAX_KINDS: constant(uint256) = 2**16 - 1

# A score is 1..100; a newcomer has 50.
NEUTRAL: constant(uint256) = 50
BEST: constant(uint256) = 100
WORST: constant(uint256) = 1
GAIN: constant(uint256) = 1
DECLINE_LOSS: constant(uint256) = 2
MISS_LOSS: constant(uint256) = 20

# How a task left its operator.
ON_TIME: constant(uint256) = 1
DECLINED: constant(uint256) = 2
MISSED: constant(uint256) = 3

# Draws by weight before the next places are taken in turn; `opendepin.core.draw` has the same.
PROBES: constant(uint256) = 8
DRAW_DOMAIN: constant(bytes32) = keccak256("opendepin/draw/1")

STAKE_MASK: constant(uint256) = 2**96 - 1
BYTE_MASK: constant(uint256) = 2**8 - 1
SHORT_MASK: constant(uint256) = 2**16 - 1
TIME_MASK: constant(uint256) = 2**40 - 1
MEMBER: constant(uint256) = 1 << 160
PAUSED: constant(uint256) = 1 << 161

# PUSH1 11 CODESIZE SUB DUP1 PUSH1 11 PUSH0 CODECOPY PUSH0 RETURN: answers with all that follows it.
# Once to create a snapshot, once to read it.
ANSWER: constant(Bytes[11]) = x"600b380380600b5f395ff3"

BOND: immutable(uint256)
LEAST: immutable(uint256)
EXIT_DELAY: immutable(uint256)
EPOCH: immutable(uint256)
MISS_AMOUNT: immutable(uint256)
_deployer: immutable(address)

settlement: public(address)
escrow: public(address)
bonds_held: public(uint256)
snapshots: public(HashMap[uint256, address])
last_exit: public(uint256)
_operators: HashMap[address, uint256]
_seats: DynArray[address, MAX_MEMBERS]
_clock: uint256  # version | renewed at << 40 | members << 80


@deploy
def __init__(bond: uint256, exit_delay: uint256, epoch: uint256, miss_bps: uint256):
    """
    @notice Start at version 0 without members.
    @param bond What an operator bonds at least, wei.
    @param exit_delay Seconds between leaving and withdrawing, above zero.
    @param epoch Seconds that a snapshot holds at least.
    @param miss_bps Share of the bond that a missed deadline costs, in 1/10,000.
    """
    assert bond >= WEIGHT_UNIT and bond <= MAX_STAKE, "bond"
    assert exit_delay != 0 and exit_delay <= MAX_DELAY, "exit delay"
    assert epoch <= MAX_DELAY, "epoch"
    assert miss_bps <= BPS, "share"
    BOND = bond
    LEAST = bond // 2
    EXIT_DELAY = exit_delay
    EPOCH = epoch
    MISS_AMOUNT = bond * miss_bps // BPS
    _deployer = msg.sender


@external
def bind(settlement: address):
    """
    @notice Name the settlement contract, once and for good. Only whoever deployed this contract.
    @param settlement The only contract that draws operators and says how they did.
    """
    assert msg.sender == _deployer, "deployer"
    assert self.settlement == empty(address), "bound"
    self.settlement = settlement
    self.escrow = staticcall ISettlement(settlement).escrow()


@external
@payable
def join(capacity: uint256, kinds: uint256):
    """
    @notice Become an operator; drawn from the next snapshot on. A score from before is kept.
    @param capacity Tasks at once, above zero.
    @param kinds Bit mask of the kinds of proof it makes.
    """
    word: uint256 = self._operators[msg.sender]
    assert word & MEMBER == 0, "member"
    assert word >> 168 == 0, "withdraw first"
    assert msg.value >= BOND and msg.value <= MAX_STAKE, "bond"
    self._check_offer(capacity, kinds)
    assert len(self._seats) < MAX_MEMBERS, "full"
    seat: uint256 = len(self._seats)
    self._seats.append(msg.sender)
    score: uint256 = self._score(word)
    self._operators[msg.sender] = (
        msg.value | score << 96 | capacity << 120 | kinds << 136 | seat << 152 | MEMBER
    )
    self.bonds_held += msg.value
    log IOperators.Joined(operator=msg.sender, stake=msg.value, capacity=capacity, kinds=kinds)


@external
@payable
def add_stake():
    """
    @notice Add to the caller's stake: after a slash to be drawn again, or to be drawn more often.
    """
    word: uint256 = self._member(msg.sender)
    stake: uint256 = (word & STAKE_MASK) + msg.value
    assert msg.value != 0 and stake <= MAX_STAKE, "stake"
    self._operators[msg.sender] = word + msg.value
    self.bonds_held += msg.value
    log IOperators.StakeAdded(operator=msg.sender, amount=msg.value, stake=stake)


@external
def offer(capacity: uint256, kinds: uint256):
    """
    @notice Change how many tasks at once, and which kinds of proof, the caller takes from now on.
    @param capacity Tasks at once, above zero.
    @param kinds Bit mask of the kinds of proof.
    """
    word: uint256 = self._member(msg.sender)
    self._check_offer(capacity, kinds)
    word &= ~((SHORT_MASK << 120) | (SHORT_MASK << 136))
    self._operators[msg.sender] = word | capacity << 120 | kinds << 136
    log IOperators.Offered(operator=msg.sender, capacity=capacity, kinds=kinds)


@external
def pause():
    """
    @notice Be drawn for no new task, from now on. Tasks that the caller has stay due.
    """
    word: uint256 = self._member(msg.sender)
    assert word & PAUSED == 0, "paused"
    self._operators[msg.sender] = word | PAUSED
    log IOperators.Paused(operator=msg.sender)


@external
def resume():
    """
    @notice Be drawn again: at once where the snapshot has the caller, else from the next one on.
    """
    word: uint256 = self._member(msg.sender)
    assert word & PAUSED != 0, "not paused"
    self._operators[msg.sender] = word & ~PAUSED
    log IOperators.Resumed(operator=msg.sender)


@external
def leave():
    """
    @notice Be drawn for no new task, and queue for the exit: the bond may be withdrawn after the exit
        delay, at least a 64th of the delay after the one before, once no task is due any more.
    """
    word: uint256 = self._member(msg.sender)
    at: uint256 = max(block.timestamp + EXIT_DELAY, self.last_exit + EXIT_DELAY // MAX_MEMBERS)
    self.last_exit = at
    seat: uint256 = (word >> 152) & BYTE_MASK
    last: address = self._seats.pop()
    if last != msg.sender:
        self._seats[seat] = last
        self._operators[last] = self._operators[last] & ~(BYTE_MASK << 152) | seat << 152
    self._operators[msg.sender] = word & (MEMBER - 1) | at << 168
    log IOperators.Left(operator=msg.sender, withdrawable_at=at)


@external
@nonreentrant
def withdraw(to: address = msg.sender):
    """
    @notice Take what is left of the caller's stake back after the exit delay.
    @param to Who receives it: the caller unless it says otherwise, so that an operator that cannot
        receive money is not stuck.
    """
    word: uint256 = self._operators[msg.sender]
    at: uint256 = word >> 168
    assert at != 0, "leave first"
    assert block.timestamp >= at, "exit delay"
    assert (word >> 104) & SHORT_MASK == 0, "tasks due"
    assert to != empty(address) and to != self, "receiver"
    amount: uint256 = word & STAKE_MASK
    self._operators[msg.sender] = word & (BYTE_MASK << 96)
    self.bonds_held -= amount
    log IOperators.Withdrawn(operator=msg.sender, to=to, amount=amount)
    raw_call(to, b"", value=amount)


@external
def snapshot() -> (uint256, uint256):
    """
    @notice Renew the snapshot when its epoch is over and operators have changed. Anyone.
    @return The version that holds now, and how many operators it has.
    """
    clock: uint256 = self._clock
    version: uint256 = clock & TIME_MASK
    count: uint256 = clock >> 80
    if count != 0 and block.timestamp < ((clock >> 40) & TIME_MASK) + EPOCH:
        return version, count
    words: DynArray[uint256, MAX_MEMBERS] = self._weighed()
    list: Bytes[32 * MAX_MEMBERS + 64] = slice(abi_encode(words), 64, 32 * len(words))
    if (
        len(words) != count
        or keccak256(concat(ANSWER, list)) != self.snapshots[version].codehash
    ):
        version += 1
        count = len(words)
        at: address = empty(address)
        if count != 0:
            at = raw_create(concat(ANSWER, ANSWER, list), salt=convert(version, bytes32))
        self.snapshots[version] = at
        log IOperators.Snapshot(version=version, members=count, at=at)
    self._clock = version | block.timestamp << 40 | count << 80
    return version, count


@external
def draw(
    version: uint256,
    task: bytes32,
    seed: bytes32,
    attempt: uint256,
    before: address,
    kind: uint256,
) -> (address, uint256):
    """
    @notice Draw the operator of a task and count the task as its own. Only settlement. The rule is that of
        `opendepin.core.draw`.
    @param version The snapshot.
    @param task The task.
    @param seed The hash of a block after the snapshot.
    @param attempt How often it was taken from an operator.
    @param before Who had it last: drawn again only when nobody else is free.
    @param kind The kind of proof.
    @return The operator, and how many candidates before it were not free.
    """
    self._only_settlement()
    at: address = self.snapshots[version]
    assert at != empty(address), "operators"
    list: Bytes[32 * MAX_MEMBERS] = raw_call(
        at, b"", max_outsize=32 * MAX_MEMBERS, is_static_call=True
    )
    count: uint256 = len(list) // 32
    total: uint256 = convert(extract32(list, 32 * (count - 1)), uint256) & STAKE_MASK
    place: uint256 = 0
    for skipped: uint256 in range(PROBES + count - 1, bound=PROBES + MAX_MEMBERS):
        if skipped < PROBES:
            digest: bytes32 = keccak256(abi_encode(DRAW_DOMAIN, task, seed, attempt, skipped))
            place = self._place(list, count, convert(digest, uint256) % total)
        else:
            place = (place + 1) % count
        found: address = convert(
            convert(extract32(list, 32 * place), uint256) >> 96, address
        )
        if found != before:
            word: uint256 = self._operators[found]
            if self._is_free(word, kind):
                self._operators[found] = word + (1 << 104)
                return found, skipped
    last: uint256 = self._operators[before]
    assert self._is_free(last, kind), "operators"
    self._operators[before] = last + (1 << 104)
    return before, PROBES + count - 1


@external
def release(operator: address, outcome: uint256, project: uint64) -> uint256:
    """
    @notice Note how a task left its operator. Only settlement.
    @param operator Who had it.
    @param outcome 1 settled on time, 2 declined, 3 deadline missed; anything else says nothing of it.
    @param project Who is given the slashed share of a missed one.
    @return Wei slashed.
    """
    self._only_settlement()
    word: uint256 = self._operators[operator] - (1 << 104)
    score: uint256 = self._score(word)
    slashed: uint256 = 0
    if outcome == ON_TIME:
        score = min(score + GAIN, BEST)
    elif outcome == DECLINED:
        score = max(score, WORST + DECLINE_LOSS) - DECLINE_LOSS
    elif outcome == MISSED:
        score = max(score, WORST + MISS_LOSS) - MISS_LOSS
        slashed = min(word & STAKE_MASK, MISS_AMOUNT)
        word -= slashed
    self._operators[operator] = word & ~(BYTE_MASK << 96) | score << 96
    if slashed != 0:
        self.bonds_held -= slashed
        log IOperators.Slashed(operator=operator, project=project, amount=slashed)
        extcall IEscrow(self.escrow).deposit(project, value=slashed)
    return slashed


@external
@view
def operator(operator: address) -> IOperators.Operator:
    """
    @notice Return what is known of an operator.
    @param operator Its account.
    """
    word: uint256 = self._operators[operator]
    return IOperators.Operator(
        stake=word & STAKE_MASK,
        score=self._score(word),
        load=(word >> 104) & SHORT_MASK,
        capacity=(word >> 120) & SHORT_MASK,
        kinds=(word >> 136) & SHORT_MASK,
        member=word & MEMBER != 0,
        paused=word & PAUSED != 0,
        withdrawable_at=word >> 168,
    )


@external
@view
def members(version: uint256) -> DynArray[IOperators.Member, MAX_MEMBERS]:
    """
    @notice Return the operators of a snapshot and their weights, in its order; none for an unknown one.
    @param version The version.
    """
    found: DynArray[IOperators.Member, MAX_MEMBERS] = []
    at: address = self.snapshots[version]
    if at == empty(address):
        return found
    list: Bytes[32 * MAX_MEMBERS] = raw_call(
        at, b"", max_outsize=32 * MAX_MEMBERS, is_static_call=True
    )
    below: uint256 = 0
    for i: uint256 in range(len(list) // 32, bound=MAX_MEMBERS):
        word: uint256 = convert(extract32(list, 32 * i), uint256)
        upto: uint256 = word & STAKE_MASK
        found.append(
            IOperators.Member(operator=convert(word >> 96, address), weight=upto - below)
        )
        below = upto
    return found


@external
@view
def seats() -> DynArray[address, MAX_MEMBERS]:
    """
    @notice Return all operators that have not left, whether they can be drawn or not.
    """
    return self._seats


@external
@view
def is_member(operator: address) -> bool:
    """
    @notice Say whether an account is an operator that has not left.
    @param operator The account.
    """
    return self._operators[operator] & MEMBER != 0


@external
@view
def is_free(operator: address, kind: uint256) -> bool:
    """
    @notice Say whether an operator would take a task now.
    @param operator The account.
    @param kind The kind of proof.
    """
    return self._is_free(self._operators[operator], kind)


@external
@view
def version() -> uint256:
    """
    @notice The newest snapshot's version; 0 before the first.
    """
    return self._clock & TIME_MASK


@external
@view
def bond() -> uint256:
    """
    @notice What an operator bonds at least, wei.
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
def epoch() -> uint256:
    """
    @notice Seconds that a snapshot holds at least.
    """
    return EPOCH


@external
@view
def miss_amount() -> uint256:
    """
    @notice What a missed deadline costs, wei.
    """
    return MISS_AMOUNT


@internal
@view
def _weighed() -> DynArray[uint256, MAX_MEMBERS]:
    words: DynArray[uint256, MAX_MEMBERS] = []
    total: uint256 = 0
    for seat: address in self._seats:
        word: uint256 = self._operators[seat]
        stake: uint256 = word & STAKE_MASK
        if stake >= LEAST and word & PAUSED == 0:
            total += stake // WEIGHT_UNIT * self._score(word)
            words.append(total | convert(seat, uint256) << 96)
    return words


@internal
@pure
def _place(list: Bytes[32 * MAX_MEMBERS], count: uint256, point: uint256) -> uint256:
    # The first word whose cumulative weight lies above the point.
    low: uint256 = 0
    high: uint256 = count - 1
    for _: uint256 in range(7):
        if low == high:
            break
        middle: uint256 = (low + high) >> 1
        if convert(extract32(list, 32 * middle), uint256) & STAKE_MASK > point:
            high = middle
        else:
            low = middle + 1
    return low


@internal
@view
def _is_free(word: uint256, kind: uint256) -> bool:
    return (
        word & (MEMBER | PAUSED) == MEMBER
        and word & STAKE_MASK >= LEAST
        and (word >> 104) & SHORT_MASK < (word >> 120) & SHORT_MASK
        and (word >> (136 + kind)) & 1 == 1
        and kind < 16
    )


@internal
@pure
def _score(word: uint256) -> uint256:
    score: uint256 = (word >> 96) & BYTE_MASK
    return NEUTRAL if score == 0 else score


@internal
@view
def _member(operator: address) -> uint256:
    word: uint256 = self._operators[operator]
    assert word & MEMBER != 0, "member"
    return word


@internal
@pure
def _check_offer(capacity: uint256, kinds: uint256):
    assert capacity != 0 and capacity <= MAX_CAPACITY, "capacity"
    assert kinds != 0 and kinds <= MAX_KINDS, "kinds"


@internal
@view
def _only_settlement():
    assert msg.sender == self.settlement, "settlement"
