# pragma version ==0.4.3
# @license Apache-2.0
"""
@title Settlement
@notice One task per segment of an attested batch. An operator is drawn for it; who holds a proof of the
    statement that this contract computes from its own storage settles it: the operator is paid, the
    devices' pay is held under a root computed here, the protocol's share is burned, the rest goes
    back, and the project's contract is told. Every task is paid once or recalled once. Up to sixteen
    tasks of one program settle in one transaction, each for itself.
@dev Digests: docs/spec/encodings.md. Immutable, no administrator, no pause.
"""

from .interfaces import IBatchInbox
from .interfaces import IDevices
from .interfaces import IEscrow
from .interfaces import IOperators
from .interfaces import IPrograms
from .interfaces import IProjects
from .interfaces import ISettlement
from .modules import block_history
from .modules import digests
from .modules import encoded_outputs
from .modules import pay_tree
from .modules import result_tree
from .modules import task_records

implements: ISettlement

initializes: task_records

exports: (task_records.task, task_records.result, task_records.claimed, task_records.task_at)

REVOKED: constant(uint8) = 3
MAX_SEGMENTS: constant(uint256) = 16
MAX_VERSION: constant(uint256) = 2**40 - 1

# Draws per task: bounds how long re-assignment can keep the owner from recalling.
MAX_ATTEMPTS: constant(uint256) = 32

# The owner may recall this many windows after a task was opened or its last deadline passed.
RECALL_WINDOWS: constant(uint256) = 4
MAX_WINDOW: constant(uint256) = 30 * 86_400

# How a task leaves its operator, as `Operators.release` has it.
UNJUDGED: constant(uint256) = 0
ON_TIME: constant(uint256) = 1
DECLINED: constant(uint256) = 2
MISSED: constant(uint256) = 3

# Of one transaction.
MAX_MANY: constant(uint256) = 16
MAX_CLAIMED: constant(uint256) = 32

struct Settled:
    leaf: bytes32
    producer: address

network_id: public(immutable(bytes32))
inbox: public(immutable(address))
programs: public(immutable(address))
operators: public(immutable(address))
escrow: public(immutable(address))
devices: public(immutable(address))
projects: public(immutable(address))
draw_delay: public(immutable(uint256))
window: public(immutable(uint256))
recall_delay: public(immutable(uint256))

# Root over the results of one transaction → its block.
results_at: public(HashMap[bytes32, uint256])


@deploy
def __init__(
    network_id_: bytes32,
    inbox_: address,
    programs_: address,
    operators_: address,
    escrow_: address,
    devices_: address,
    draw_delay_: uint256,
    window_: uint256,
):
    """
    @notice Bind everything a statement and a payment depend on, for good.
    @param network_id_ The network.
    @param inbox_ Where attested batches stand.
    @param programs_ Program versions.
    @param operators_ Operators by version.
    @param escrow_ Deposits; its `bind` must name this contract.
    @param devices_ Device registry.
    @param draw_delay_ L1 blocks from opening a task to the block whose hash draws its operator.
    @param window_ Seconds an operator has before another may be drawn.
    """
    assert network_id_ != empty(bytes32), "network"
    assert 0 < draw_delay_ and draw_delay_ < block_history.HASHES, "delay"
    assert 0 < window_ and window_ <= MAX_WINDOW, "window"
    network_id = network_id_
    inbox = inbox_
    programs = programs_
    operators = operators_
    escrow = escrow_
    devices = devices_
    projects = staticcall IPrograms(programs_).projects()
    draw_delay = draw_delay_
    window = window_
    recall_delay = window_ * RECALL_WINDOWS


