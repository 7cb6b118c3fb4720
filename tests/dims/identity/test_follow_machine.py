"""Any chain with changes, forks and finality: the view is the chain's final part, and cautious."""

from __future__ import annotations

import asyncio
import io
from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from opendepin.core.identity import Status
from opendepin.core.keys import Key
from opendepin.dims.identity import rules
from opendepin.dims.identity.config import IdentityConfig
from opendepin.dims.identity.service import IdentityService
from opendepin.runtime import telemetry
from tests.dims.identity.blocks import Blocks, registered

DEVICES = tuple(Key.from_seed(b"device %d" % i) for i in range(3))


class FollowMachine(RuleBasedStateMachine):
    """Mines, forks, finalises; looks now and then."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = Blocks()
        log = telemetry.log("test", io.StringIO())
        config = IdentityConfig(span_blocks=3, slice_entries=2)
        self.service = IdentityService(self.blocks, log, config)
        self.turn = 0
        self.looked = False
        self.highest = 0

    @rule(at=st.integers(0, 2), what=st.sampled_from(["suspend", "resume", "rotate", "revoke"]))
    def change(self, at: int, what: str) -> None:
        """Mine a block in which a device registers or changes."""
        key = DEVICES[at]
        history = self.blocks.history(key.address, self.blocks.head)
        self.looked = False
        if not history:
            self.blocks.add(registered(key, index=at))
            return
        last = history[-1]
        self.turn += 1
        wanted = {
            "suspend": replace(last, status=Status.SUSPENDED),
            "resume": replace(last, status=Status.ACTIVE),
            "revoke": replace(last, status=Status.REVOKED),
            "rotate": replace(last, public=Key.from_seed(b"turn %d" % self.turn).public),
        }[what]
        possible = rules.reason_of_step(last, replace(wanted, from_block=self.blocks.head + 1))
        self.blocks.add(*([wanted] if possible is None else []))

    @rule(blocks=st.integers(1, 4))
    def wait(self, blocks: int) -> None:
        """Mine blocks without changes."""
        self.blocks.empty(blocks)
        self.looked = False

    @precondition(lambda self: self.blocks.head > self.blocks.final_height)
    @rule(share=st.floats(0, 1))
    def finalise(self, share: float) -> None:
        """Let some more blocks become final."""
        ahead = self.blocks.head - self.blocks.final_height
        self.blocks.final_height += round(ahead * share)
        self.looked = False

    @precondition(lambda self: self.blocks.head > self.blocks.final_height)
    @rule(share=st.floats(0, 1))
    def fork(self, share: float) -> None:
        """Take back some of what is not final."""
        blocks = round((self.blocks.head - self.blocks.final_height) * share)
        self.blocks.rewind(blocks)
        self.blocks.add(fork=b"%d" % self.turn)
        self.blocks.empty(blocks)
        self.turn += 1
        self.looked = False

    @rule()
    def look(self) -> None:
        """Let the follower look once."""
        asyncio.run(self.service.step())
        self.looked = True

    @invariant()
    def only_final_entries_are_held(self) -> None:
        """The histories are those of the chain up to the identity block."""
        block = self.service.identity_block()
        assert self.highest <= block <= self.blocks.final_height
        self.highest = block
        for key in DEVICES:
            assert self.service.history(key.address) == self.blocks.history(key.address, block)

    @invariant()
    def after_a_look_nothing_untrusted_speaks(self) -> None:
        """An active device is active, by the same key, in the final and in the newest state."""
        if not self.looked:
            return
        assert self.service.identity_block() == self.blocks.final_height
        for key in DEVICES:
            current = self.service.current(key.address)
            final = self.blocks.history(key.address, self.blocks.final_height)
            newest = self.blocks.history(key.address, self.blocks.head)
            assert (current is None) == (not final)
            if current is not None:
                same = final[-1].public == newest[-1].public
                active = final[-1].status is newest[-1].status is Status.ACTIVE
                assert (current.status is Status.ACTIVE) == (same and active)
                assert not (current.status is Status.ACTIVE and current != final[-1])


TestFollow = FollowMachine.TestCase
TestFollow.settings = settings(max_examples=40, stateful_step_count=25)
