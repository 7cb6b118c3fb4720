"""Every value of a bundle, altered by one bit or character, is noticed: by the step that names it,
or by a refusal.

`TOLD` lists the values that are told without a proof, and that a report never shows as verified.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from opendepin.core.errors import DepinError
from opendepin.verify import Anchor, BundleRejected, Outcome, read_bundle
from opendepin.verify.trail import first_failure
from tests.verify import network as small
from tests.verify.conftest import Verifier

Path = tuple[str | int, ...]

TOLD = {
    ("labels", 0),
    ("task", "transaction"),
    ("task", "gas_used"),
    ("task", "verification_key", "development"),
}

FIRST_STEP: dict[tuple[str, ...], str] = {
    ("message", "message_id"): "message-id",
    ("message", "device"): "message-form",
    ("message", "project"): "message-id",
    ("receipt", "signature"): "receipt-signature",
    ("receipt", "root"): "receipt-signature",
    ("receipt", "include_by_block"): "receipt-signature",
    ("receipt", "message_id"): "receipt-path",
    ("receipt", "path"): "receipt-path",
    ("receipt", "position"): "receipt-path",
    ("histories",): "key-history",
    ("batch", "header", "parent"): "header-hash",
    ("batch", "header", "number"): "header-hash",
    ("batch", "header", "time"): "header-hash",
    ("batch", "header", "segments_root"): "segments-root",
    ("batch", "header", "data_root"): "data-root",
    ("batch", "header", "data_bytes"): "data-root",
    ("batch", "hash"): "header-hash",
    ("batch", "sequencer_signature"): "sequencer",
    ("batch", "attestations"): "attesters",
    ("batch", "inbox_block"): "include-by",
    ("batch", "code"): "data-root",
    ("task", "task_id"): "program",
    ("task", "program_id"): "program",
    ("task", "circuit_hash"): "program",
    ("task", "vk_hash"): "program",
    ("task", "manifest_hash"): "program",
    ("task", "verification_key", "ic"): "program",
    ("task", "outputs"): "outputs",
    ("task", "outputs_hash"): "outputs",
    ("task", "statement"): "statement",
    ("task", "evaluation"): "statement",
    ("task", "proof"): "proof",
    ("task", "result", "pay_root"): "pay-root",
    ("task", "draw"): "drawn",
    ("task", "result", "settled_block"): "l1-storage",
    ("task", "result", "callback_ok"): "l1-storage",
    ("network", "sequencer"): "sequencer",
    ("network", "attesters"): "attesters",
    ("network", "threshold"): "attesters",
    ("network", "gateways"): "receipt-signature",
    ("network", "genesis_hash"): "l1-block",
    ("network", "contracts"): "l1-storage",
    ("network", "chain_id"): "message-id",
    ("network", "network_id"): "message-id",
}
"""Where a value stands → the first step that fails when it is altered, in a message's bundle."""