@external
@nonreentrant
def open(batch: uint64, segment_index: uint256, segment: IBatchInbox.Segment) -> bytes32:
    """
    @notice Open the task of a segment under the program that was in force when the inbox took its batch,
        and reserve what it can cost. Anyone. A segment has one task, ever.
    @param batch Number of a batch that the inbox accepted.
    @param segment_index Place of the segment in it.
    @param segment The segment, as the inbox has hashed it.
    @return The task's id.
    """
    kept: bytes32 = staticcall IBatchInbox(inbox).segment_hash(batch, segment_index)
    assert segment_index < MAX_SEGMENTS and kept == digests.segment_hash(segment), "segment"
    assert segment.field_root != 0, "field root"
    project: uint64 = segment.project
    taken: uint256 = convert(staticcall IBatchInbox(inbox).inbox_block(batch), uint256)
    program: bytes32 = staticcall IPrograms(programs).in_force(project, taken)
    assert program != empty(bytes32), "program"
    assert task_records.task_at[batch][segment_index] == empty(bytes32), "opened"
    index: uint64 = convert(segment_index, uint64)
    task: bytes32 = digests.task_id(network_id, inbox, batch, index, project, program)
    version: uint256 = 0
    members: uint256 = 0
    version, members = extcall IOperators(operators).snapshot()
    assert version <= MAX_VERSION and members > 0, "operators"
    terms: IPrograms.Terms = staticcall IPrograms(programs).terms(project, program)
    count: uint256 = convert(segment.count, uint256)
    task_records.task_at[batch][segment_index] = task
    task_records.tasks[task].segment_root = segment.root
    task_records.tasks[task].field_root = segment.field_root
    task_records.tasks[task].program = program
    task_records.tasks[task].origin = task_records._origin(
        project, batch, count, version, block.number, segment_index
    )
    task_records.tasks[task].duty = task_records._duty(
        empty(address), block.timestamp, 0, task_records.OPEN, terms.kind
    )
    log ISettlement.TaskOpened(
        task=task,
        project=project,
        batch=batch,
        segment_index=segment_index,
        program=program,
        count=count,
    )
    work: uint256 = terms.operator_fee + count * terms.unit_rate
    extcall IEscrow(escrow).reserve(task, project, work)
    return task


@external
@nonreentrant
def assign(task: bytes32):
    """
    @notice Draw the operator of an open task, once its seed block is there. Anyone; nobody can choose. The
        rule is that of `opendepin.core.draw`.
    @param task An open task.
    """
    duty: uint256 = task_records.tasks[task].duty
    origin: uint256 = task_records.tasks[task].origin
    assert task_records._state(duty) == task_records.OPEN, "state"
    attempt: uint256 = task_records._attempt(duty)
    assert attempt < MAX_ATTEMPTS, "attempts"
    seed: bytes32 = self._draw_seed(task_records._opened_block(origin))
    task_records.tasks[task].seed = seed
    kind: uint256 = task_records._kind(duty)
    operator: address = empty(address)
    skipped: uint256 = 0
    operator, skipped = extcall IOperators(operators).draw(
        task_records._operators_version(origin),
        task,
        seed,
        attempt,
        task_records._operator(duty),
        kind,
    )
    deadline: uint256 = block.timestamp + window
    task_records.tasks[task].duty = task_records._duty(
        operator, deadline, attempt, task_records.ASSIGNED, kind
    )
    log ISettlement.TaskAssigned(
        task=task, operator=operator, attempt=attempt, deadline=deadline, skipped=skipped
    )


@external
@nonreentrant
def reopen(task: bytes32):
    """
    @notice Open a task again, to be drawn from the newest snapshot by a later block: when its operator's
        deadline passed, which costs the operator a share of its bond, given to the project; or when it
        was not drawn for a whole window, as when nobody in its snapshot was free. Anyone.
    @param task An assigned task after its deadline, or an open one a window after its opening.
    """
    duty: uint256 = task_records.tasks[task].duty
    state: uint256 = task_records._state(duty)
    if state == task_records.ASSIGNED:
        assert block.timestamp > task_records._deadline(duty), "deadline"
        self._reopen(task, duty, MISSED)
    else:
        assert state == task_records.OPEN, "state"
        assert block.timestamp > task_records._deadline(duty) + window, "deadline"
        assert task_records._attempt(duty) < MAX_ATTEMPTS, "attempts"
        self._reopen(task, duty, UNJUDGED)


