"""Sample data: values come out scaled, devices by order, and a line that does not fit is named."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opendepin.project.config import Config, parse
from opendepin.project.errors import SampleRejected
from opendepin.project.sample import read_sample

CONFIG = b"""
project = { name = "my-net", title = "My net" }
[[schema]]
key = 2
name = "temp"
scale = 2
minimum = -5000
maximum = 5000
[[schema]]
key = 3
name = "sky"
maximum = 2
labels = ["clear", "cloud", "rain"]
[[schema]]
key = 4
name = "pack"
maximum = 99
length = 2
"""
HEAD = "device,observed,temp,sky,pack.0,pack.1\n"


def config() -> Config:
    return parse(CONFIG)


def test_values_are_scaled_and_devices_numbered_as_they_appear() -> None:
    text = (
        HEAD + "b,2024-01-01T00:00:00+00:00,-1.5,rain,1,2\na,1704067201,0,0,3,4\nb,3,1.25,1,5,6\n"
    )
    found = read_sample(text.encode(), config())
    assert found.devices == ("b", "a")
    assert [row.device for row in found.rows] == [0, 1, 0]
    assert found.rows[0].data == {1: 1_704_067_200, 2: -150, 3: 2, 4: [1, 2]}
    readings = found.readings(config().message_schema(), 10)
    assert [(r.device_index, r.seq) for r in readings] == [(0, 0), (1, 0), (0, 1)]
    assert readings[0].values == (-150, 2, 1, 2)


@given(st.integers(-5000, 5000))
def test_a_value_written_by_people_is_the_integer_of_a_message(value: int) -> None:
    shown = Decimal(value).scaleb(-2)
    text = HEAD + f"a,5,{shown},clear,0,0\n"
    assert read_sample(text.encode(), config()).rows[0].data[2] == value


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("a,5,1.234,clear,0,0", "more than 2 decimal places"),
        ("a,5,50.01,clear,0,0", "outside -5000..5000"),
        ("a,5,x,clear,0,0", "is no number"),
        ("a,5,,clear,0,0", "is no number"),
        ("a,5,nan,clear,0,0", "line 2"),
        ("a,5,1,fog,0,0", "is no number"),
        ("a,soon,1,clear,0,0", "neither Unix seconds nor ISO 8601"),
        (",5,1,clear,0,0", "the device has no name"),
        ("a,5,1,clear,0", "line 2"),
        ("a,-5,1,clear,0,0", "line 2"),
    ],
)
def test_a_line_that_does_not_fit_is_named(line: str, says: str) -> None:
    with pytest.raises(SampleRejected, match=r"line 2|sample") as refused:
        read_sample((HEAD + line + "\n").encode(), config())
    assert says in str(refused.value)


def test_a_sample_without_lines_or_columns_is_none() -> None:
    with pytest.raises(SampleRejected, match="no line"):
        read_sample(HEAD.encode(), config())
    with pytest.raises(SampleRejected, match="no column 'temp'"):
        read_sample(b"device,observed\na,5\n", config())
    with pytest.raises(SampleRejected, match="UTF-8"):
        read_sample(b"\xff\xfe", config())
