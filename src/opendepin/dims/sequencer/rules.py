"""What a sequencer checks of a gateway's group before it may enter a batch. Pure.

In: the group's bytes as the feed gave them, the key histories, the rules, the open step of the
coverage. Out: a `Taken`, or a `GroupSetAside` with the code of the check: the same checks that
every store makes again.
"""

from __future__ import annotations

from collections.abc import Callable

from opendepin.core.coverage import Step
from opendepin.core.errors import Rejected
from opendepin.core.group import Group, decode_group
from opendepin.core.readings import Histories, ProjectRules, check_group
from opendepin.dims.sequencer.errors import GroupSetAside
from opendepin.dims.sequencer.packing import Taken

RulesOf = Callable[[int], ProjectRules]


def read_group(data: bytes, network_id: bytes, feed: bytes) -> Group:
    """Read a group that the feed of gateway `feed` gave.

    Raises:
        GroupSetAside: code `group` or `wrong-gateway`.
    """
    try:
        group = decode_group(data, network_id)
    except Rejected as error:
        raise GroupSetAside(str(error), code="group") from error
    if group.header.gateway != feed:
        text = f"the feed of 0x{feed.hex()} gave a group of 0x{group.header.gateway.hex()}"
        raise GroupSetAside(text, code="wrong-gateway")
    return group


def judge(
    group: Group, number: int, rules_of: RulesOf, histories: Histories, step: Step, oldest: int
) -> Taken:
    """Check a group whole and take it into the coverage's open step.

    `number` is its number in its gateway's feed, `oldest` the lowest identity block that the inbox
    will still take when the batch comes there.

    Raises:
        GroupSetAside: the code of the check that failed; the step is unchanged.
    """
    header = group.header
    try:
        step.follows(header)
        if header.identity_block < oldest:
            text = (
                f"identity block {header.identity_block} is older than the inbox takes ({oldest})"
            )
            raise GroupSetAside(text, code="identity-stale")
        rules = rules_of(header.project)
        if header.count > rules.segment_messages:
            text = (
                f"{header.count} messages, a segment of the project takes {rules.segment_messages}"
            )
            raise GroupSetAside(text, code="capacity")
        checked = check_group(group, (header.gateway,), rules, histories)
        taken = Taken(group, checked, rules.segment_messages, header.gateway, number)
        step.take(header, taken.sequence_numbers())
    except GroupSetAside:
        raise
    except Rejected as error:
        raise GroupSetAside(str(error), code=error.code) from error
    return taken