@external
@nonreentrant
def decline(task: bytes32):
    """
    @notice Give a task back before the deadline: it is drawn again at once, and the bond stays whole. Only
        the operator that has it; for data or a program that it cannot get.
    @param task A task assigned to the caller.
    """
    duty: uint256 = task_records.tasks[task].duty
    assert task_records._state(duty) == task_records.ASSIGNED, "state"
    assert msg.sender == task_records._operator(duty), "operator"
    assert block.timestamp <= task_records._deadline(duty), "deadline"
    self._reopen(task, duty, DECLINED)


@external
@nonreentrant
def settle(
    task: bytes32,
    outputs: Bytes[encoded_outputs.MAX_ENCODED],
    proof: Bytes[encoded_outputs.MAX_PROOF],
):
    """
    @notice Settle an assigned task with its outputs and a proof of its statement. Anyone may send it; the
        statement names the operator drawn last, so no other's proof passes, and none is paid twice.
        A late proof is good until the task is opened again.
    @param task An assigned task.
    @param outputs abi.encode of all outputs of its program, a uint256[].
    @param proof The proof, as the program's verifier reads it.
    """
    self._settle(task, outputs, proof, False, False)


@external
@nonreentrant
def settle_many(
    tasks: DynArray[bytes32, MAX_MANY],
    outputs: DynArray[Bytes[encoded_outputs.MAX_ENCODED], MAX_MANY],
    proofs: DynArray[Bytes[encoded_outputs.MAX_SHORT_PROOF], MAX_MANY],
):
    """
    @notice Settle tasks of one program, each as `settle` would: one that cannot be settled says why in
        `SettleFailed` and stops no other. The root over the results is kept.
    @dev Proofs are checked together where the verifier can, and each alone when that fails. What each task
        changes, it changes in a call of its own.
    @param tasks Assigned tasks; the first one names project and program.
    @param outputs abi.encode(outputs) of each.
    @param proofs The proof of each.
    """
    given: uint256 = len(tasks)
    assert given > 0 and len(outputs) == given and len(proofs) == given, "tasks"
    project: uint64 = task_records._project(task_records.tasks[tasks[0]].origin)
    program: bytes32 = task_records.tasks[tasks[0]].program
    verifier: address = (staticcall IPrograms(programs).terms(project, program)).verifier
    combined: bool = given > 1
    claims: DynArray[uint256, encoded_outputs.MAX_CLAIMS] = []
    if combined:
        for i: uint256 in range(given, bound=MAX_MANY):
            statement: uint256 = self._statement(tasks[i], keccak256(outputs[i]))
            folded: uint256 = 0
            combined, folded = encoded_outputs.fold(verifier, statement, outputs[i])
            if not combined:
                break
            claims.append(statement)
            claims.append(folded)
            claims.append(task_records.tasks[tasks[i]].field_root)
    if combined:
        combined = encoded_outputs.check_many(verifier, claims, proofs)
    leaves: DynArray[bytes32, MAX_MANY] = []
    producers: DynArray[address, MAX_MANY] = []
    for i: uint256 in range(given, bound=MAX_MANY):
        success: bool = False
        answer: Bytes[256] = b""
        success, answer = raw_call(
            self,
            abi_encode(
                tasks[i],
                outputs[i],
                proofs[i],
                combined,
                project,
                program,
                method_id=method_id("settle_one(bytes32,bytes,bytes,bool,uint64,bytes32)"),
            ),
            max_outsize=256,
            revert_on_failure=False,
        )
        if success:
            leaves.append(convert(slice(answer, 0, 32), bytes32))
            producers.append(convert(convert(slice(answer, 32, 32), uint256), address))
        else:
            log ISettlement.SettleFailed(task=tasks[i], reason=answer)
    root: bytes32 = empty(bytes32)
    if len(leaves) > 0:
        root = result_tree.root(leaves)
        self.results_at[root] = block.number
        extcall IEscrow(escrow).pay_due(producers)
    log ISettlement.SettledMany(
        root=root, settled=len(leaves), given=given, combined=combined
    )


