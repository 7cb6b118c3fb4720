"""The index answers as a dictionary would, and comes back from checkpoint or log alike."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opendepin.core.group import decode_group
from opendepin.core.wire import Scanned, Scanner
from opendepin.dims.gateway import rules
from opendepin.dims.gateway.dues import Due
from opendepin.dims.gateway.errors import IndexBroken
from opendepin.dims.gateway.index import Index, Snapshot
from opendepin.dims.gateway.places import Places
from opendepin.dims.gateway.rules import Place
from opendepin.runtime.stagelog import SegmentLog
from tests.dims.gateway.world import DEVICES, GATEWAY, NETWORK, PROJECT, SCHEMA

SCANNER = Scanner(SCHEMA, NETWORK, PROJECT)

SHORT_IDS = st.integers(0, 30).map(lambda n: n.to_bytes(8, "big") + bytes(24))


@settings(max_examples=30)
@given(batches=st.lists(st.lists(SHORT_IDS, min_size=1, max_size=6), max_size=20))
def test_places_find_what_was_added_and_nothing_else(
    batches: list[list[bytes]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("places")
    known: dict[bytes, set[int]] = {}
    places = Places(folder)
    for group, batch in enumerate(batches, 1):
        rows = {row: (group << 8) + i for i, row in enumerate(batch)}
        places.add(rows, group)
        for row, place in rows.items():
            known.setdefault(row, set()).add(place)
    again = Places(folder)
    assert (again.covered, again.dropped) == (len(batches), 0)
    assert len(list(folder.iterdir())) < 8 + 8
    for number in range(32):
        row = number.to_bytes(8, "big") + bytes(24)
        assert set(again.find(row)) == set(places.find(row)) == known.get(row, set())


def test_a_damaged_run_and_all_after_it_are_dropped(tmp_path: Path) -> None:
    places = Places(tmp_path)
    for group in range(1, 5):
        places.add({bytes([group]) * 32: group << 8}, group)
    second = sorted(tmp_path.iterdir())[1]
    data = bytearray(second.read_bytes())
    data[-1] ^= 1
    second.write_bytes(data)
    again = Places(tmp_path)
    assert (again.covered, again.dropped) == (1, 3)
    assert again.find(b"\x01" * 32) == [1 << 8]
    assert again.find(b"\x03" * 32) == []


@given(
    st.builds(
        Snapshot,
        st.integers(0, 2**40),
        st.integers(0, 2**40),
        st.dictionaries(st.integers(1, 2**60), st.integers(1, 2**60), max_size=5),
        st.dictionaries(st.binary(min_size=20, max_size=20), st.integers(1, 2**53), max_size=20),
        st.dictionaries(
            st.integers(1, 2**60),
            st.lists(st.builds(Due, st.integers(1, 2**60), st.integers(1, 2**60)), max_size=3),
            max_size=3,
        ),
    ),
    st.data(),
)
def test_a_snapshot_survives_and_a_changed_one_is_nothing(
    snapshot: Snapshot, data: st.DataObject
) -> None:
    written = snapshot.encode()
    assert Snapshot.decode(written) == snapshot
    at = data.draw(st.integers(0, len(written) - 1))
    broken = bytearray(written)
    broken[at] ^= 1 << data.draw(st.integers(0, 7))
    assert Snapshot.decode(bytes(broken)) is None
    assert Snapshot.decode(written[:at]) is None


def scan(project: int, raw: bytes) -> Scanned:
    scanned = SCANNER.scan(raw)
    if scanned is None:
        raise IndexBroken(f"not of project {project}")
    return scanned


def grow(log: SegmentLog, index: Index, groups: int) -> None:
    """Commit groups of three messages, as the gateway does."""
    for _ in range(groups):
        state = index.state
        first = state.next_position.get(PROJECT, 1)
        rows = [
            scan(PROJECT, DEVICES[i].sign(state.last_seq.get(DEVICES[i].id, 0) + 1))
            for i in range(3)
        ]
        place = Place(NETWORK, PROJECT, GATEWAY.address, first, 5, 50)
        sealed = rules.seal(place, rows, GATEWAY.sign_recoverable)
        index.add(log.append([sealed.group.encode()]), sealed.group, rows)


def fresh(home: Path) -> Index:
    return Index(home / "index", NETWORK, GATEWAY.address)


def checkpoint(index: Index) -> None:
    snapshot = index.begin_write()
    assert snapshot is not None
    index.write(snapshot)
    index.end_write()


@pytest.mark.parametrize("lost", ["nothing", "seqs", "places", "all", "torn seqs", "torn run"])
def test_comes_back_the_same_whatever_is_lost(tmp_path: Path, lost: str) -> None:
    log = SegmentLog(tmp_path / "log")
    index = fresh(tmp_path)
    for _ in range(3):
        grow(log, index, 4)
        checkpoint(index)
    grow(log, index, 2)
    folder = tmp_path / "index"
    runs = sorted((folder / "places").iterdir())
    if lost in ("seqs", "all"):
        (folder / "seqs").unlink()
    if lost in ("places", "all"):
        for run in runs:
            run.unlink()
    if lost == "torn seqs":
        (folder / "seqs").write_bytes((folder / "seqs").read_bytes()[:-3])
    if lost == "torn run":
        runs[-1].write_bytes(runs[-1].read_bytes()[:-16])
    again = fresh(tmp_path)
    replayed = again.restore(log, scan, 5)
    assert again.state == index.state
    assert replayed == (2 if lost == "nothing" else 14)
    for number, record in log.read(0, 100):
        for i, raw in enumerate(decode_group(record, NETWORK).messages):
            assert again.find(scan(PROJECT, raw).message_id) == [(number, i)]
    assert again.find(b"\x00" * 32) == []
    log.close()


def test_a_log_shorter_than_its_checkpoint_is_not_taken_for_whole(tmp_path: Path) -> None:
    log = SegmentLog(tmp_path / "log")
    index = fresh(tmp_path)
    grow(log, index, 3)
    checkpoint(index)
    log.close()
    empty = SegmentLog(tmp_path / "other")
    with pytest.raises(IndexBroken, match="was acknowledged"):
        fresh(tmp_path).restore(empty, scan, 5)
    empty.close()


@pytest.mark.parametrize("change", ["first", "block", "gateway", "number"])
def test_groups_that_do_not_continue_are_refused(tmp_path: Path, change: str) -> None:
    log, index = SegmentLog(tmp_path / "log"), fresh(tmp_path)
    grow(log, index, 1)
    first, block = (5 if change == "first" else 4), (4 if change == "block" else 5)
    signer = DEVICES[0].key if change == "gateway" else GATEWAY
    rows = [scan(PROJECT, DEVICES[0].sign(2))]
    place = Place(NETWORK, PROJECT, signer.address, first, block, 50)
    sealed = rules.seal(place, rows, signer.sign_recoverable)
    with pytest.raises(IndexBroken):
        index.add(3 if change == "number" else 2, sealed.group, rows)
    log.close()


def test_what_could_not_be_written_stays_in_memory(tmp_path: Path) -> None:
    log, index = SegmentLog(tmp_path / "log"), fresh(tmp_path)
    grow(log, index, 2)
    held = scan(PROJECT, decode_group(log.read(0, 1)[0][1], NETWORK).messages[0]).message_id
    assert index.begin_write() is not None
    assert index.begin_write() is None
    assert index.find(held) == [(1, 0)]
    index.undo_write()
    assert index.unwritten == 6
    assert index.find(held) == [(1, 0)]
    log.close()
