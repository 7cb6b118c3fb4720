"""Proofs against an independent trie: what is there, what is absent, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trie.hexary import HexaryTrie

from opendepin.chain import rlp, storage, trie
from opendepin.chain.errors import BindingRejected, StateProofRejected
from opendepin.core.encodings import keccak256

keys = st.binary(min_size=1, max_size=3)
values = st.binary(min_size=1, max_size=40)


def build(content: dict[bytes, bytes]) -> HexaryTrie:
    made = HexaryTrie({})
    for key, value in content.items():
        made[keccak256(key)] = value
    return made


def proof_of(made: HexaryTrie, key: bytes) -> list[bytes]:
    return [rlp.encode(node) for node in made.get_proof(keccak256(key))]


@given(st.dictionaries(keys, values, max_size=40), keys)
def test_a_peer_s_trie_is_read(content: dict[bytes, bytes], asked: bytes) -> None:
    made = build(content)
    for key in [*list(content)[:5], asked]:
        found = trie.value_at(made.root_hash, key, proof_of(made, key) if content else [])
        assert found == content.get(key, trie.ABSENT)


@given(st.dictionaries(keys, values, min_size=1, max_size=40), st.data())
def test_any_altered_missing_or_extra_byte_is_refused(
    content: dict[bytes, bytes], data: st.DataObject
) -> None:
    made = build(content)
    key = data.draw(st.sampled_from(sorted(content)))
    nodes = proof_of(made, key)
    at = data.draw(st.integers(0, len(nodes) - 1))
    place = data.draw(st.integers(0, len(nodes[at]) - 1))
    bad = bytearray(nodes[at])
    bad[place] ^= 1 << data.draw(st.integers(0, 7))
    refused = [
        [*nodes[:at], bytes(bad), *nodes[at + 1 :]],
        [*nodes[:at], *nodes[at + 1 :]],
        [*nodes, nodes[at]],
        [*nodes, b"\x80"],
        [nodes[at][:-1] if at == len(nodes) - 1 else b"", *nodes[1:]],
        nodes * 40,
    ]
    for wrong in refused:
        with pytest.raises(StateProofRejected):
            trie.value_at(made.root_hash, key, wrong)
    root = bytearray(made.root_hash)
    root[data.draw(st.integers(0, 31))] ^= 1
    with pytest.raises(StateProofRejected):
        trie.value_at(bytes(root), key, nodes)


@given(st.dictionaries(keys, values, min_size=2, max_size=40), st.data())
def test_a_proof_of_one_key_is_none_of_another(
    content: dict[bytes, bytes], data: st.DataObject
) -> None:
    made = build(content)
    one, other = data.draw(st.permutations(sorted(content)))[:2]
    try:
        found = trie.value_at(made.root_hash, one, proof_of(made, other))
    except StateProofRejected:
        return
    # Another key's nodes may be one's own too; then the value is one's own as well.
    assert found == content[one]


@pytest.mark.parametrize(
    "node",
    [
        rlp.encode([b"x"]),
        rlp.encode([b"", b"value"]),
        rlp.encode([b"\x40", b"value"]),
        rlp.encode([b"\x01\x02", b"value"]),
        rlp.encode([b"\x00", b"x" * 32]),
        rlp.encode([[b"x"], b"value"]),
        rlp.encode([b"short"] * 17),
        rlp.encode([[b"x" * 40]] * 17),
        b"\xff",
    ],
)
def test_malformed_nodes_are_refused(node: bytes) -> None:
    with pytest.raises(StateProofRejected):
        trie.value_at(keccak256(node), b"key", [node])


def test_the_empty_trie_proves_absence_alone() -> None:
    assert trie.value_at(trie.EMPTY_ROOT, b"key", []) == trie.ABSENT
    assert trie.value_at(trie.EMPTY_ROOT, b"key", [b"\x80"]) == trie.ABSENT
    with pytest.raises(StateProofRejected):
        trie.value_at(trie.EMPTY_ROOT, b"key", [b"\x80", b"\x80"])
    with pytest.raises(StateProofRejected):
        trie.value_at(bytes(32), b"key", [])


ADDRESS = bytes(range(20))


def account(*fields: rlp.Item) -> tuple[bytes, list[bytes]]:
    made = build({ADDRESS: rlp.encode(list(fields)), bytes(20): b"another account"})
    return made.root_hash, proof_of(made, ADDRESS)


def test_accounts_have_one_form() -> None:
    root, code = bytes([1]) * 32, bytes([2]) * 32
    good = storage.verify_account_proof(*account_args(b"\x05", b"\x07", root, code))
    assert good == storage.Account(5, 7, root, code)
    for fields in (
        (b"\x05", b"\x07", root),
        (b"\x05", b"\x07", root, code, b""),
        (b"\x00", b"\x07", root, code),
        (b"\x05", b"\x07" * 33, root, code),
        (b"\x05", b"\x07", root[:31], code),
        (b"\x05", b"\x07", root, [code]),
        ([b"\x05"], b"\x07", root, code),
    ):
        with pytest.raises(StateProofRejected):
            storage.verify_account_proof(*account_args(*fields))
    with pytest.raises(StateProofRejected):
        storage.verify_account_proof(root, ADDRESS[:19], [])
    made = build({bytes(20): b"another account"})
    absent = storage.verify_account_proof(made.root_hash, ADDRESS, proof_of(made, ADDRESS))
    assert absent == storage.NO_ACCOUNT


def account_args(*fields: rlp.Item) -> tuple[bytes, bytes, list[bytes]]:
    root, nodes = account(*fields)
    return root, ADDRESS, nodes


@pytest.mark.parametrize(
    "value", [b"", b"\x80", b"\x82\x00\x01", rlp.encode([b"x"]), b"\xa1" + b"x" * 33]
)
def test_stored_values_have_one_form(value: bytes) -> None:
    slot = 7
    made = build({storage.slot_key(slot): value or b"\x81\x05", storage.slot_key(8): b"\x05"})
    with pytest.raises(StateProofRejected):
        storage.verify_slot_proof(made.root_hash, slot, proof_of(made, storage.slot_key(slot)))
    good = storage.verify_slot_proof(made.root_hash, 8, proof_of(made, storage.slot_key(8)))
    assert good == (5).to_bytes(32, "big")


def test_layouts_and_keys() -> None:
    layout = {"total": {"type": "uint256", "slot": 4}, "module": {"rows": {"type": "x", "slot": 9}}}
    assert storage.slot_of(layout, "total") == 4
    assert storage.slot_of(layout, "module.rows") == 9
    for name in ("absent", "module", "module.absent", "total.slot", "total.slot.x", ""):
        with pytest.raises(BindingRejected):
            storage.slot_of(layout, name)
    assert storage.map_slot(1, 5) != storage.map_slot(5, 1)
    assert storage.map_slot(1, bytes(12) + ADDRESS) == storage.map_slot(1, ADDRESS)
    assert storage.map_slot(1, -1) == storage.map_slot(1, 2**256 - 1)
    with pytest.raises(BindingRejected):
        storage.map_slot(1, b"x")
    assert storage.member_slot(storage.SLOTS - 1, 1) == 0