@external
def settle_one(
    task: bytes32,
    encoded: Bytes[encoded_outputs.MAX_ENCODED],
    proof: Bytes[encoded_outputs.MAX_PROOF],
    checked: bool,
    project: uint64,
    program: bytes32,
) -> Settled:
    """
    @notice One task of `settle_many`, which alone may call it.
    @param task The task.
    @param encoded abi.encode(outputs).
    @param proof Its proof.
    @param checked Whether the proof was checked with the others.
    @param project The project of all of them.
    @param program The program of all of them.
    @return The leaf of its result, and who is paid.
    """
    assert msg.sender == self, "self"
    assert task_records.tasks[task].program == program, "program"
    assert task_records._project(task_records.tasks[task].origin) == project, "program"
    return self._settle(task, encoded, proof, checked, True)


@external
@nonreentrant
def recall(task: bytes32):
    """
    @notice Take back a task that nobody settled, and its whole reserve. Only the project's owner; once.
    @param task A task, more than `recall_delay` seconds after its opening or its last deadline.
    """
    duty: uint256 = task_records.tasks[task].duty
    state: uint256 = task_records._state(duty)
    assert state == task_records.OPEN or state == task_records.ASSIGNED, "state"
    project: uint64 = task_records._project(task_records.tasks[task].origin)
    owner: address = staticcall IProjects(projects).ownerOf(convert(project, uint256))
    assert msg.sender == owner, "owner"
    assert block.timestamp > task_records._deadline(duty) + recall_delay, "early"
    task_records.tasks[task].duty = task_records._closed(duty, task_records.RECALLED, 0)
    if state == task_records.ASSIGNED:
        extcall IOperators(operators).release(task_records._operator(duty), UNJUDGED, project)
    log ISettlement.TaskRecalled(task=task, project=project)
    extcall IEscrow(escrow).release(task)


@external
@nonreentrant
def claim(task: bytes32, device_index: uint256, units: uint256, path: DynArray[bytes32, 8]):
    """
    @notice Pay what a settled task holds for one device to the device's owner, once. Anyone may send it.
        The pay of a device that is revoked stays held.
    @param task A settled task.
    @param device_index The project's index of the device.
    @param units Units that the task's outputs count for it.
    @param path Siblings from the leaf up to the task's pay root.
    """
    project: uint64 = task_records._project(task_records.tasks[task].origin)
    amount: uint256 = self._claimed(task, project, device_index, units, path)
    device: uint256 = 0
    owner: address = empty(address)
    device, owner = self._payee(project, device_index)
    log ISettlement.DevicePaid(
        task=task, device=device, owner=owner, device_index=device_index, amount=amount
    )
    extcall IEscrow(escrow).pay_device(task, owner, amount)


@external
@nonreentrant
def claim_many(
    device_index: uint256,
    tasks: DynArray[bytes32, MAX_CLAIMED],
    units: DynArray[uint256, MAX_CLAIMED],
    paths: DynArray[DynArray[bytes32, pay_tree.MAX_DEPTH], MAX_CLAIMED],
):
    """
    @notice Pay what settled tasks of one project hold for one device, at once, as `claim` would. What was
        claimed before is passed over, but not everything.
    @param device_index The project's index of the device.
    @param tasks Settled tasks of one project.
    @param units Units that each task's outputs count for the device.
    @param paths Siblings from the device's leaf up to each task's pay root.
    """
    count: uint256 = len(tasks)
    assert count > 0 and len(units) == count and len(paths) == count, "tasks"
    project: uint64 = task_records._project(task_records.tasks[tasks[0]].origin)
    device: uint256 = 0
    owner: address = empty(address)
    device, owner = self._payee(project, device_index)
    paid: DynArray[bytes32, MAX_CLAIMED] = []
    amounts: DynArray[uint256, MAX_CLAIMED] = []
    for i: uint256 in range(count, bound=MAX_CLAIMED):
        task: bytes32 = tasks[i]
        if device_index < 256 and (task_records.claims[task] >> device_index) & 1 == 1:
            continue
        amount: uint256 = self._claimed(task, project, device_index, units[i], paths[i])
        log ISettlement.DevicePaid(
            task=task, device=device, owner=owner, device_index=device_index, amount=amount
        )
        paid.append(task)
        amounts.append(amount)
    assert len(paid) > 0, "claimed"
    extcall IEscrow(escrow).pay_device_many(paid, amounts, owner)


