# pragma version ==0.4.3
# @license Apache-2.0
"""
@title A project's contract that does what the test wants when it is told a result
"""

from ..interfaces import IResultReceiver

implements: IResultReceiver

REVERTS: constant(uint256) = 1
BURNS_GAS: constant(uint256) = 2
REVERTS_LONG: constant(uint256) = 3
CALLS: constant(uint256) = 4

mode: public(uint256)
target: public(address)
data: public(Bytes[8192])
called: public(uint256)
last: public(bytes32)
last_project: public(uint64)
last_batch: public(uint64)
last_index: public(uint256)
last_outputs: public(bytes32)
gas_given: public(uint256)
inner_ok: public(bool)
inner_answer: public(Bytes[256])


@external
def behave(mode: uint256, target: address, data: Bytes[8192]):
    """
    @notice Say what the next calls do.
    """
    self.mode = mode
    self.target = target
    self.data = data


@external
def on_result(
    task: bytes32,
    project: uint64,
    batch: uint64,
    segment_index: uint256,
    outputs: DynArray[uint256, 256],
):
    """
    @notice Note the result, then do it.
    """
    given: uint256 = msg.gas
    assert self.mode != REVERTS, "not today"
    if self.mode == BURNS_GAS:
        for i: uint256 in range(10_000_000):
            pass
    if self.mode == REVERTS_LONG:
        raw_revert(abi_encode(empty(bytes32[1_000])))
    if self.mode == CALLS:
        self.inner_ok, self.inner_answer = raw_call(
            self.target, self.data, max_outsize=256, revert_on_failure=False
        )
    self.gas_given = given
    self.called += 1
    self.last = task
    self.last_project = project
    self.last_batch = batch
    self.last_index = segment_index
    self.last_outputs = keccak256(abi_encode(outputs))
