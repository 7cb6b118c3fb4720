"""From a batch body to a task's readings, and how long to wait after failures. Pure.

In: a verified body and a task. Out: the readings its proof is about, every signature, schema and
root checked, or a `SegmentRejected`.
"""

from __future__ import annotations

from collections.abc import Collection

from opendepin.core.batch import SegmentBody, decode_body
from opendepin.core.journey import Reading
from opendepin.core.readings import Histories, ProjectRules, check_segment
from opendepin.core.task import Task
from opendepin.dims.compute.errors import SegmentRejected


def segment_body(body: bytes, task: Task, network_id: bytes) -> SegmentBody:
    """Return the task's segment of a batch body.

    Raises:
        EncodingRejected: it is no body.
        SegmentRejected: there is no such segment, or it is another project's.
    """
    segments = decode_body(body, network_id)
    if task.segment_index >= len(segments):
        raise SegmentRejected(f"the body has no segment {task.segment_index}")
    found = segments[task.segment_index]
    if found.project != task.project:
        raise SegmentRejected(f"the segment is of project {found.project}, not {task.project}")
    return found


def identity_block(segment: SegmentBody) -> int:
    """Return the newest L1 height whose key history judges the segment."""
    return max(group.header.identity_block for group in segment.groups)


def readings_of_segment(
    segment: SegmentBody,
    task: Task,
    gateways: Collection[bytes],
    rules: ProjectRules,
    histories: Histories,
) -> tuple[Reading, ...]:
    """Check a segment whole and return its readings.

    Raises:
        ReadingRejected: a group or a message fails a check (the attesters were wrong).
        SegmentRejected: root or count are not the task's.
    """
    checked = check_segment(segment, gateways, rules, histories)
    if checked.root != task.segment_root or len(checked.messages) != task.count:
        raise SegmentRejected("root or count of the segment are not those of the task")
    return checked.readings


def wait_s(failures: int, first: float, longest: float) -> float:
    """Return the pause before the next try after so many failures in a row, in seconds."""
    return min(longest, first * 2.0 ** min(failures - 1, 30)) if failures else 0.0
