# pragma version ==0.4.3
# @license Apache-2.0
"""
@title Settlement
@notice One task per segment of an attested batch. An operator is drawn for it; who holds a proof of the
    statement that this contract computes from its own storage settles it: the operator is paid, the
    devices' pay is held under a root computed here, the protocol's share is burned, the rest goes
    back, and the project's contract is told. Every task is paid once or recalled once.
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
    @notice Open the task of a segment under its project's current program, and reserve what it can cost.
        Anyone. A segment has one task; a further one, under another program, only after a recall.
    @param batch Number of a batch that the inbox accepted.
    @param segment_index Place of the segment in it.
    @param segment The segment, as the inbox has hashed it.
    @return The task's id.
    """
    kept: bytes32 = staticcall IBatchInbox(inbox).segment_hash(batch, segment_index)
    assert segment_index < MAX_SEGMENTS and kept == digests.segment_hash(segment), "segment"
    assert segment.field_root != 0, "field root"
    project: uint64 = segment.project
    program: bytes32 = staticcall IPrograms(programs).current(project)
    assert program != empty(bytes32), "program"
    before: uint256 = task_records.tasks[task_records.task_at[batch][segment_index]].duty
    assert before == 0 or task_records._state(before) == task_records.RECALLED, "opened"
    index: uint64 = convert(segment_index, uint64)
    task: bytes32 = digests.task_id(network_id, inbox, batch, index, project, program)
    assert task_records.tasks[task].duty == 0, "opened"
    version: uint256 = staticcall IOperators(operators).version()
    assert version <= MAX_VERSION, "operators"
    assert staticcall IOperators(operators).member_count(version) > 0, "operators"
    count: uint256 = convert(segment.count, uint256)
    task_records.task_at[batch][segment_index] = task
    task_records.tasks[task].segment_root = segment.root
    task_records.tasks[task].field_root = segment.field_root
    task_records.tasks[task].program = program
    task_records.tasks[task].origin = task_records._origin(
        project, batch, count, version, block.number, segment_index
    )
    task_records.tasks[task].duty = task_records._duty(
        empty(address), block.timestamp, 0, task_records.OPEN
    )
    log ISettlement.TaskOpened(
        task=task,
        project=project,
        batch=batch,
        segment_index=segment_index,
        program=program,
        count=count,
    )
    terms: IPrograms.Terms = staticcall IPrograms(programs).terms(project, program)
    work: uint256 = terms.operator_fee + count * terms.unit_rate
    extcall IEscrow(escrow).reserve(task, project, work)
    return task


@external
@nonreentrant
def assign(task: bytes32):
    """
    @notice Draw the operator of a task: once its seed block is there, and again whenever the deadline
        passed. Anyone; nobody can choose. The rule is that of `opendepin.core.statement.drawn`.
    @param task An open or expired task.
    """
    duty: uint256 = task_records.tasks[task].duty
    origin: uint256 = task_records.tasks[task].origin
    attempt: uint256 = 0
    seed: bytes32 = task_records.tasks[task].seed
    if task_records._state(duty) == task_records.OPEN:
        seed = self._draw_seed(task_records._opened_block(origin))
        task_records.tasks[task].seed = seed
    else:
        assert task_records._state(duty) == task_records.ASSIGNED, "state"
        assert block.timestamp > task_records._deadline(duty), "deadline"
        attempt = task_records._attempt(duty) + 1
        assert attempt < MAX_ATTEMPTS, "attempts"
    version: uint256 = task_records._operators_version(origin)
    members: uint256 = staticcall IOperators(operators).member_count(version)
    place: uint256 = digests.drawn(task, seed, attempt, members)
    operator: address = staticcall IOperators(operators).member(version, place)
    deadline: uint256 = block.timestamp + window
    task_records.tasks[task].duty = task_records._duty(
        operator, deadline, attempt, task_records.ASSIGNED
    )
    log ISettlement.TaskAssigned(task=task, operator=operator, attempt=attempt, deadline=deadline)


