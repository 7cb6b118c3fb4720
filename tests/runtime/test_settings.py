"""`network.toml`: defaults, every parameter documented, every mistake named."""

from __future__ import annotations

from pathlib import Path
from typing import get_type_hints

import msgspec
import pytest

from opendepin.core.units import wei
from opendepin.runtime import settings
from opendepin.runtime.errors import SettingsRejected
from opendepin.runtime.settings import NetworkSettings


def test_the_written_default_is_the_default_and_explains_itself(tmp_path: Path) -> None:
    path = tmp_path / "network.toml"
    settings.write_default(path)
    assert settings.load(path) == NetworkSettings()
    lines = path.read_text().splitlines()
    for number, line in enumerate(lines):
        if " = " in line and not line.startswith("#"):
            assert lines[number - 1].startswith("# "), line
            assert len(lines[number - 1]) > 5, line
    path.write_text("[network]\nname = 'mine'\n")
    settings.write_default(path)
    assert settings.load(path).network.name == "mine"


def test_what_is_left_out_has_its_default() -> None:
    read = settings.parse("[sequencer]\nmax_wait_s = 2.5\n")
    assert read.sequencer.max_wait_s == 2.5
    assert read.sequencer.max_messages == 256
    assert read.gateway == NetworkSettings().gateway


def test_changed_settings_survive_a_round_trip() -> None:
    changed = msgspec.structs.replace(
        NetworkSettings(), network=settings.Network(name="two", block_time_s=3)
    )
    assert settings.parse(settings.default_text(changed)) == changed


def test_amounts_are_tokens() -> None:
    economy = NetworkSettings().economy
    assert wei(economy.operator_fee) == 5 * 10**17


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("[gateway]\nspeed = 1", "settings-unknown", ["gateway.speed", "gateway.group_wait_ms"]),
        ("[gatway]\n", "settings-unknown", ["[gatway]", "[gateway]"]),
        ("[ports]\nl1 = 70000", "settings-value", ["ports.l1", "70000", "65535"]),
        ("[ports]\nl1 = '8645'", "settings-value", ["ports.l1", "'8645'", "int"]),
        ("[ports]\nl1 = true", "settings-value", ["ports.l1", "True"]),
        ("[identity]\ndevice_fee = 1.5", "settings-value", ["identity.device_fee", "str"]),
        ("[identity]\ndevice_fee = '-1'", "settings-value", ["identity.device_fee", "'-1'"]),
        ("[availability]\nthreshold = 5", "settings-value", ["threshold = 5", "stores = 4"]),
        ("network = 3", "settings-value", ["network"]),
        ("[network", "settings-syntax", ["TOML"]),
    ],
)
def test_a_mistake_names_key_value_and_what_is_allowed(
    text: str, code: str, words: list[str]
) -> None:
    with pytest.raises(SettingsRejected) as caught:
        settings.parse(text)
    assert caught.value.code == code
    for word in words:
        assert word in str(caught.value)


def test_a_missing_file_says_where(tmp_path: Path) -> None:
    with pytest.raises(SettingsRejected, match=r"network\.toml"):
        settings.load(tmp_path / "network.toml")


def test_settings_do_not_change() -> None:
    with pytest.raises(AttributeError):
        NetworkSettings().network.name = "other"  # pyright: ignore[reportAttributeAccessIssue]
    assert set(get_type_hints(NetworkSettings)) >= {"network", "ports", "messages", "gateway"}