@external
@nonreentrant
def retry_callback(task: bytes32, outputs: DynArray[uint256, 256]):
    """
    @notice Tell the project's contract again, after its call failed. Anyone.
    @param task A settled task whose callback did not succeed.
    @param outputs The outputs it was settled with.
    """
    duty: uint256 = task_records.tasks[task].duty
    assert task_records._state(duty) == task_records.SETTLED, "state"
    assert duty & task_records.CALLBACK_DONE == 0, "called"
    encoded: Bytes[encoded_outputs.MAX_ENCODED] = encoded_outputs.encode(outputs)
    assert keccak256(encoded) == task_records.tasks[task].outputs_hash, "outputs"
    origin: uint256 = task_records.tasks[task].origin
    project: uint64 = task_records._project(origin)
    program: bytes32 = task_records.tasks[task].program
    terms: IPrograms.Terms = staticcall IPrograms(programs).terms(project, program)
    success: bool = True
    reason: Bytes[encoded_outputs.MAX_REASON] = b""
    success, reason = encoded_outputs.deliver(terms.callback, task, origin, encoded)
    self._called(task, success, reason)


@internal
def _reopen(task: bytes32, duty: uint256, outcome: uint256):
    # The next draw is from a snapshot that holds now, by a block that nobody knows yet.
    origin: uint256 = task_records.tasks[task].origin
    operator: address = task_records._operator(duty)
    attempt: uint256 = task_records._attempt(duty) + 1
    version: uint256 = 0
    members: uint256 = 0
    version, members = extcall IOperators(operators).snapshot()
    assert version <= MAX_VERSION, "operators"
    task_records.tasks[task].origin = task_records._pinned(origin, version, block.number)
    task_records.tasks[task].duty = task_records._duty(
        operator, block.timestamp, attempt, task_records.OPEN, task_records._kind(duty)
    )
    slashed: uint256 = 0
    if outcome != UNJUDGED:
        project: uint64 = task_records._project(origin)
        slashed = extcall IOperators(operators).release(operator, outcome, project)
    log ISettlement.TaskReopened(
        task=task, operator=operator, attempt=attempt, outcome=outcome, slashed=slashed
    )


@internal
def _settle(
    task: bytes32,
    encoded: Bytes[encoded_outputs.MAX_ENCODED],
    proof: Bytes[encoded_outputs.MAX_PROOF],
    checked: bool,
    later: bool,
) -> Settled:
    # `checked`: the proof was checked together with others. `later`: `pay_due` pays.
    duty: uint256 = task_records.tasks[task].duty
    assert task_records._state(duty) == task_records.ASSIGNED, "state"
    origin: uint256 = task_records.tasks[task].origin
    producer: address = task_records._operator(duty)
    project: uint64 = task_records._project(origin)
    program: bytes32 = task_records.tasks[task].program
    terms: IPrograms.Terms = staticcall IPrograms(programs).terms(project, program)
    assert encoded_outputs.is_encoded(encoded), "outputs"
    assert len(encoded) == 64 + 32 * terms.output_count, "outputs"
    outputs_hash: bytes32 = keccak256(encoded)
    if not checked:
        statement: uint256 = self._statement(task, outputs_hash)
        field_root: uint256 = task_records.tasks[task].field_root
        assert encoded_outputs.check(terms.verifier, statement, field_root, encoded, proof), "proof"
    pay_root: bytes32 = empty(bytes32)
    units: uint256 = 0
    pay_root, units = pay_tree.root(
        task, encoded, terms.pay_offset, terms.pay_count, task_records._count(origin)
    )
    task_records.tasks[task].outputs_hash = outputs_hash
    task_records.tasks[task].pay_root = pay_root
    task_records.tasks[task].duty = task_records._closed(duty, task_records.SETTLED, block.number)
    on_time: bool = block.timestamp <= task_records._deadline(duty)
    extcall IOperators(operators).release(producer, ON_TIME if on_time else UNJUDGED, project)
    held: uint256 = units * terms.unit_rate
    burned: uint256 = 0
    refunded: uint256 = 0
    burned, refunded = extcall IEscrow(escrow).pay(task, producer, terms.operator_fee, held, later)
    log ISettlement.TaskSettled(
        task=task,
        project=project,
        producer=producer,
        outputs_hash=outputs_hash,
        pay_root=pay_root,
        operator_paid=terms.operator_fee,
        devices_held=held,
        burned=burned,
        refunded=refunded,
    )
    success: bool = True
    reason: Bytes[encoded_outputs.MAX_REASON] = b""
    success, reason = encoded_outputs.deliver(terms.callback, task, origin, encoded)
    self._called(task, success, reason)
    return Settled(
        leaf=result_tree.leaf(task, outputs_hash, pay_root, producer), producer=producer
    )


