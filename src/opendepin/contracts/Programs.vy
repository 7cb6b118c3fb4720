# pragma version ==0.4.3
# @license Apache-2.0
"""
@title Program versions of the projects
@notice A project's owner registers a version once: what is computed (three hashes, which give the
        program id), which contract verifies it, which outputs count payable units, and what is paid.
        No version ever changes; another one can only become the current one, from the next block on.
        Which one was in force in a block stays known for good: a batch's tasks are of the version in force
        when the inbox took it. Versions are kept per project: nobody can take an id before its project.
"""

from .interfaces import IPrograms
from .interfaces import IProjects
from .interfaces import IVerifier
from .modules import digests

implements: IPrograms

# What the registry keeps of one version, packed: reading the terms of a task takes three slots.
struct Stored:
    manifest_hash: bytes32
    circuit_hash: bytes32
    vk_hash: bytes32
    # address | output count << 160 | pay offset << 176 | pay count << 192 | kind << 208
    verifier: uint256
    callback: address
    rates: uint256  # operator fee | unit rate << 128

# From the block after `selected_at` on, until the next one.
struct Selection:
    program: bytes32
    selected_at: uint256

MAX_OUTPUTS: constant(uint256) = 256
# Wei; 2**31 units at this rate and a fee still fit the 128 bits of an escrow account.
MAX_RATE: constant(uint256) = 2**96 - 1
# Kinds of proof are the places of a 16-bit mask.
MAX_KIND: constant(uint256) = 15
# Steps that find one of 2**31 selections, and the newest at once.
MAX_SEARCH: constant(uint256) = 32

ADDRESS_MASK: constant(uint256) = 2**160 - 1
SHORT_MASK: constant(uint256) = 2**16 - 1
RATE_MASK: constant(uint256) = 2**128 - 1

projects: public(immutable(address))
# How often a project selected a version, and each selection, from 1 on.
selections: public(HashMap[uint64, uint256])
_selected: HashMap[uint64, HashMap[uint256, Selection]]
_versions: HashMap[uint64, HashMap[bytes32, Stored]]


@deploy
def __init__(projects_: address):
    """
    @notice Bind the registry of projects for good.
    @param projects_ The ERC-721 whose token owners are the projects' owners.
    """
    assert projects_ != empty(address), "projects"
    projects = projects_


@external
def register(
    project: uint64,
    manifest_hash: bytes32,
    circuit_hash: bytes32,
    vk_hash: bytes32,
    verifier: address,
    pay_offset: uint256,
    pay_count: uint256,
    operator_fee: uint256,
    unit_rate: uint256,
    callback: address,
    kind: uint256 = 1,
) -> bytes32:
    """
    @notice Register a version and make it the project's current one. Only the project's owner.
    @param project The project.
    @param manifest_hash Hash of schema and rule.
    @param circuit_hash Hash of the constraint system.
    @param vk_hash Hash of the verification key.
    @param verifier Contract that holds this key and the outputs' ranges.
    @param pay_offset Index of the first output that counts payable units.
    @param pay_count Number of device indices paid for, from index 0.
    @param operator_fee Wei an operator gets per task.
    @param unit_rate Wei a device's owner gets per unit.
    @param callback Contract that is given each result; the zero address for none.
    @param kind Kind of proof that an operator must make: 1, Groth16 over BN254, unless told.
    @return The program id.
    """
    self._only_owner(project)
    output_count: uint256 = staticcall IVerifier(verifier).output_count()
    assert 0 < output_count and output_count <= MAX_OUTPUTS, "output count"
    assert 0 < pay_count and pay_count <= output_count, "pay range"
    assert pay_offset <= output_count - pay_count, "pay range"
    assert operator_fee <= MAX_RATE and unit_rate <= MAX_RATE, "rate"
    assert callback == empty(address) or callback.is_contract, "callback"
    assert kind <= MAX_KIND, "kind"
    program: bytes32 = digests.program_id(manifest_hash, circuit_hash, vk_hash)
    assert self._versions[project][program].verifier == 0, "registered"
    self._versions[project][program] = Stored(
        manifest_hash=manifest_hash,
        circuit_hash=circuit_hash,
        vk_hash=vk_hash,
        verifier=convert(verifier, uint256)
        | output_count << 160
        | pay_offset << 176
        | pay_count << 192
        | kind << 208,
        callback=callback,
        rates=operator_fee | unit_rate << 128,
    )
    log IPrograms.ProgramRegistered(
        project=project,
        program=program,
        manifest_hash=manifest_hash,
        circuit_hash=circuit_hash,
        vk_hash=vk_hash,
        verifier=verifier,
        pay_offset=pay_offset,
        pay_count=pay_count,
        operator_fee=operator_fee,
        unit_rate=unit_rate,
        callback=callback,
        kind=kind,
    )
    self._select(project, program)
    return program


