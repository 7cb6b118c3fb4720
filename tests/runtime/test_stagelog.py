"""The stage log keeps what it acknowledged, cuts what it did not, and never serves what changed."""

from __future__ import annotations

import resource
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opendepin.core.errors import Rejected
from opendepin.runtime.errors import HomeLocked, LogFailed, LogFull, RotFound
from opendepin.runtime.stagelog import SegmentLog, frame


@contextmanager
def opened(folder: Path, segment_bytes: int = 1 << 20) -> Iterator[SegmentLog]:
    log = SegmentLog(folder, segment_bytes)
    try:
        yield log
    finally:
        log.close()


def filled(folder: Path, records: list[bytes], segment_bytes: int = 1 << 20) -> Path:
    with opened(folder, segment_bytes) as log:
        for record in records:
            log.append([record])
    return max(folder.glob("*.log"))


RECORDS = [b"first", b"", b"third" * 9, b"last record"]


@settings(max_examples=40)
@given(batches=st.lists(st.lists(st.binary(max_size=200), min_size=1, max_size=5), max_size=12))
def test_gives_back_what_it_was_given(
    batches: list[list[bytes]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("log")
    rows = [record for batch in batches for record in batch]
    with opened(folder, segment_bytes=256) as log:
        at = 1
        for batch in batches:
            assert log.append(batch) == at
            at += len(batch)
    with opened(folder, segment_bytes=256) as log:
        assert log.last() == len(rows)
        found, after = list[tuple[int, bytes]](), 0
        while after < log.last():
            found += log.read(after, 3)
            after = found[-1][0]
        assert found == list(enumerate(rows, 1))
        assert log.read(len(rows), 10) == []


def test_a_tail_torn_at_any_byte_is_cut_and_the_log_goes_on(tmp_path: Path) -> None:
    file = filled(tmp_path / "log", RECORDS)
    whole = file.read_bytes()
    last = len(frame(4, RECORDS[-1]))
    for left in range(last):
        folder = tmp_path / f"cut{left}"
        shutil.copytree(file.parent, folder)
        copy = folder / file.name
        copy.write_bytes(whole[: len(whole) - last + left])
        with opened(folder) as log:
            assert (log.last(), log.cut_bytes) == (3, left)
            assert log.append([b"again"]) == 4
        with opened(folder) as log:
            rows = [record for _, record in log.read(0, 10)]
            assert rows == [*RECORDS[:3], b"again"]


def test_zeros_after_the_last_record_are_a_torn_tail(tmp_path: Path) -> None:
    file = filled(tmp_path, RECORDS)
    with file.open("ab") as handle:
        handle.write(bytes(5000))
    with opened(tmp_path) as log:
        assert (log.last(), log.cut_bytes) == (4, 5000)


def test_a_flipped_bit_anywhere_is_found_and_never_served(tmp_path: Path) -> None:
    file = filled(tmp_path / "log", RECORDS)
    whole = file.read_bytes()
    for at in range(len(whole)):
        copy = bytearray(whole)
        copy[at] ^= 1 << at % 8
        file.write_bytes(copy)
        with pytest.raises(RotFound):
            SegmentLog(file.parent)
    file.write_bytes(whole)
    with opened(file.parent) as log:
        assert log.last() == 4


APPENDS = [[b"first"], [b"", b"third" * 9], [b"x" * 1_500, b"last record", b"z" * 700]]
BLOCK = 512


def _damaged(data: st.DataObject, whole: bytes) -> bytes:
    """Change, zero, drop or cut bytes anywhere, as rot and power cuts do."""
    kind = data.draw(st.sampled_from(["flip", "zero blocks", "zero run", "cut", "insert", "drop"]))
    at = data.draw(st.integers(0, len(whole) - 1))
    size = data.draw(st.integers(1, 800))
    if kind == "flip":
        return whole[:at] + bytes([whole[at] ^ data.draw(st.integers(1, 255))]) + whole[at + 1 :]
    if kind == "zero blocks":
        at -= at % BLOCK
        end = min(len(whole), at + BLOCK * data.draw(st.integers(1, 4)))
        return whole[:at] + bytes(end - at) + whole[end:]
    if kind == "zero run":
        end = min(len(whole), at + size)
        return whole[:at] + bytes(end - at) + whole[end:]
    if kind == "cut":
        return whole[:at]
    if kind == "insert":
        return whole[:at] + data.draw(st.binary(min_size=1, max_size=40)) + whole[at:]
    return whole[:at] + whole[at + size :]


@settings(max_examples=200)
@given(data=st.data())
def test_damage_is_refused_or_a_missing_tail_is_cut_and_nothing_false_is_served(
    data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("log")
    with opened(folder) as log:
        for append in APPENDS:
            log.append(append)
    file = max(folder.glob("*.log"))
    whole = file.read_bytes()
    damaged = _damaged(data, whole)
    file.write_bytes(damaged)
    rows = [record for append in APPENDS for record in append]
    try:
        with opened(folder) as log:
            served = [record for _, record in log.read(0, 100)]
            cut = log.cut_bytes
    except RotFound:
        assert damaged != whole
        return
    assert served == rows[: len(served)]
    if len(served) < len(rows):  # a record is lost where bytes are missing, or zero to the end
        assert len(damaged) < len(whole) or not any(damaged[len(damaged) - cut :])


def test_rot_in_a_closed_file_is_found_when_it_is_read(tmp_path: Path) -> None:
    filled(tmp_path, [b"x" * 100] * 6, segment_bytes=128)
    files = sorted(tmp_path.glob("*.log"))
    assert len(files) > 2
    whole = files[0].read_bytes()
    files[0].write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with opened(tmp_path, segment_bytes=128) as log:
        with pytest.raises(RotFound):
            log.read(0, 10)
        assert log.read(4, 10)[0] == (5, b"x" * 100)
    files[0].unlink()
    with opened(tmp_path, segment_bytes=128) as log, pytest.raises(RotFound):
        log.read(0, 1)


def test_records_moved_within_the_log_are_rot(tmp_path: Path) -> None:
    file = filled(tmp_path, [b"aaaa", b"bbbb"])
    a, b = frame(1, b"aaaa"), frame(2, b"bbbb")
    whole = file.read_bytes()
    file.write_bytes(whole.replace(a + b, b + a))
    with pytest.raises(RotFound):
        SegmentLog(tmp_path)


def test_only_one_process_has_it_open(tmp_path: Path) -> None:
    with opened(tmp_path), pytest.raises(HomeLocked):
        SegmentLog(tmp_path)
    with opened(tmp_path) as log:
        assert log.append([b"free again"]) == 1


def test_a_full_disk_refuses_the_record_and_keeps_the_log(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        log.append([b"kept"])
        size = max(tmp_path.glob("*.log")).stat().st_size
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 50, hard))
        try:
            with pytest.raises(LogFull):
                log.append([b"y" * 100])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert max(tmp_path.glob("*.log")).stat().st_size == size
        assert log.append([b"y" * 100]) == 2
    with opened(tmp_path) as log:
        assert [record for _, record in log.read(0, 9)] == [b"kept", b"y" * 100]


def test_after_the_disk_failed_nothing_more_is_taken(tmp_path: Path) -> None:
    with opened(tmp_path) as log:
        log.append([b"kept"])
        log.close()
        with pytest.raises(LogFailed):
            log.append([b"lost"])


def test_refuses_an_empty_append(tmp_path: Path) -> None:
    with opened(tmp_path) as log, pytest.raises(Rejected):
        log.append([])


def test_readers_and_a_writer_at_once(tmp_path: Path) -> None:
    with opened(tmp_path, segment_bytes=4096) as log:
        stop, wrong = threading.Event(), list[str]()

        def reader() -> None:
            while not stop.is_set():
                for number, record in log.read(max(0, log.last() - 50), 60):
                    if record != b"%d" % number * 20:
                        wrong.append(f"{number}: {record!r}")

        threads = [threading.Thread(target=reader) for _ in range(2)]
        for thread in threads:
            thread.start()
        for number in range(1, 400, 4):
            log.append([b"%d" % n * 20 for n in range(number, number + 4)])
        stop.set()
        for thread in threads:
            thread.join()
        assert wrong == []
        assert log.last() == 400
