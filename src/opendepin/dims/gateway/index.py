"""What a gateway remembers of its log: last `seq` per device, next position per project, place of
each message.

In: the committed groups, in order. Out: answers in memory time; on a start, all of it again from a
checkpoint and the log's rest, or from the log alone when the checkpoint is lost. The log is the
truth; this is its index.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from opendepin.core.group import Group, decode_group
from opendepin.core.wire import Scanned
from opendepin.dims.gateway import dues
from opendepin.dims.gateway.dues import Due
from opendepin.dims.gateway.errors import IndexBroken
from opendepin.dims.gateway.places import INDEX_BITS, Places
from opendepin.runtime.disk import write_atomic
from opendepin.runtime.stagelog import StageLog

MAGIC = b"ODPSEQS2\n"
REPLAY_GROUPS = 512
"""Groups read at once from the log at a start."""


@dataclass
class Snapshot:
    """What the index knows, at one group."""

    group: int = 0
    """Number of the last group it holds."""
    identity_block: int = 0
    """Identity block of that group; no later group may have a lower one."""
    next_position: dict[int, int] = field(default_factory=dict[int, int])
    """Project → position of its next message."""
    last_seq: dict[bytes, int] = field(default_factory=dict[bytes, int])
    """Device → its last admitted `seq`."""
    dues: dict[int, list[Due]] = field(default_factory=dict[int, list[Due]])
    """Project → what is promised of it and was not seen in a batch, oldest first."""

    def encode(self) -> bytes:
        """Write as checked bytes: a JSON head, then devices, then their numbers."""
        head = {
            "group": self.group,
            "identity_block": self.identity_block,
            "positions": self.next_position,
            "dues": self.dues,
        }
        text = json.dumps(head).encode()
        numbers = array("Q", self.last_seq.values()).tobytes()
        devices = b"".join(self.last_seq)
        body = len(text).to_bytes(4, "little") + text + devices + numbers
        return MAGIC + sha256(body).digest() + body

    @classmethod
    def decode(cls, data: bytes) -> Snapshot | None:
        """Read what `encode` wrote; None when the bytes are others."""
        start = len(MAGIC) + 32
        body = data[start:]
        if data[:start] != MAGIC + sha256(body).digest():
            return None
        size = 4 + int.from_bytes(body[:4], "little")
        head = json.loads(body[4:size])
        rest = body[size:]
        count = len(rest) // 28
        numbers = array("Q", rest[20 * count :])
        devices = (rest[20 * i : 20 * i + 20] for i in range(count))
        positions = {int(project): int(next_) for project, next_ in head["positions"].items()}
        found = dict(zip(devices, numbers, strict=True))
        promised = {int(p): [Due(*row) for row in rows] for p, rows in head["dues"].items()}
        return cls(int(head["group"]), int(head["identity_block"]), positions, found, promised)


Scan = Callable[[int, bytes], Scanned]
"""Reads a message of a project that the log holds; raises `IndexBroken` for what is none."""


class Index:
    """The index of one gateway's log. `add` and the look-ups belong to one thread, `write` may run
    in another.
    """

    def __init__(self, folder: Path, network_id: bytes, gateway: bytes) -> None:
        self._file = folder / "seqs"
        self._places = Places(folder / "places")
        self._network_id, self._gateway = network_id, gateway
        self._recent: dict[bytes, int] = {}
        self._writing: dict[bytes, int] = {}
        self.state = Snapshot()

    def add(self, number: int, group: Group, scanned: list[Scanned]) -> None:
        """Take in the next group of the log.

        Raises:
            IndexBroken: it does not continue what is known: number, position or identity block.
        """
        header, state = group.header, self.state
        if number != state.group + 1:
            raise IndexBroken(f"group {number} does not follow group {state.group}")
        due = state.next_position.get(header.project, 1)
        if header.first != due:
            raise IndexBroken(f"group {number} starts at {header.first}, position {due} is due")
        if header.identity_block < state.identity_block or header.gateway != self._gateway:
            raise IndexBroken(f"group {number} has a lower identity block or another gateway")
        state.group, state.identity_block = number, header.identity_block
        state.next_position[header.project] = header.first + header.count
        promised = state.dues.setdefault(header.project, [])
        dues.promise(promised, header.first + header.count - 1, header.include_by_block)
        place, last_seq, recent = number << INDEX_BITS, state.last_seq, self._recent
        for i, row in enumerate(scanned):
            last_seq[row.device] = row.seq
            recent[row.message_id] = place + i

    def find(self, message_id: bytes) -> list[tuple[int, int]]:
        """Return the (group number, index) that may hold a message, most often none or one."""
        place = self._recent.get(message_id)
        if place is None:
            place = self._writing.get(message_id)
        places = self._places.find(message_id) if place is None else [place]
        return [(found >> INDEX_BITS, found & ((1 << INDEX_BITS) - 1)) for found in places]

    @property
    def unwritten(self) -> int:
        """Number of messages since the last checkpoint."""
        return len(self._recent)

    def begin_write(self) -> Snapshot | None:
        """Take what is to be written, for `write`; None when there is nothing or a write is under
        way.
        """
        if self._writing or not self._recent:
            return None
        self._writing, self._recent = self._recent, {}
        state = self.state
        positions, seqs = dict(state.next_position), dict(state.last_seq)
        promised = {project: list(rows) for project, rows in state.dues.items()}
        return Snapshot(state.group, state.identity_block, positions, seqs, promised)

    def write(self, snapshot: Snapshot) -> None:
        """Write the checkpoint: places first, then the snapshot that counts on them. May run in
        another thread.
        """
        self._places.add(self._writing, snapshot.group)
        write_atomic(self._file, snapshot.encode())

    def end_write(self) -> None:
        """Forget in memory what `write` has put on disk."""
        self._writing = {}

    def undo_write(self) -> None:
        """Take back into memory what `write` failed to put on disk."""
        self._recent = {**self._writing, **self._recent}
        self._writing = {}

    def restore(self, log: StageLog, scan: Scan, checkpoint_messages: int) -> int:
        """Build the index from checkpoint and log; return how many groups were read again.

        Raises:
            RotFound: the log's bytes have changed.
            IndexBroken: the log ends before the checkpoint, or its groups do not continue each
            other.
        """
        self.state = self._read_checkpoint(log.last())
        begun = self.state.group
        while self.state.group < log.last():
            for number, record in log.read(self.state.group, REPLAY_GROUPS):
                group = decode_group(record, self._network_id)
                project = group.header.project
                self.add(number, group, [scan(project, raw) for raw in group.messages])
            if self.unwritten >= checkpoint_messages:
                self._write_now()
        return self.state.group - begun

    def _write_now(self) -> None:
        snapshot = self.begin_write()
        if snapshot is not None:
            self.write(snapshot)
            self.end_write()

    def _read_checkpoint(self, last: int) -> Snapshot:
        found = Snapshot.decode(self._file.read_bytes()) if self._file.exists() else None
        if found is not None and found.group > last:
            raise IndexBroken(
                f"the log ends at group {last}, but group {found.group} was acknowledged"
            )
        if found is None or found.group > self._places.covered:
            found = Snapshot()
        self._places.drop_after(found.group)
        if self._places.covered != found.group:
            self._places.drop_after(0)
            found = Snapshot()
        return found
