# pragma version ==0.4.3
# @license Apache-2.0
"""
@title What settlement keeps of each task, and how it is read
@notice Packed: settling reads five slots of a task and writes three. The only writer is `Settlement`.
"""

from ..interfaces import ISettlement

# origin: project | batch << 64 | count << 128 | operators' version << 160 | opened block << 200
#         | segment index << 240
# duty:   operator | deadline << 160 | settled block << 200 | attempt << 240 | state << 248
#         | callback done << 251 | kind of proof << 252
# While a task is open, the operator is who had it last and the deadline is when it was opened (again).
struct Stored:
    segment_root: bytes32
    field_root: uint256
    program: bytes32
    origin: uint256
    duty: uint256
    seed: bytes32
    outputs_hash: bytes32
    pay_root: bytes32

OPEN: constant(uint256) = 1
ASSIGNED: constant(uint256) = 2
SETTLED: constant(uint256) = 3
RECALLED: constant(uint256) = 4

CALLBACK_DONE: constant(uint256) = 1 << 251
STATE_MASK: constant(uint256) = 7
ADDRESS_MASK: constant(uint256) = 2**160 - 1
LONG_MASK: constant(uint256) = 2**64 - 1
TIME_MASK: constant(uint256) = 2**40 - 1
COUNT_MASK: constant(uint256) = 2**32 - 1
BYTE_MASK: constant(uint256) = 2**8 - 1
# Opened block and version, which a task gets anew when it is opened again.
PINNED_MASK: constant(uint256) = (2**80 - 1) << 160

task_at: public(HashMap[uint64, HashMap[uint256, bytes32]])
tasks: HashMap[bytes32, Stored]
claims: HashMap[bytes32, uint256]


@external
@view
def task(task: bytes32) -> ISettlement.Task:
    """
    @notice Return a task.
    @param task The task.
    @return All of it; state 0 for an unknown one. While it is open, `deadline` is when it was opened (again)
        and `assignee` is who had it last.
    """
    stored: Stored = self.tasks[task]
    return ISettlement.Task(
        state=convert(self._state(stored.duty), uint8),
        project=self._project(stored.origin),
        program=stored.program,
        batch=self._batch(stored.origin),
        segment_index=self._segment_index(stored.origin),
        segment_root=stored.segment_root,
        field_root=stored.field_root,
        count=self._count(stored.origin),
        opened_block=convert(self._opened_block(stored.origin), uint64),
        operators_version=self._operators_version(stored.origin),
        seed=stored.seed,
        attempt=self._attempt(stored.duty),
        assignee=self._operator(stored.duty),
        deadline=convert(self._deadline(stored.duty), uint64),
    )


@external
@view
def result(task: bytes32) -> ISettlement.Result:
    """
    @notice Return the result of a task.
    @param task The task.
    @return Hashes, producer, block and whether the project's contract took it; all zero until settled.
    """
    duty: uint256 = self.tasks[task].duty
    if self._state(duty) != SETTLED:
        return empty(ISettlement.Result)
    return ISettlement.Result(
        outputs_hash=self.tasks[task].outputs_hash,
        pay_root=self.tasks[task].pay_root,
        producer=self._operator(duty),
        settled_block=convert((duty >> 200) & TIME_MASK, uint64),
        callback_ok=duty & CALLBACK_DONE != 0,
    )


@external
@view
def claimed(task: bytes32, device_index: uint256) -> bool:
    """
    @notice Say whether a device's pay of a task was paid out.
    @param task The task.
    @param device_index The project's index of the device.
    @return True when it was.
    """
    return device_index < 256 and (self.claims[task] >> device_index) & 1 == 1


@internal
@pure
def _origin(
    project: uint64, batch: uint64, count: uint256, version: uint256, opened: uint256, index: uint256
) -> uint256:
    return (
        convert(project, uint256)
        | convert(batch, uint256) << 64
        | count << 128
        | version << 160
        | opened << 200
        | index << 240
    )


@internal
@pure
def _project(origin: uint256) -> uint64:
    return convert(origin & LONG_MASK, uint64)


@internal
@pure
def _batch(origin: uint256) -> uint64:
    return convert((origin >> 64) & LONG_MASK, uint64)


@internal
@pure
def _count(origin: uint256) -> uint256:
    return (origin >> 128) & COUNT_MASK


@internal
@pure
def _operators_version(origin: uint256) -> uint256:
    return (origin >> 160) & TIME_MASK


@internal
@pure
def _opened_block(origin: uint256) -> uint256:
    return (origin >> 200) & TIME_MASK


@internal
@pure
def _segment_index(origin: uint256) -> uint256:
    return origin >> 240


@internal
@pure
def _duty(
    operator: address, deadline: uint256, attempt: uint256, state: uint256, kind: uint256
) -> uint256:
    return (
        convert(operator, uint256) | deadline << 160 | attempt << 240 | state << 248 | kind << 252
    )


@internal
@pure
def _pinned(origin: uint256, version: uint256, opened: uint256) -> uint256:
    return origin & ~PINNED_MASK | version << 160 | opened << 200


@internal
@pure
def _kind(duty: uint256) -> uint256:
    return duty >> 252


@internal
@pure
def _closed(duty: uint256, state: uint256, at: uint256) -> uint256:
    # `state` is final; `at` is the block, 0 where none is kept.
    return duty & ~(STATE_MASK << 248) | at << 200 | state << 248


@internal
@pure
def _state(duty: uint256) -> uint256:
    return (duty >> 248) & STATE_MASK


@internal
@pure
def _attempt(duty: uint256) -> uint256:
    return (duty >> 240) & BYTE_MASK


@internal
@pure
def _deadline(duty: uint256) -> uint256:
    return (duty >> 160) & TIME_MASK


@internal
@pure
def _operator(duty: uint256) -> address:
    return convert(duty & ADDRESS_MASK, address)
