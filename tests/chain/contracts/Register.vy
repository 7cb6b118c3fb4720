# pragma version ==0.4.3
"""
@title Register
@notice What the chain tests write to and read from: every kind of storage and refusal they need.
"""

struct Row:
    owner: address
    amount: uint256
    tag: bytes32

struct Pair:
    left: uint256
    right: uint64

event Written:
    writer: indexed(address)
    key: indexed(uint256)
    amount: uint256
    tag: bytes32

event Listed:
    pairs: DynArray[Pair, 4]
    note: String[32]

HISTORY: constant(address) = 0x0000F90827F1C53a10cb7A02335B175320002935

total: public(uint256)
values: public(HashMap[uint256, uint256])
nested: public(HashMap[address, HashMap[bytes32, uint256]])
rows: public(HashMap[uint256, Row])
fixed: public(uint256[3])
steps: public(uint256)
FIRST: public(immutable(uint256))


@deploy
@payable
def __init__(first: uint256):
    FIRST = first
    self.fixed = [first, first + 1, first + 2]


@external
@payable
def write(key: uint256, amount: uint256, tag: bytes32):
    assert amount != 13, "unlucky"
    assert amount != 14
    self.total += 1
    self.values[key] = amount
    self.nested[msg.sender][tag] = amount
    self.rows[key] = Row(owner=msg.sender, amount=amount, tag=tag)
    log Written(writer=msg.sender, key=key, amount=amount, tag=tag)


@external
def enumerate(pairs: DynArray[Pair, 4], note: String[32]) -> uint256:
    log Listed(pairs=pairs, note=note)
    return len(pairs)


@external
def step(number: uint256):
    assert number == self.steps + 1, "order"
    self.steps = number
    log Written(writer=msg.sender, key=number, amount=0, tag=empty(bytes32))


@external
@view
def pairs(count: uint64) -> DynArray[Pair, 4]:
    found: DynArray[Pair, 4] = []
    for i: uint64 in range(count, bound=4):
        found.append(Pair(left=convert(i, uint256), right=i * 2))
    return found


@external
@view
def both(key: uint256) -> (uint256, address):
    return self.values[key], self.rows[key].owner


@external
@view
def hash_of(height: uint256) -> bytes32:
    return blockhash(height)


@external
def burn_gas(rounds: uint256):
    for i: uint256 in range(rounds, bound=100_000):
        self.values[i] = i + 1


@external
@view
def history_hash(height: uint256) -> bytes32:
    answer: Bytes[32] = raw_call(
        HISTORY,
        abi_encode(height),
        max_outsize=32,
        is_static_call=True,
    )
    return convert(answer, bytes32)
