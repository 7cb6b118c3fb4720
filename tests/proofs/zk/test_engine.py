"""The engine may crash, lie, hang or be fed anything: one request fails with a typed fault, and the
next works.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import stat
import struct
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from opendepin.core.journey import Reading
from opendepin.demo.clean_air import CLEAN_AIR
from opendepin.proofs.errors import EngineFault, ProverMissing
from opendepin.proofs.zk.assembly import assemble
from opendepin.proofs.zk.engine import BINARY, ENVIRONMENT, Engine, Timeouts, locate
from opendepin.proofs.zk.field import pack
from opendepin.proofs.zk.pipe import MAX_BLOB_BYTES, MAX_HEADER_BYTES
from opendepin.proofs.zk.rule import Rule
from tests.proofs.zk.rules import EVERYTHING, TOTALS

pytestmark = pytest.mark.asyncio(loop_scope="session")

FRAME = """
import json, struct, sys
def answer(head, blobs=()):
    header(json.dumps({**head, "blobs": [len(blob) for blob in blobs]}).encode())
def say(raw):
    sys.stdout.buffer.write(raw)
    sys.stdout.buffer.flush()
def header(raw):
    say(struct.pack("<I", len(raw)) + raw)
def wait():
    sys.stdin.buffer.read()
def request():
    (size,) = struct.unpack("<I", sys.stdin.buffer.read(4))
    head = json.loads(sys.stdin.buffer.read(size))
    return head, [sys.stdin.buffer.read(size) for size in head["blobs"]]
"""


def script(folder: Path, body: str) -> Path:
    """A program that stands where the engine should."""
    path = folder / "engine"
    path.write_text(f"#!{sys.executable}\n{FRAME}\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


async def fault_of(engine: Engine, op: str = "hello") -> str:
    with pytest.raises(EngineFault) as caught:
        await engine.call(op)
    await engine.close()
    return caught.value.code


# ------------------------------------------------------------------ where it is


async def test_a_missing_engine_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(ProverMissing, match="make setup"):
        locate({ENVIRONMENT: str(tmp_path / "nothing")})
    not_executable = tmp_path / "file"
    not_executable.write_text("")
    with pytest.raises(ProverMissing, match="make setup"):
        locate({ENVIRONMENT: str(not_executable)})


async def test_it_is_found_by_name_or_in_the_checkout(tmp_path: Path) -> None:
    named = script(tmp_path, "")
    assert locate({ENVIRONMENT: str(named)}) == named
    assert locate({}).name == BINARY


# ------------------------------------------------------------------ when it misbehaves


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("sys.exit(3)", "engine-crash"),
        ("request(); sys.exit(0)", "engine-crash"),
        ("request(); say(b'{')", "engine-crash"),
        ("request(); say(b'no frame at all, but long'); wait()", "engine-garbage"),
        (f"say(struct.pack('<I', {MAX_HEADER_BYTES + 1})); wait()", "engine-garbage"),
        ("say(struct.pack('<I', 3) + b'nil'); wait()", "engine-garbage"),
        ("say(struct.pack('<I', 2) + b'[]'); wait()", "engine-garbage"),
        ("header(b'{}'); wait()", "engine-garbage"),
        ("header(b'{\"blobs\":[-1]}'); wait()", "engine-garbage"),
        ("header(b'{\"blobs\":[0,0,0,0,0]}'); wait()", "engine-garbage"),
        (f"header(b'{{\"blobs\":[{MAX_BLOB_BYTES + 1}]}}'); wait()", "engine-garbage"),
        ("request(); answer({'error': 'no', 'code': 'whatever'}); wait()", "engine-whatever"),
        ("request(); wait()", "engine-timeout"),
    ],
)
async def test_misbehaviour_is_a_typed_fault(tmp_path: Path, body: str, code: str) -> None:
    engine = Engine(script(tmp_path, body), timeouts=Timeouts(other=2.0))
    assert await fault_of(engine) == code


async def test_the_next_request_gets_a_new_engine(tmp_path: Path) -> None:
    marker = tmp_path / "crashed"
    body = f"""
import os
head, blobs = request()
if not os.path.exists({str(marker)!r}):
    open({str(marker)!r}, "w").close()
    os._exit(9)
while True:
    answer({{"said": head["op"]}})
    head, blobs = request()
"""
    engine = Engine(script(tmp_path, body))
    with pytest.raises(EngineFault):
        await engine.call("first")
    assert (await engine.call("second")).header["said"] == "second"
    assert (await engine.call("third")).header["said"] == "third"
    await engine.close()


async def test_a_cancelled_request_leaves_no_half_answer_behind(tmp_path: Path) -> None:
    body = """
import time
while True:
    head, blobs = request()
    time.sleep(0.3 if head["op"] == "slow" else 0)
    answer({"said": head["op"]})