@external
def select(project: uint64, program: bytes32):
    """
    @notice Make a version registered before the current one (a roll-back). Only the project's owner.
    @dev Batches that the inbox took before keep the version that was in force.
    @param project The project.
    @param program Id of one of its versions.
    """
    self._only_owner(project)
    assert self._versions[project][program].verifier != 0, "program"
    self._select(project, program)


@external
@view
def current(project: uint64) -> bytes32:
    """
    @notice Return the version selected last: in force from the block after on.
    @param project The project.
    @return The program id; zero when there is none.
    """
    return self._selected[project][self.selections[project]].program


@external
@view
def in_force(project: uint64, height: uint256) -> bytes32:
    """
    @notice Return the version that was in force in a block: the last one selected in a block before it.
    @param project The project.
    @param height The block.
    @return The program id; zero when there was none yet.
    """
    low: uint256 = 0
    high: uint256 = self.selections[project]
    middle: uint256 = high  # the newest is asked for most
    for _: uint256 in range(MAX_SEARCH):
        if low == high:
            break
        if self._selected[project][middle].selected_at < height:
            low = middle
        else:
            high = middle - 1
        middle = (low + high + 1) >> 1
    return self._selected[project][low].program


@external
@view
def program(project: uint64, program: bytes32) -> IPrograms.Program:
    """
    @notice Return a version whole.
    @param project The project.
    @param program Id of one of its versions.
    @return Hashes and terms; all zero for an unknown one.
    """
    stored: Stored = self._versions[project][program]
    return IPrograms.Program(
        manifest_hash=stored.manifest_hash,
        circuit_hash=stored.circuit_hash,
        vk_hash=stored.vk_hash,
        terms=self._terms(project, program),
    )


@external
@view
def terms(project: uint64, program: bytes32) -> IPrograms.Terms:
    """
    @notice Return who verifies, what is paid and who is told.
    @param project The project.
    @param program Id of one of its versions.
    @return The terms; all zero for an unknown one.
    """
    return self._terms(project, program)


@internal
def _select(project: uint64, program: bytes32):
    count: uint256 = self.selections[project] + 1
    assert count < 2 ** (MAX_SEARCH - 1), "selections"
    self.selections[project] = count
    self._selected[project][count] = Selection(program=program, selected_at=block.number)
    log IPrograms.ProgramSelected(project=project, program=program)


@internal
@view
def _terms(project: uint64, program: bytes32) -> IPrograms.Terms:
    word: uint256 = self._versions[project][program].verifier
    rates: uint256 = self._versions[project][program].rates
    return IPrograms.Terms(
        verifier=convert(word & ADDRESS_MASK, address),
        callback=self._versions[project][program].callback,
        output_count=(word >> 160) & SHORT_MASK,
        pay_offset=(word >> 176) & SHORT_MASK,
        pay_count=(word >> 192) & SHORT_MASK,
        operator_fee=rates & RATE_MASK,
        unit_rate=rates >> 128,
        kind=word >> 208,
    )


@internal
@view
def _only_owner(project: uint64):
    assert (
        msg.sender == staticcall IProjects(projects).ownerOf(convert(project, uint256))
    ), "owner"