@internal
@view
def _statement(task: bytes32, outputs_hash: bytes32) -> uint256:
    return digests.statement(
        network_id,
        self,
        task,
        task_records.tasks[task].program,
        task_records.tasks[task].segment_root,
        task_records.tasks[task].field_root,
        task_records._count(task_records.tasks[task].origin),
        outputs_hash,
        task_records._operator(task_records.tasks[task].duty),
    )


@internal
def _claimed(
    task: bytes32,
    project: uint64,
    device_index: uint256,
    units: uint256,
    path: DynArray[bytes32, pay_tree.MAX_DEPTH],
) -> uint256:
    # Marks a device's pay of a task as claimed; returns the wei.
    assert task_records._state(task_records.tasks[task].duty) == task_records.SETTLED, "state"
    assert task_records._project(task_records.tasks[task].origin) == project, "project"
    program: bytes32 = task_records.tasks[task].program
    terms: IPrograms.Terms = staticcall IPrograms(programs).terms(project, program)
    assert device_index < terms.pay_count, "index"
    assert units > 0, "units"
    claims: uint256 = task_records.claims[task]
    assert (claims >> device_index) & 1 == 0, "claimed"
    leaf: bytes32 = pay_tree.leaf(task, device_index, units)
    reached: bytes32 = pay_tree.root_of_path(leaf, device_index, terms.pay_count, path)
    assert reached == task_records.tasks[task].pay_root, "path"
    amount: uint256 = units * terms.unit_rate
    assert amount > 0, "rate"
    task_records.claims[task] = claims | 1 << device_index
    return amount


@internal
@view
def _payee(project: uint64, device_index: uint256) -> (uint256, address):
    # The device at an index, and its owner.
    assert device_index < 256, "index"
    device: uint256 = staticcall IDevices(devices).device_at(project, convert(device_index, uint32))
    assert device != 0, "device"
    record: IDevices.DeviceRecord = staticcall IDevices(devices).device(device)
    assert record.status != REVOKED, "revoked"
    return device, staticcall IDevices(devices).ownerOf(device)


@internal
@view
def _draw_seed(opened: uint256) -> bytes32:
    # A height that left the window is followed by the one 8,191 later, by formula: no caller chooses.
    height: uint256 = opened + draw_delay
    assert block.number > height, "seed"
    missed: uint256 = (block.number - height - 1) // block_history.HASHES
    return block_history.hash_of(height + block_history.HASHES * missed)


@internal
def _called(task: bytes32, success: bool, reason: Bytes[encoded_outputs.MAX_REASON]):
    # The project's contract can fail, burn its gas or answer at length: nothing of the task changes.
    if success:
        task_records.tasks[task].duty |= task_records.CALLBACK_DONE
        log ISettlement.CallbackDone(task=task)
    else:
        log ISettlement.CallbackFailed(task=task, reason=reason)
