# pragma version ==0.4.3
# @license Apache-2.0
"""
@title Devices
@notice The identity of every device: an ERC-721 token whose id is the address of the device's first
    key, the key and status that hold now, and an accumulator over all that held before. Rights
    follow the token's owner; a project's owner has none over its devices. Everything is asked for
    by typed permits (EIP-712) that bind every field, a nonce and a deadline, so anyone may send them.
"""

from .interfaces import IDevices
from .interfaces import IProjects
from .modules import erc721
from .modules import fees
from .modules import signature

implements: IDevices

initializes: erc721
initializes: fees

exports: erc721.__interface__
exports: fees.__interface__

ACTIVE: constant(uint8) = 1
SUSPENDED: constant(uint8) = 2
REVOKED: constant(uint8) = 3
MAX_DEVICES_PER_PROJECT: constant(uint256) = 1 << 20
LOW_160: constant(uint256) = 2**160 - 1

FEE_REASON: constant(bytes32) = 0x6465766963652d66656500000000000000000000000000000000000000000000
# Reason "device-fee" of what the Burner counts.
HISTORY_DOMAIN: constant(bytes32) = keccak256("opendepin/key-history/1")
DOMAIN_TYPE: constant(bytes32) = keccak256(
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
DOMAIN_NAME: constant(bytes32) = keccak256("OpenDePIN Devices")
DOMAIN_VERSION: constant(bytes32) = keccak256("1")
REGISTER_TYPE: constant(bytes32) = keccak256(
    "Register(uint64 project,address owner,bytes32 keyX,bytes32 keyY,bytes32 metadataHash,uint256 nonce,uint256 deadline)"
)
ROTATE_TYPE: constant(bytes32) = keccak256(
    "Rotate(uint256 device,bytes32 keyX,bytes32 keyY,uint256 nonce,uint256 deadline)"
)
STATUS_TYPE: constant(bytes32) = keccak256(
    "SetStatus(uint256 device,uint8 status,uint256 nonce,uint256 deadline)"
)

PROJECTS: public(immutable(IProjects))

history: public(HashMap[uint256, bytes32])
device: public(HashMap[uint256, IDevices.DeviceRecord])
metadata_hash: public(HashMap[uint256, bytes32])
device_at: public(HashMap[uint64, HashMap[uint32, uint256]])
key_used: public(HashMap[address, bool])
nonces: public(HashMap[address, uint256])
device_count: public(HashMap[uint64, uint256])
active_count: public(HashMap[uint64, uint256])
total_devices: public(uint256)
total_active: public(uint256)
_permits: HashMap[uint256, uint256]


@deploy
def __init__(
    projects: address, burner: address, treasury: address, fee: uint256, burn_bps: uint256
):
    """
    @notice Start without devices.
    @param projects The registry of projects.
    @param burner Where the burned share of fees goes.
    @param treasury Who pulls the rest of the fees and may propose other terms.
    @param fee Wei for each registration.
    @param burn_bps Share of the fee that is burned, basis points.
    """
    assert projects.is_contract, "projects"
    PROJECTS = IProjects(projects)
    erc721.__init__("OpenDePIN Devices", "ODPD")
    fees.__init__(burner, treasury, fee, burn_bps)


@external
@payable
@nonreentrant
def register(
    project: uint64,
    owner: address,
    key: bytes32[2],
    metadata_hash: bytes32,
    deadline: uint256,
    owner_signature: Bytes[1024],
    device_signature: Bytes[65],
) -> uint256:
    """
    @notice Register a device; owner and device key agree to every field. What is paid above the fee
        goes back to the sender.
    @param project The project it works for.
    @param owner Its owner.
    @param key The device's secp256k1 key, x and y.
    @param metadata_hash Hash of the device's description.
    @param deadline Unix seconds after which the permit is void.
    @param owner_signature By the owner over `Register` (may be empty when the owner sends).
    @param device_signature By the device's key over the same.
    @return The device id: the address of the key.
    """
    assert block.timestamp <= deadline, "deadline"
    nonce: uint256 = self.nonces[owner]
    digest: bytes32 = self._digest(
        keccak256(
            abi_encode(
                REGISTER_TYPE, project, owner, key[0], key[1], metadata_hash, nonce, deadline
            )
        )
    )
    assert signature._agreed(owner, digest, owner_signature), "owner signature"
    holder: address = self._holder(key, digest, device_signature)
    assert project != 0 and project <= staticcall PROJECTS.project_count(), "project"
    index: uint256 = self.device_count[project]
    assert index < MAX_DEVICES_PER_PROJECT, "project is full"

    device: uint256 = convert(holder, uint256)
    self.nonces[owner] = nonce + 1
    self.key_used[holder] = True
    self.device_count[project] = index + 1
    self.active_count[project] += 1
    self.total_devices += 1
    self.total_active += 1
    self.device_at[project][convert(index, uint32)] = device
    self.metadata_hash[device] = metadata_hash
    record: IDevices.DeviceRecord = IDevices.DeviceRecord(
        status=ACTIVE, project=project, index=convert(index, uint32), key=key, since=0
    )
    erc721._mint(owner, device)
    self._change(device, record)
    fees._charge(FEE_REASON)
    return device


@external
def rotate(
    device: uint256,
    key: bytes32[2],
    deadline: uint256,
    owner_signature: Bytes[1024],
    key_signature: Bytes[65],
):
    """
    @notice Give a device another key; owner and new key agree. Id, project, index and status stay.
    @param device The device.
    @param key The new key, x and y; one that no device ever had.
    @param deadline Unix seconds after which the permit is void.
    @param owner_signature By the owner over `Rotate` (may be empty when the owner sends).
    @param key_signature By the new key over the same.
    """
    record: IDevices.DeviceRecord = self._living(device, deadline)
    digest: bytes32 = self._digest(
        keccak256(
            abi_encode(ROTATE_TYPE, device, key[0], key[1], self._device_nonce(device), deadline)
        )
    )
    assert signature._agreed(erc721._owner_of(device), digest, owner_signature), "owner signature"
    self.key_used[self._holder(key, digest, key_signature)] = True
    self._permits[device] += 1
    record.key = key
    self._change(device, record)


@external
def set_status(device: uint256, status: uint8, deadline: uint256, owner_signature: Bytes[1024]):
    """
    @notice Suspend, resume or revoke a device. A revoked device stays revoked.
    @param device The device.
    @param status 1 active, 2 suspended, 3 revoked; not the one it has.
    @param deadline Unix seconds after which the permit is void.
    @param owner_signature By the owner over `SetStatus` (may be empty when the owner sends).
    """
    record: IDevices.DeviceRecord = self._living(device, deadline)
    assert status in [ACTIVE, SUSPENDED, REVOKED] and status != record.status, "status"
    digest: bytes32 = self._digest(
        keccak256(abi_encode(STATUS_TYPE, device, status, self._device_nonce(device), deadline))
    )
    assert signature._agreed(erc721._owner_of(device), digest, owner_signature), "owner signature"
    self._permits[device] += 1
    if record.status == ACTIVE:
        self.active_count[record.project] -= 1
        self.total_active -= 1
    elif status == ACTIVE:
        self.active_count[record.project] += 1
        self.total_active += 1
    record.status = status
    self._change(device, record)


@external
@view
def device_nonces(device: uint256) -> uint256:
    """
    @notice The nonce of the next permit over a device; a transfer of the token moves it on too.
    @param device The device.
    """
    return self._device_nonce(device)


@external
@view
def DOMAIN_SEPARATOR() -> bytes32:
    """
    @notice The EIP-712 domain of all permits: name, version 1, chain id, this contract.
    """
    return self._domain()


@internal
@view
def _domain() -> bytes32:
    return keccak256(
        abi_encode(DOMAIN_TYPE, DOMAIN_NAME, DOMAIN_VERSION, chain.id, self)
    )


@internal
@view
def _digest(struct_hash: bytes32) -> bytes32:
    return keccak256(concat(x"1901", self._domain(), struct_hash))


@internal
@view
def _device_nonce(device: uint256) -> uint256:
    return self._permits[device] + erc721._moves[device]


@internal
@view
def _holder(key: bytes32[2], digest: bytes32, signed: Bytes[65]) -> address:
    """
    @dev Return the address of a fresh key that signed the digest. Recovering the address that
        keccak(x, y) gives also shows that x, y is a point of the curve.
    """
    hashed: uint256 = convert(keccak256(concat(key[0], key[1])), uint256)
    address_of_key: address = convert(hashed & LOW_160, address)
    assert signature._signer(digest, signed) == address_of_key, "key signature"
    assert not self.key_used[address_of_key], "key is not fresh"
    return address_of_key


@internal
@view
def _living(device: uint256, deadline: uint256) -> IDevices.DeviceRecord:
    assert block.timestamp <= deadline, "deadline"
    record: IDevices.DeviceRecord = self.device[device]
    assert record.status != 0, "device"
    assert record.status != REVOKED, "revoked"
    return record


@internal
def _change(device: uint256, record: IDevices.DeviceRecord):
    """
    @dev Store the state that holds from this block on and extend the history by it.
    """
    changed: IDevices.DeviceRecord = record
    changed.since = convert(block.number, uint64)
    extended: bytes32 = keccak256(
        abi_encode(
            HISTORY_DOMAIN,
            self.history[device],
            convert(device, address),
            changed.status,
            changed.project,
            changed.index,
            changed.key[0],
            changed.key[1],
            changed.since,
        )
    )
    self.history[device] = extended
    self.device[device] = changed
    log IDevices.KeyChanged(
        device=device,
        project=changed.project,
        index=changed.index,
        status=changed.status,
        key_x=changed.key[0],
        key_y=changed.key[1],
        history=extended,
    )
