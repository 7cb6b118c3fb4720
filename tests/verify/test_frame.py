"""A circuit whose frame is not the standard one, registered, proven and settled by the book: the
trail fails at the program, whatever else holds.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from opendepin.cli.app import app
from opendepin.core.encodings import sha256, to_hex
from opendepin.demo.clean_air import CLEAN_AIR
from opendepin.proofs.zk.engine import Engine
from opendepin.proofs.zk.prover import Prover
from opendepin.verify import Anchor, anchor_of_genesis
from opendepin.verify.steps import named
from tests.proofs.zk import frames
from tests.verify import network as small
from tests.verify.conftest import BUILD, Verifier
from tests.verify.test_attacks import consistent, failed

RULE = CLEAN_AIR.resized(small.CAPACITY)
FORGED = (
    "the first place may be empty",
    "presence may rise again",
    "presence may be no bit",
    "two leaves swapped",
    "a bit of a word is not checked",
    "words of an empty place are free",
    "the root of another wire",
    "public inputs permuted",
    "a total without the last place",
)
TEXTS = {name: frames.forged(name, RULE) for name in FORGED} | {
    "another schema": frames.of_another_schema(RULE),
    "another capacity": frames.of_another_capacity(RULE),
}


@pytest.fixture(scope="module")
def loose(loop: asyncio.AbstractEventLoop, engine: Engine, network: small.Network) -> small.Network:
    """The small network with a circuit in which a reading may be left out in the middle."""
    text = TEXTS["presence may rise again"]

    async def built() -> small.Network:
        prover = Prover(engine, BUILD / "keys", network_is_local=True)
        honest = network.assembled.program
        program = replace(honest, text=text)
        assembled = replace(network.assembled, program=program)
        made = small.Network(network.layouts, assembled, await prover.keys(program))
        await made.settle(prover)
        return made

    return loop.run_until_complete(built())


def _anchor(network: small.Network) -> Anchor:
    return anchor_of_genesis(network.genesis(), network.layouts, network.state.block_hash)


def test_a_settled_program_without_the_frame_fails(
    loose: small.Network, verifier: Verifier
) -> None:
    verifier.keep(loose.assembled.program)
    report = verifier.report(loose.bundle(), _anchor(loose))
    assert failed(report) == {"program", "outputs"}
    step = named(report.steps, "program")
    assert "not the standard frame: row 0 of block 1 ('falling') differs" in step.why
    assert not report.ok


def test_its_own_bundle_cannot_hide_it(loose: small.Network, verifier: Verifier) -> None:
    """Without the text nothing is said of the frame; with the bundle's own text it fails."""
    text = verifier.programs.pop(loose.assembled.program.hash, None)
    assert text is not None
    bundle = loose.bundle()
    report = verifier.report(bundle, _anchor(loose))
    assert "its frame is not checked" in named(report.steps, "program").source
    assert not report.settled
    bundle["task"]["circuit"] = text.decode()
    assert failed(verifier.report(bundle, _anchor(loose))) == {"program", "outputs"}


@pytest.mark.parametrize("name", TEXTS)
def test_no_other_frame_passes(
    network: small.Network, anchor: Anchor, verifier: Verifier, name: str
) -> None:
    text = TEXTS[name]

    def forge(bundle: dict[str, Any]) -> None:
        bundle["task"]["circuit_hash"] = to_hex(sha256(text))
        bundle["task"]["circuit"] = text.decode()

    report = verifier.report(consistent(network.bundle(), forge), anchor)
    step = named(report.steps, "program")
    assert "program" in failed(report)
    assert "cannot be opened" in step.why


def test_the_command_says_which_row(loose: small.Network, tmp_path: Path) -> None:
    bundle, genesis = loose.bundle("task"), tmp_path / "genesis.json"
    bundle["task"]["circuit"] = TEXTS["presence may rise again"].decode()
    file = tmp_path / "bundle.json"
    file.write_text(json.dumps(bundle))
    genesis.write_text(json.dumps(loose.genesis()))
    trusted = to_hex(loose.state.block_hash)
    options = ["--bundle", str(file), "--genesis", str(genesis), "--block-hash", trusted]
    ran = CliRunner().invoke(app, ["verify", "--home", str(tmp_path / "home"), *options])
    assert ran.exit_code == 4
    assert "row 0 of block 1 ('falling') differs" in ran.output