@external
@nonreentrant
def settle(task: bytes32, outputs: DynArray[uint256, 256], proof: Bytes[2048]):
    """
    @notice Settle an assigned task with its outputs and a proof of its statement. Anyone may send it; the
        statement names the operator drawn last, so no other's proof passes, and none is paid twice.
        A late proof is good until another operator is drawn.
    @param task An assigned task.
    @param outputs All outputs of its program.
    @param proof The proof, as the program's verifier reads it.
    """
    duty: uint256 = task_records.tasks[task].duty
    assert task_records._state(duty) == task_records.ASSIGNED, "state"
    origin: uint256 = task_records.tasks[task].origin
    producer: address = task_records._operator(duty)
    project: uint64 = task_records._project(origin)
    program: bytes32 = task_records.tasks[task].program
    terms: IPrograms.Terms = staticcall IPrograms(programs).terms(project, program)
    assert len(outputs) == terms.output_count, "outputs"
    encoded: Bytes[encoded_outputs.MAX_ENCODED] = encoded_outputs.encode(outputs)
    outputs_hash: bytes32 = keccak256(encoded)
    field_root: uint256 = task_records.tasks[task].field_root
    count: uint256 = task_records._count(origin)
    statement: uint256 = digests.statement(
        network_id,
        self,
        task,
        program,
        task_records.tasks[task].segment_root,
        field_root,
        count,
        outputs_hash,
        producer,
    )
    assert encoded_outputs.check(terms.verifier, statement, field_root, encoded, proof), "proof"
    pay_root: bytes32 = empty(bytes32)
    units: uint256 = 0
    pay_root, units = pay_tree.root(task, outputs, terms.pay_offset, terms.pay_count, count)
    task_records.tasks[task].outputs_hash = outputs_hash
    task_records.tasks[task].pay_root = pay_root
    duty = task_records._closed(duty, task_records.SETTLED, block.number)
    task_records.tasks[task].duty = duty
    held: uint256 = units * terms.unit_rate
    burned: uint256 = 0
    refunded: uint256 = 0
    burned, refunded = extcall IEscrow(escrow).pay(task, producer, terms.operator_fee, held)
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
    self._call_back(task, terms.callback, encoded)


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
    assert task_records._state(task_records.tasks[task].duty) == task_records.SETTLED, "state"
    project: uint64 = task_records._project(task_records.tasks[task].origin)
    program: bytes32 = task_records.tasks[task].program
    terms: IPrograms.Terms = staticcall IPrograms(programs).terms(project, program)
    assert device_index < terms.pay_count, "index"
    assert units > 0, "units"
    claims: uint256 = task_records.claims[task]
    assert (claims >> device_index) & 1 == 0, "claimed"
    leaf: bytes32 = pay_tree.leaf(task, device_index, units)
    reached: bytes32 = pay_tree.root_of_path(leaf, device_index, terms.pay_count, path)
    assert reached == task_records.tasks[task].pay_root, "path"
    index: uint32 = convert(device_index, uint32)
    device: uint256 = staticcall IDevices(devices).device_at(project, index)
    assert device != 0, "device"
    record: IDevices.DeviceRecord = staticcall IDevices(devices).device(device)
    assert record.status != REVOKED, "revoked"
    owner: address = staticcall IDevices(devices).ownerOf(device)
    amount: uint256 = units * terms.unit_rate
    assert amount > 0, "rate"
    task_records.claims[task] = claims | 1 << device_index
    log ISettlement.DevicePaid(
        task=task, device=device, owner=owner, device_index=device_index, amount=amount
    )
    extcall IEscrow(escrow).pay_device(task, owner, amount)


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
    project: uint64 = task_records._project(task_records.tasks[task].origin)
    program: bytes32 = task_records.tasks[task].program
    terms: IPrograms.Terms = staticcall IPrograms(programs).terms(project, program)
    self._call_back(task, terms.callback, encoded)


@internal
@view
def _draw_seed(opened: uint256) -> bytes32:
    # A height that left the window is followed by the one 8,191 later, by formula: no caller chooses.
    height: uint256 = opened + draw_delay
    assert block.number > height, "seed"
    missed: uint256 = (block.number - height - 1) // block_history.HASHES
    return block_history.hash_of(height + block_history.HASHES * missed)


@internal
def _call_back(task: bytes32, callback: address, encoded: Bytes[encoded_outputs.MAX_ENCODED]):
    # The project's contract can fail, burn its gas or answer at length: nothing of the task changes.
    success: bool = True
    reason: Bytes[encoded_outputs.MAX_REASON] = b""
    if callback != empty(address):
        origin: uint256 = task_records.tasks[task].origin
        success, reason = encoded_outputs.deliver(
            callback,
            task,
            task_records._project(origin),
            task_records._batch(origin),
            task_records._segment_index(origin),
            encoded,
        )
    if success:
        task_records.tasks[task].duty |= task_records.CALLBACK_DONE
        log ISettlement.CallbackDone(task=task)
    else:
        log ISettlement.CallbackFailed(task=task, reason=reason)
