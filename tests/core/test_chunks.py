"""The erasure code: any half restores, a peer's code agrees byte for byte, a wrong code is proven
and an honest one is not.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
import zfec
from hypothesis import given, settings
from hypothesis import strategies as st

from opendepin.core import chunks, merkle
from opendepin.core.chunks import Chunk, WrongCode
from opendepin.core.errors import ProofRejected, Rejected

shapes = st.tuples(st.integers(1, 20), st.binary(min_size=1, max_size=400))
FEW = settings(max_examples=60, deadline=None)


@FEW
@given(shapes)
def test_the_peer_makes_the_same_chunks(shape: tuple[int, bytes]) -> None:
    k, body = shape
    coded = chunks.encode(body, k)
    peer = zfec.Encoder(k, 2 * k).encode(list(coded.chunks[:k]))
    assert [bytes(chunk) for chunk in peer] == list(coded.chunks)


@FEW
@given(shapes, st.randoms(use_true_random=False))
def test_any_k_chunks_restore_and_one_fewer_is_refused(
    shape: tuple[int, bytes], chance: object
) -> None:
    k, body = shape
    coded = chunks.encode(body, k)
    some = chance.sample(range(2 * k), k)  # type: ignore[attr-defined]
    held = {i: coded.chunks[i] for i in some}
    assert chunks.restore(held, len(body), k) == body
    del held[some[0]]
    with pytest.raises(Rejected) as caught:
        chunks.restore(held, len(body), k)
    assert caught.value.code == "too-few-chunks"


def test_the_body_is_the_first_chunks_zero_padded() -> None:
    coded = chunks.encode(b"abcdefghij", 4)
    assert coded.chunks[:4] == (b"abc", b"def", b"ghi", b"j\x00\x00")
    assert len(coded.chunks) == 8
    assert coded.data_root == merkle.root([merkle.leaf_hash(chunk) for chunk in coded.chunks])


def test_the_largest_code_is_made_and_a_larger_is_refused() -> None:
    body = bytes(range(256)) * 2
    coded = chunks.encode(body, chunks.MAX_DATA_CHUNKS)
    last = dict(enumerate(coded.chunks[chunks.MAX_DATA_CHUNKS :], chunks.MAX_DATA_CHUNKS))
    assert chunks.restore(last, len(body), chunks.MAX_DATA_CHUNKS) == body
    for wrong in (0, 129):
        with pytest.raises(Rejected):
            chunks.encode(body, wrong)
    with pytest.raises(Rejected):
        chunks.encode(b"", 4)


@pytest.mark.parametrize("wrong", [{9: b"abc"}, {-1: b"abc"}, {0: b"ab"}, {0: b"abcd"}])
def test_an_impossible_index_or_length_is_refused(wrong: dict[int, bytes]) -> None:
    coded = chunks.encode(b"abcdefghij", 4)
    held = dict(enumerate(coded.chunks[:4])) | wrong
    with pytest.raises(Rejected) as caught:
        chunks.restore(held, 10, 4)
    assert caught.value.code == "chunks"


@FEW
@given(st.integers(0, 31), st.integers(0, 31), st.integers(0, 255), st.data())
def test_a_chunk_proves_its_place_and_a_changed_one_does_not(
    i: int, j: int, flip: int, data: st.DataObject
) -> None:
    coded = chunks.encode(bytes(range(200)), 16)
    chunk = coded.chunk(i)
    chunk.check(coded.data_root, 16)
    at = data.draw(st.integers(0, len(chunk.data) - 1))
    changed = chunk.data[:at] + bytes([chunk.data[at] ^ flip]) + chunk.data[at + 1 :]
    wrong = [replace(chunk, path=chunk.path[:-1]), replace(chunk, path=(*chunk.path, bytes(32)))]
    wrong += [replace(chunk, index=32), replace(chunk, index=-1)]
    wrong += [replace(chunk, data=changed)] if flip else []
    wrong += [replace(chunk, index=j)] if i != j else []
    for forged in wrong:
        with pytest.raises(ProofRejected) as caught:
            forged.check(coded.data_root, 16)
        assert caught.value.code == "chunk"


def committed(rows: list[bytes]) -> tuple[bytes, list[Chunk]]:
    """Commit to any rows as chunks, as a dishonest sequencer can."""
    leaves = [merkle.leaf_hash(row) for row in rows]
    found = [Chunk(i, row, tuple(merkle.path(leaves, i))) for i, row in enumerate(rows)]
    return merkle.root(leaves), found


@FEW
@given(st.integers(1, 12), st.binary(min_size=1, max_size=200), st.data())
def test_a_wrong_code_is_proven_by_any_k_chunks(k: int, body: bytes, data: st.DataObject) -> None:
    rows = list(chunks.encode(body, k).chunks)
    bad = data.draw(st.integers(0, 2 * k - 1))
    rows[bad] = bytes([rows[bad][0] ^ 1]) + rows[bad][1:]
    data_root, held = committed(rows)
    some = data.draw(st.permutations(held))[:k]
    found = chunks.checked_body(some, data_root, len(body), k)
    assert isinstance(found, WrongCode)
    chunks.check_wrong_code(found, data_root, len(body), k)


@FEW
@given(st.integers(1, 12), st.binary(min_size=1, max_size=200), st.data())
def test_an_honest_code_cannot_be_proven_wrong(k: int, body: bytes, data: st.DataObject) -> None:
    coded = chunks.encode(body, k)
    some = data.draw(st.permutations([coded.chunk(i) for i in range(2 * k)]))[:k]
    assert chunks.checked_body(some, coded.data_root, len(body), k) == body
    with pytest.raises(ProofRejected) as caught:
        chunks.check_wrong_code(WrongCode(tuple(some)), coded.data_root, len(body), k)
    assert caught.value.code == "honest-code"
    forged = replace(some[0], data=bytes([some[0].data[0] ^ 1]) + some[0].data[1:])
    with pytest.raises(ProofRejected) as caught:
        chunks.check_wrong_code(WrongCode((forged, *some[1:])), coded.data_root, len(body), k)
    assert caught.value.code == "chunk"
    with pytest.raises(ProofRejected) as caught:
        chunks.check_wrong_code(WrongCode(tuple(some[1:])), coded.data_root, len(body), k)
    assert caught.value.code == "too-few-chunks"


def test_padding_that_is_not_zero_is_a_wrong_code() -> None:
    padded = chunks.encode(b"abcdefghijkl", 4)
    some = [padded.chunk(i) for i in range(4)]
    assert isinstance(chunks.checked_body(some, padded.data_root, 10, 4), WrongCode)
    assert chunks.checked_body(some, padded.data_root, 12, 4) == b"abcdefghijkl"


def test_one_chunk_of_a_wrong_length_is_proof_enough() -> None:
    rows = list(chunks.encode(b"abcdefghij", 4).chunks)
    rows[6] += b"\x00"
    data_root, held = committed(rows)
    found = chunks.checked_body([held[6]], data_root, 10, 4)
    assert found == WrongCode((held[6],))
    chunks.check_wrong_code(WrongCode((held[6],)), data_root, 10, 4)
    with pytest.raises(ProofRejected):
        chunks.check_wrong_code(WrongCode((held[5],)), data_root, 10, 4)


def test_a_chunk_that_comes_twice_is_refused() -> None:
    coded = chunks.encode(b"abcdefghij", 4)
    some = [coded.chunk(i) for i in (0, 1, 2, 2)]
    with pytest.raises(ProofRejected):
        chunks.checked_body(some, coded.data_root, 10, 4)