def leaves(value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Give every value of a JSON document that is no list or map, with its path."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from leaves(each, (*path, name))
    elif isinstance(value, list):
        for at, each in enumerate(value):
            yield from leaves(each, (*path, at))
    elif value is not None:
        yield path, value


def altered(value: Any, at: int) -> Any:
    """Return a value that differs by one bit or character, of the same form where it can be."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value ^ (1 << at % max(1, value.bit_length()))
    if value.startswith("0x") and len(value) > 2:
        place = 2 + at % (len(value) - 2)
        digit = format(int(value[place], 16) ^ (1 << at % 4), "x")
        return value[:place] + digit + value[place + 1 :]
    place = at % len(value) if value else 0
    character = "1" if value[place : place + 1] != "1" else "2"
    return value[:place] + character + value[place + 1 :]


def with_altered(bundle: Any, path: Path, at: int) -> Any:
    """Return a copy of a bundle with the value at a path altered."""
    copied = copy.deepcopy(bundle)
    inside = copied
    for step in path[:-1]:
        inside = inside[step]
    inside[path[-1]] = altered(inside[path[-1]], at)
    return copied


def expected_step(path: Path) -> str | None:
    names = tuple(str(each) for each in path)
    found = [step for prefix, step in FIRST_STEP.items() if names[: len(prefix)] == prefix]
    return found[0] if found else None


PARTS = {
    "message": ("form", "subject", "labels", "network", "message", "receipt", "histories", "batch"),
    "device": ("subject", "message"),
    "task": ("form", "subject", "labels", "network", "histories", "batch", "task", "l1"),
}


@pytest.mark.parametrize("kind", PARTS)
def test_each_altered_value_is_noticed(
    network: small.Network, anchor: Anchor, verifier: Verifier, kind: str
) -> None:
    bundle = network.bundle(kind)
    unnoticed: set[Path] = set()
    wrong_step: list[str] = []
    looked_at = [path for path, _ in leaves(bundle) if path[0] in PARTS[kind]]
    for number, path in enumerate(looked_at):
        try:
            report = verifier.report(with_altered(bundle, path, 7 * number + 3), anchor)
        except BundleRejected:
            continue
        first = first_failure(report.steps)
        if first is None:
            unnoticed.add(path)
        elif (due := expected_step(path)) not in (None, first.name):
            wrong_step.append(f"{path}: {first.name} fails first, {due} is due")
        assert not (report.ok and first)
    assert unnoticed == TOLD.intersection(looked_at)
    assert wrong_step == []


@settings(max_examples=60)
@given(st.data())
def test_any_bit_of_the_long_values_counts(
    network: small.Network, anchor: Anchor, verifier: Verifier, data: st.DataObject
) -> None:
    bundle = network.bundle()
    places = [path for path, value in leaves(bundle) if isinstance(value, str) and len(value) > 66]
    path = data.draw(st.sampled_from(places))
    at = data.draw(st.integers(0, 1 << 20))
    try:
        report = verifier.report(with_altered(bundle, path, at), anchor)
    except BundleRejected:
        return
    assert not report.ok


@settings(max_examples=60)
@given(st.data())
def test_any_value_of_another_kind_is_refused_or_noticed(
    network: small.Network, anchor: Anchor, verifier: Verifier, data: st.DataObject
) -> None:
    bundle = network.bundle()
    path, _ = data.draw(st.sampled_from(list(leaves(bundle))))
    odd = st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.integers(2**250, 2**260).map(str),
        st.floats(),
        st.text(max_size=8),
        st.binary(max_size=70).map(lambda raw: "0x" + raw.hex()),
        st.lists(st.integers(), max_size=2),
    )
    inside: Any = bundle
    for step in path[:-1]:
        inside = inside[step]
    given_value = inside[path[-1]]
    inside[path[-1]] = data.draw(odd)
    if inside[path[-1]] == given_value or path in TOLD:
        return
    try:
        report = verifier.report(bundle, anchor)
    except BundleRejected:
        return
    assert not report.ok


@pytest.mark.parametrize("part", ["l1", "task", "batch", "histories"])
def test_each_part_may_be_left_out_but_never_holds(
    network: small.Network, anchor: Anchor, verifier: Verifier, part: str
) -> None:
    bundle = network.bundle() | {part: [] if part == "histories" else None}
    try:
        report = verifier.report(bundle, anchor)
    except BundleRejected:
        return
    assert not report.settled


def test_any_list_may_be_cut_but_it_is_noticed(
    network: small.Network, anchor: Anchor, verifier: Verifier
) -> None:
    bundle = network.bundle()

    def lists(value: Any, path: Path = ()) -> Iterator[Path]:
        if isinstance(value, dict):
            for name, each in value.items():
                yield from lists(each, (*path, name))
        elif isinstance(value, list):
            yield path
            for at, each in enumerate(value):
                yield from lists(each, (*path, at))

    for path in lists(bundle):
        if path == ("labels",):
            continue
        copied = copy.deepcopy(bundle)
        inside: Any = copied
        for step in path:
            inside = inside[step]
        if not inside:
            continue
        inside.pop()
        try:
            assert not verifier.report(copied, anchor).ok, path
        except BundleRejected:
            continue


@given(st.binary(max_size=200))
def test_bytes_that_are_no_bundle_are_refused(data: bytes) -> None:
    with pytest.raises(BundleRejected):
        read_bundle(data)


@settings(max_examples=100)
@given(st.data())
def test_a_damaged_file_is_refused_or_read(network: small.Network, data: st.DataObject) -> None:
    raw = bytearray(json.dumps(network.bundle()).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        read_bundle(bytes(raw[: data.draw(st.integers(1, len(raw)))]))
    except BundleRejected:
        return


def test_nesting_and_size_bombs_are_refused() -> None:
    for bomb in (b"[" * 100_000, b'{"form":' * 50_000, b" " * ((64 << 20) + 1)):
        with pytest.raises(BundleRejected):
            read_bundle(bomb)


def test_no_error_but_ours_leaves_the_check(
    network: small.Network, anchor: Anchor, verifier: Verifier
) -> None:
    """A body whose positions or counts run over what their types hold."""
    for hostile in ("0x80", "0x", "0x" + "9f" * 40, "0x8281820181"):
        bundle = network.bundle()
        bundle["batch"]["body"] = hostile
        report = verifier.report(bundle, anchor)
        assert {"body", "segment-root", "data-root"} <= {s.name for s in report.failed}
    assert issubclass(BundleRejected, DepinError)
    assert Outcome.FAILS.value == "fails"