"""
    engine = Engine(script(tmp_path, body))
    slow = asyncio.create_task(engine.call("slow"))
    await asyncio.sleep(0.1)
    slow.cancel()
    with pytest.raises(asyncio.CancelledError):
        await slow
    assert (await engine.call("fast")).header["said"] == "fast"
    await engine.close()


async def test_requests_at_once_get_each_their_own_answer(engine: Engine) -> None:
    texts = [assemble(rule).program for rule in (EVERYTHING, TOTALS)] * 4
    answers = await asyncio.gather(*(engine.call("load", text.text) for text in texts))
    assert [answer.header["circuit"] for answer in answers] == [text.hash.hex() for text in texts]


# ------------------------------------------------------------------ what it is fed


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def mistreated() -> AsyncIterator[Engine]:
    """An engine of our own, for requests that may end it."""
    engine = Engine(locate(), timeouts=Timeouts(other=10.0))
    yield engine
    await engine.close()


TEXT = assemble(TOTALS.resized(2)).program.text


async def test_unknown_and_shapeless_requests_are_refused(mistreated: Engine) -> None:
    for op, blobs, header in (
        ("nonsense", (), {}),
        ("prove", (b"",), {"circuit": "00"}),
        ("verify", (b"", b""), {}),
        ("verify", (b"", b"", b""), {}),
        ("field_root", (b"123",), {"depth": 2}),
        ("field_root", (bytes(32 * 5),), {"depth": 1}),
        ("field_root", (bytes(32),), {"depth": 1, "count": -1}),
        ("outputs", (b"",), {"circuit": "00"}),
        ("field_root", (b"",), {"depth": -1}),
        ("field_root", (b"",), {"depth": 60}),
        ("load", (), {"path": "/nonexistent"}),
        ("load", (b"{}",), {}),
        ("load", (b"r1cs",), {}),
    ):
        with pytest.raises(EngineFault, match="refuses"):
            await mistreated.call(op, *blobs, **header)
    assert "gnark" in (await mistreated.call("hello")).header["version"]


async def test_truncated_circuit_files_are_refused(mistreated: Engine, tmp_path: Path) -> None:
    path = tmp_path / "cut.r1cs"
    for raw in (b"", b"r1cs", b"r1cs" + bytes(8) + struct.pack("<IQ", 1, 1 << 60), os.urandom(99)):
        path.write_bytes(raw)
        with pytest.raises(EngineFault, match="refuses"):
            await mistreated.call("load", path=str(path))


async def test_the_circuit_hash_is_that_of_the_text(mistreated: Engine) -> None:
    program = assemble(TOTALS.resized(2)).program
    answer = await mistreated.call("load", program.text)
    assert answer.header["circuit"] == program.hash.hex()
    spaced = json.dumps(json.loads(program.text)).encode()
    assert (await mistreated.call("load", spaced)).header["circuit"] != program.hash.hex()


@pytest.mark.parametrize("seed", range(60))
async def test_no_mutilated_program_ends_the_engine(mistreated: Engine, seed: int) -> None:
    chance = random.Random(seed)
    document = json.loads(TEXT)
    for _ in range(chance.randint(1, 3)):
        mutate(document, chance)
    raw = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    codes: list[str] = []
    try:
        name = (await mistreated.call("load", raw)).header["circuit"]
        given_values = pack([1, 0, 1, 7, 9] + [0] * 5)
        await mistreated.call("witness", given_values, circuit=name, public={"statement": "5"})
    except EngineFault as fault:
        codes.append(fault.code)
    assert set(codes) <= {"engine-refused", "engine-panic"}


STRANGE = (-1, 0, 1, 2, 7, 1 << 20, 1 << 31, (1 << 32) - 1, 1 << 63, "ff", [], None)


def mutate(node: Any, chance: random.Random) -> None:
    """Change one number, list or name somewhere in the document."""
    while True:
        key = chance.choice([*node] if isinstance(node, dict) else range(len(node)))
        child = node[key]
        if not isinstance(child, dict | list) or not child or not chance.randrange(10):
            node[key] = chance.choice(STRANGE)
            return
        node = child


async def test_several_circuits_live_in_one_engine_and_old_ones_leave(mistreated: Engine) -> None:
    programs = [assemble(rule).program for rule in (TOTALS, EVERYTHING, _third())]
    for program in programs:
        await mistreated.call("load", program.text)
    given_values = pack(assemble(EVERYTHING).given([Reading(1, 2, 3, (4,))]))
    public = {"statement": "5"}
    for program in programs[1:]:
        await mistreated.call("witness", given_values, circuit=program.hash.hex(), public=public)
    with pytest.raises(EngineFault) as caught:
        await mistreated.call(
            "witness", given_values, circuit=programs[0].hash.hex(), public=public
        )
    assert caught.value.code == "engine-not-loaded"


def _third() -> Rule:
    return CLEAN_AIR.resized(4)
